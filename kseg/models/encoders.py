"""Encoders: a normalised image → features from fine to coarse, the last of which goes into the bottleneck.

Contract: ``build(x, spec, weights)`` returns ``(skips, x)``; ``skips`` from fine to coarse, ``x`` at ``spec.stride``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import keras

from kseg.errors import ArtifactError, ConfigError
from kseg.models.blocks import BATCH_NORM_MOMENTUM, conv_block
from kseg.models.specs import NetworkSpec

__all__ = ["BUILDERS", "Encoded"]

Encoded = tuple[list[keras.KerasTensor], keras.KerasTensor]


def plain(x: keras.KerasTensor, spec: NetworkSpec, weights: str | None) -> Encoded:
    """Blocks of two 3×3 convolutions and 2×2 max pooling: skips at strides 1, 2, 4, …, one for each width."""
    if weights is not None:
        raise ConfigError(
            "there are no pretrained weights for this encoder", where="model.weights",
            expected="none with encoder plain", found=repr(weights), remedy="choose --encoder mobilenetv2",
        )  # fmt: skip
    skips = []
    for level, width in enumerate(spec.down_widths):
        x = conv_block(x, width, norm=spec.norm, name=f"encoder{level}")
        skips.append(x)
        x = keras.layers.MaxPooling2D(name=f"encoder{level}_pool")(x)
    return skips, x


_MOBILENET_SKIPS: Final = ("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu")


def mobilenetv2(x: keras.KerasTensor, spec: NetworkSpec, weights: str | None) -> Encoded:
    """``keras.applications.MobileNetV2``: skips at strides 2, 4, 8, 16 (96, 144, 192, 576 channels), x at stride 32.

    Args:
        x: The image scaled to -1..1, ``[B, H, W, 3]``.
        spec: The network.
        weights: ``imagenet`` (downloaded and checked by Keras), the path of such a file, or None.
    """
    try:
        backbone = keras.applications.MobileNetV2(
            input_shape=(*spec.size, 3), input_tensor=x, include_top=False, weights=weights
        )
    except (ValueError, OSError, KeyError) as error:
        raise ArtifactError(
            "the encoder's weights cannot be loaded", where="model.weights",
            expected="imagenet, or a MobileNetV2 'no_top' weights file of keras.applications",
            found=f"{weights} ({' '.join(str(error).split())[:200]})",
        ) from error  # fmt: skip
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # Built with 0.999: after a short fine-tuning its statistics would still be ImageNet's.
            layer.momentum = BATCH_NORM_MOMENTUM
    return [backbone.get_layer(name).output for name in _MOBILENET_SKIPS], backbone.get_layer("out_relu").output


BUILDERS: Final[dict[str, Callable[[keras.KerasTensor, NetworkSpec, str | None], Encoded]]] = {
    "plain": plain,
    "mobilenetv2": mobilenetv2,
}
