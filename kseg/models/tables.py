"""The encoders and normalisations by name; plain data, read without Keras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = [
    "ARCHITECTURES", "DATASET", "ENCODERS", "NORMALIZATIONS", "Activation", "Block", "Bottleneck", "EncoderSpec",
    "Head", "Norm", "PerChannel", "Rescaling", "Upsampling",
]  # fmt: skip

Norm = Literal["none", "batch", "group", "layer"]
Upsampling = Literal["transpose", "bilinear", "nearest"]
Block = Literal["standard", "residual", "separable"]
Bottleneck = Literal["none", "conv", "attention", "aspp"]
Activation = Literal["relu", "silu"]
Head = Literal["softmax", "sigmoid"]
PerChannel = tuple[float, float, float]
Rescaling = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """An encoder's table entry.

    Args:
        paper: Where it is described.
        widths: Channels of the encoder blocks where the user gives none; empty where the blocks cannot be given other
            widths.
        pyramid: Of such an encoder: stride → channels of its features, the last of which goes into the bottleneck.
        pretrained: The name ``imagenet`` stands for weights.
        normalization: The scaling of raw pixels that it takes by default, and that its weights were trained with.
        norm: The normalisation of the blocks around it where the user says nothing.
        block: Their kind.
        activation: Their activation.
        extra: The extra of kseg that brings its graph.
    """

    paper: str
    widths: tuple[int, ...] = ()
    pyramid: Mapping[int, int] = field(default_factory=dict)
    pretrained: bool = False
    normalization: str = "symmetric"
    norm: Norm = "batch"
    block: Block = "standard"
    activation: Activation = "relu"
    extra: str | None = None

    @property
    def fixed(self) -> bool:
        """Whether its widths are what they are."""
        return bool(self.pyramid)


def _borrowed(paper: str, channels: tuple[int, ...], **settings: object) -> EncoderSpec:
    """An encoder that ends at stride 32."""
    strides = [32 >> step for step in range(len(channels))][::-1]
    return EncoderSpec(paper=paper, pyramid=dict(zip(strides, channels, strict=True)), pretrained=True, **settings)  # type: ignore[arg-type]


_HUB: Final = {"normalization": "imagenet", "extra": "hub"}
_RESNET: Final = "https://arxiv.org/abs/1512.03385"
_VGG: Final = "https://arxiv.org/abs/1801.05746"
_MOBILENETV3: Final = "https://arxiv.org/abs/1905.02244"
_EFFICIENTNET: Final = "https://arxiv.org/abs/1905.11946"

ENCODERS: Final[dict[str, EncoderSpec]] = {
    # The U-Net's own, with padded convolutions; then with two convolutions around a shortcut.
    "plain": EncoderSpec(paper="https://arxiv.org/abs/1505.04597", widths=(64, 128, 256, 512), norm="none"),
    "residual": EncoderSpec(
        paper="https://arxiv.org/abs/1711.10684", widths=(64, 128, 256, 512), block="residual", activation="silu"
    ),
    "resnet18": _borrowed(_RESNET, (64, 64, 128, 256, 512), **_HUB),
    "resnet34": _borrowed(_RESNET, (64, 64, 128, 256, 512), **_HUB),
    "resnet50": _borrowed(_RESNET, (64, 256, 512, 1024, 2048), **_HUB),
    # As TernausNet-11 and -16 have them.
    "vgg11": _borrowed(_VGG, (64, 128, 256, 512, 512, 512), norm="none", **_HUB),
    "vgg16": _borrowed(_VGG, (64, 128, 256, 512, 512, 512), norm="none", **_HUB),
    "mobilenetv2": _borrowed("https://arxiv.org/abs/1801.04381", (96, 144, 192, 576, 1280)),
    "mobilenetv3_small": _borrowed(_MOBILENETV3, (16, 72, 96, 288, 576)),
    "mobilenetv3_large": _borrowed(_MOBILENETV3, (64, 72, 240, 672, 960)),
    "efficientnet_lite0": _borrowed(_EFFICIENTNET, (16, 24, 40, 112, 1280), **_HUB),
    "efficientnet_b0": _borrowed(_EFFICIENTNET, (16, 24, 40, 112, 1280), **_HUB),
    # It has nothing at stride 2.
    "mit_b0": EncoderSpec(
        paper="https://arxiv.org/abs/2105.15203", pyramid={4: 32, 8: 64, 16: 160, 32: 256}, normalization="imagenet"
    ),
}

ARCHITECTURES: Final[dict[str, str]] = {
    "unet": "https://arxiv.org/abs/1505.04597",
    "unetplusplus": "https://arxiv.org/abs/1807.10165",
    "deeplabv3plus": "https://arxiv.org/abs/1802.02611",
}

# (scale, offset) per channel, applied to raw values in 0..255
_IMAGENET_MEAN: Final = (123.675, 116.28, 103.53)
_IMAGENET_STD: Final = (58.395, 57.12, 57.375)
NORMALIZATIONS: Final[dict[str, Rescaling]] = {
    "unit": ((1 / 255,) * 3, (0.0,) * 3),
    "symmetric": ((1 / 127.5,) * 3, (-1.0,) * 3),
    "imagenet": (
        tuple(1 / std for std in _IMAGENET_STD),
        tuple(-mean / std for mean, std in zip(_IMAGENET_MEAN, _IMAGENET_STD, strict=True)),
    ),
}
DATASET: Final = "dataset"
"""The normalisation by the mean and deviation of the training images, which a `NetworkSpec` carries itself."""
