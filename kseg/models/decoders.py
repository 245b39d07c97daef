"""Decoders: features by stride → features at the image's size, or at a stride from which scores are scaled up.

Contract: ``decode(x, features, spec)`` takes the bottleneck's result at ``spec.stride`` and the encoder's features
(`kseg.models.encoders.features`); a stride that the encoder does not have is a step without a skip. It returns what
each of its steps gave, and which of these results scores can be read from (`Decoded`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import keras

from kseg.models.blocks import Style, attention_gate, block, conv, upsample
from kseg.models.encoders.features import Features
from kseg.models.specs import NetworkSpec

__all__ = ["DECODERS", "Decoded"]


class Decoded(NamedTuple):
    """What a decoder returns.

    Args:
        steps: Name → result of every step, in the order of the computation; the layers' names begin with the step's.
        levels: The results that scores can be read from, the coarsest first; several where ``spec.deep``. The network
            reads them from the last, deep supervision (`kseg.models.supervision`) from the others, too.
    """

    steps: dict[str, keras.KerasTensor]
    levels: list[keras.KerasTensor]


_DETAIL_WIDTH: Final = 48
"""DeepLabV3+: channels to which the features at stride 4 are reduced, so that they do not outweigh the coarse ones."""


def _join(x: keras.KerasTensor, skips: list[keras.KerasTensor], spec: NetworkSpec, name: str) -> keras.KerasTensor:
    """Skips, gated if the network has gates, and the upsampled ``x`` side by side."""
    if not skips:
        return x
    if spec.attention_gates:
        skips = [attention_gate(skip, x, f"{name}_{i}") for i, skip in enumerate(skips)]
    return keras.layers.Concatenate(name=f"{name}_skip")([*skips, x])


def unet(x: keras.KerasTensor, features: Features, spec: NetworkSpec) -> Decoded:
    """Step up to the image's size, joining the skip of each stride (Ronneberger et al. 2015). Each step is a level."""
    style, stride = Style.of(spec), spec.stride
    steps: dict[str, keras.KerasTensor] = {}
    for level, width in enumerate(spec.resolved_decoder_widths):
        stride //= 2
        name = f"decoder{level}"
        x = upsample(x, width, style, name)
        skips = [features[stride]] if stride in features else []
        x = steps[name] = block(_join(x, skips, spec, name), width, style, name)
    return Decoded(steps, list(steps.values()))


def unetplusplus(x: keras.KerasTensor, features: Features, spec: NetworkSpec) -> Decoded:
    """U-Net++ (Zhou et al. 2018): between encoder and decoder every stride has nodes that refine its features.

    Node ``(stride, j)`` joins all earlier nodes of its stride with the node ``(2 · stride, j - 1)`` scaled up.
    The levels are the nodes of the finest stride, which the paper calls X(0, j).
    """
    style = Style.of(spec)
    strides = [spec.stride >> step for step in range(1, len(spec.resolved_decoder_widths) + 1)]
    widths = dict(zip(strides, spec.resolved_decoder_widths, strict=True))
    nodes = {stride: [features[stride]] if stride in features else [] for stride in strides}
    nodes[spec.stride] = [x]
    steps: dict[str, keras.KerasTensor] = {}
    for rank in range(1, len(strides) + 1):
        # The coarsest stride is complete after one node, the finest after as many as there are steps.
        for stride in strides[rank - 1 :]:
            below = nodes[2 * stride]
            if len(below) < rank:
                continue  # the stride below has no features of its own yet
            name = f"node{stride}_{rank}"
            up = upsample(below[rank - 1], widths[stride], style, name)
            steps[name] = block(_join(up, list(nodes[stride]), spec, name), widths[stride], style, name)
            nodes[stride].append(steps[name])
    finest = strides[-1]
    return Decoded(steps, nodes[finest][int(finest in features) :])


def deeplabv3plus(x: keras.KerasTensor, features: Features, spec: NetworkSpec) -> Decoded:
    """DeepLabV3+ (Chen et al. 2018): scale up to stride 4 at once, join its features there, refine.

    The encoder keeps its strides; the paper spreads its last convolutions instead, which costs four times the work.
    """
    style, (width,) = Style.of(spec), spec.resolved_decoder_widths
    x = keras.layers.UpSampling2D(spec.stride // 4, interpolation="bilinear", name="decoder_up")(x)
    detail = conv(features[4], _DETAIL_WIDTH, style, "decoder_detail", size=1)
    x = block(keras.layers.Concatenate(name="decoder_skip")([detail, x]), width, style, "decoder")
    return Decoded({"decoder": x}, [x])


DECODERS: Final[dict[str, Callable[[keras.KerasTensor, Features, NetworkSpec], Decoded]]] = {
    "unet": unet,
    "unetplusplus": unetplusplus,
    "deeplabv3plus": deeplabv3plus,
}
