"""Encoders, architectures and normalisations by name: plain data, read without Keras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = [
    "ARCHITECTURES", "DATASET", "ENCODERS", "NORMALIZATIONS", "Block", "BlockActivation", "Bottleneck", "EncoderSpec",
    "Norm", "PerChannel", "Rescaling", "Upsampling",
]  # fmt: skip

Norm = Literal["none", "batch", "group", "layer"]
Upsampling = Literal["transpose", "bilinear", "nearest"]
Block = Literal["standard", "residual", "separable"]
Bottleneck = Literal["none", "conv", "attention", "aspp"]
BlockActivation = Literal["relu", "silu"]
PerChannel = tuple[float, float, float]
Rescaling = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """An entry of `ENCODERS`.

    Args:
        paper: The paper's address.
        widths: Default channels of the encoder's blocks; empty for an encoder whose widths are fixed.
        pyramid: Of an encoder of fixed widths: stride → channels of its features. The last go into the bottleneck.
        parameters: Of an encoder of fixed widths: the number of its weights, moving statistics included.
        imagenet: The source of the weights that the name ``imagenet`` stands for: ``keras.applications``, or a preset
            or handle of KerasHub. None where there are no such weights.
        presets: The presets of KerasHub with this structure.
        torch: Whether files of torchvision's or timm's network can be read.
        normalization: The default scaling of raw pixels, with which the weights were trained.
        norm: The default normalisation of the network's other blocks.
        block: The default kind of the network's blocks.
        block_activation: The activation of the network's blocks.
        extra: The extra of kseg that brings the encoder's graph; None where none is needed.
    """

    paper: str
    widths: tuple[int, ...] = ()
    pyramid: Mapping[int, int] = field(default_factory=dict)
    parameters: int = 0
    imagenet: str | None = None
    presets: tuple[str, ...] = ()
    torch: bool = False
    normalization: str = "symmetric"
    norm: Norm = "batch"
    block: Block = "standard"
    block_activation: BlockActivation = "relu"
    extra: str | None = None

    @property
    def fixed(self) -> bool:
        """Whether the user cannot choose its widths."""
        return bool(self.pyramid)

    @property
    def pretrained(self) -> bool:
        """Whether there are pretrained weights for it, from a library or in files."""
        return self.imagenet is not None or bool(self.presets) or self.torch

    @property
    def takes_handles(self) -> bool:
        """Whether KerasHub can load weights for it by a handle."""
        return bool(self.presets) or "://" in (self.imagenet or "")


def _pyramid(paper: str, channels: tuple[int, ...], **settings: object) -> EncoderSpec:
    """An encoder of fixed widths.

    Args:
        paper: The paper's address.
        channels: Of its features, from the finest to those at stride 32.
        **settings: Further fields of `EncoderSpec`.
    """
    strides = [32 >> step for step in range(len(channels))][::-1]
    return EncoderSpec(paper=paper, pyramid=dict(zip(strides, channels, strict=True)), **settings)  # type: ignore[arg-type]


def _hub(paper: str, channels: tuple[int, ...], presets: tuple[str, ...], **settings: object) -> EncoderSpec:
    """An encoder of KerasHub; its first preset has the ImageNet weights, unless ``imagenet`` names others."""
    usual = {"torch": True, "normalization": "imagenet", "extra": "hub", "imagenet": presets[0] if presets else None}
    return _pyramid(paper, channels, presets=presets, **{**usual, **settings})


_KERAS: Final = {"imagenet": "keras.applications"}
_RESNET: Final = "https://arxiv.org/abs/1512.03385"
_VGG: Final = "https://arxiv.org/abs/1801.05746"
_MOBILENETV3: Final = "https://arxiv.org/abs/1905.02244"
_EFFICIENTNET: Final = "https://arxiv.org/abs/1905.11946"

ENCODERS: Final[dict[str, EncoderSpec]] = {
    # Of the original U-Net, with padded convolutions; and of ResUNet, with two convolutions around a shortcut
    "plain": EncoderSpec(paper="https://arxiv.org/abs/1505.04597", widths=(64, 128, 256, 512), norm="none"),
    "residual": EncoderSpec(
        paper="https://arxiv.org/abs/1711.10684", widths=(64, 128, 256, 512), block="residual", block_activation="silu"
    ),
    "resnet18": _hub(_RESNET, (64, 64, 128, 256, 512), ("resnet_18_imagenet",), parameters=11_186_112),
    "resnet34": _hub(
        _RESNET, (64, 64, 128, 256, 512), (), parameters=21_301_696,
        imagenet="hf://timm/resnet34.a1_in1k",
    ),
    "resnet50": _hub(_RESNET, (64, 256, 512, 1024, 2048), ("resnet_50_imagenet",), parameters=23_561_152),
    # Of TernausNet-11 and -16
    "vgg11": _hub(
        _VGG, (64, 128, 256, 512, 512, 512), ("vgg_11_imagenet",), parameters=9_220_480, norm="none"
    ),
    "vgg16": _hub(
        _VGG, (64, 128, 256, 512, 512, 512), ("vgg_16_imagenet",), parameters=14_714_688, norm="none"
    ),
    "mobilenetv2": _pyramid(
        "https://arxiv.org/abs/1801.04381", (96, 144, 192, 576, 1280), parameters=2_257_984, **_KERAS
    ),
    "mobilenetv3_small": _pyramid(_MOBILENETV3, (16, 72, 96, 288, 576), parameters=939_120, **_KERAS),
    "mobilenetv3_large": _pyramid(_MOBILENETV3, (64, 72, 240, 672, 960), parameters=2_996_352, **_KERAS),
    "efficientnet_lite0": _hub(
        _EFFICIENTNET, (16, 24, 40, 112, 1280), ("efficientnet_lite0_ra_imagenet",), parameters=3_413_024
    ),
    "efficientnet_b0": _hub(
        _EFFICIENTNET, (16, 24, 40, 112, 1280), ("efficientnet_b0_ra_imagenet",), parameters=4_049_564
    ),
    # As TensorFlow trained them: with other paddings and epsilons than timm
    "tf_efficientnet_lite0": _hub(
        _EFFICIENTNET, (16, 24, 40, 112, 1280), (), parameters=3_413_024, normalization="symmetric"
    ),
    "tf_efficientnet_lite2": _hub(
        _EFFICIENTNET, (16, 24, 48, 120, 1280), (), parameters=4_869_168, normalization="symmetric"
    ),
    "tf_efficientnet_b0": _hub(_EFFICIENTNET, (16, 24, 40, 112, 1280), (), parameters=4_049_564),
    # Without features at stride 2
    "mit_b0": EncoderSpec(
        paper="https://arxiv.org/abs/2105.15203", pyramid={4: 32, 8: 64, 16: 160, 32: 256}, normalization="imagenet",
        presets=("mit_b0_ade20k_512", "mit_b0_cityscapes_1024"), parameters=3_319_392,
    ),
}  # fmt: skip

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
