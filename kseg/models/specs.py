"""What a network is made of, by name and number; checked without Keras.

::

    image → normalisation → encoder ──────────────┐ features at strides 1, 2, 4, …
                               └→ bottleneck → decoder (concatenates the skips) → 1×1 head → sigmoid | softmax
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from kseg.errors import ConfigError, UsageError
from kseg.registry import lookup

__all__ = [
    "ARCHITECTURES", "ENCODERS", "NORMALIZATIONS", "EncoderSpec", "NetworkSpec", "Norm", "Upsampling",
]  # fmt: skip

Norm = Literal["none", "batch", "group", "layer"]
Upsampling = Literal["transpose", "bilinear", "nearest"]
Size = tuple[int, int]
PerChannel = tuple[float, float, float]
Rescaling = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class EncoderSpec:
    """An encoder's table entry.

    Args:
        widths: Channels of the encoder blocks where the user gives none.
        fixed: The blocks cannot be given other widths.
        pretrained: There are ImageNet weights for it.
        normalization: The scaling of raw pixels that it takes by default, and that its weights were trained with.
    """

    widths: tuple[int, ...]
    fixed: bool = False
    pretrained: bool = False
    normalization: str = "symmetric"


ENCODERS: Final[dict[str, EncoderSpec]] = {
    # Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597, with padded convolutions
    "plain": EncoderSpec(widths=(64, 128, 256, 512)),
    # Sandler et al. 2018, https://arxiv.org/abs/1801.04381
    "mobilenetv2": EncoderSpec(widths=(96, 144, 192, 576), fixed=True, pretrained=True),
}

ARCHITECTURES: Final[tuple[str, ...]] = ("unet",)

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

_LEAST_STD: Final = 1.0
"""A channel that hardly varies would be scaled without bounds: a grey level is the least that counts as deviation."""


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A network's structure.

    Args:
        size: (height, width) of the images the network takes.
        channels: Score channels: 1 for sigmoid, the number of classes for softmax.
        arch: The family, see `ARCHITECTURES`.
        encoder: The encoder, see `ENCODERS`.
        widths: Channels of the encoder blocks, the finest first. Defaults to the encoder's own.
        depth: How many encoder blocks, each twice as wide as the one before, where no widths are given.
        decoder_widths: Channels of the decoder blocks, the coarsest first, one for each step up. Defaults to the
            mirror of the encoder's widths.
        norm: Normalisation after each convolution.
        dropout: Share of channels dropped in the bottleneck while training, 0 ≤ dropout < 1.
        upsampling: Transposed convolution, or interpolation and a convolution.
        normalization: How raw pixels are scaled inside the model, see `NORMALIZATIONS`, or ``dataset``. Defaults to the
            encoder's own.
        pixel_mean: With ``dataset``: the mean of the training images' red, green and blue, in 0..255.
        pixel_std: With ``dataset``: their standard deviations.

    Raises:
        UnknownNameError: A name is in no table.
        ConfigError: The widths do not fit the encoder, or the pixels' mean and deviation the normalisation.
        UsageError: A side of the size is no multiple of `stride`; the message names the nearest size that is.
    """

    size: Size
    channels: int
    arch: str = "unet"
    encoder: str = "plain"
    widths: tuple[int, ...] | None = None
    depth: int | None = None
    decoder_widths: tuple[int, ...] | None = None
    norm: Norm = "none"
    dropout: float = 0.0
    upsampling: Upsampling = "transpose"
    normalization: str | None = None
    pixel_mean: PerChannel | None = None
    pixel_std: PerChannel | None = None

    def __post_init__(self) -> None:
        lookup(dict.fromkeys(ARCHITECTURES, True), self.arch, kind="architecture", where="model.arch")
        encoder = lookup(ENCODERS, self.encoder, kind="encoder", where="model.encoder")
        known = dict.fromkeys((*NORMALIZATIONS, DATASET), True)
        lookup(known, self.scaling, kind="normalization", where="model.normalization")
        self._check_pixels()
        self._check_widths(encoder)
        self._check_size()

    def _check_pixels(self) -> None:
        numbers = (self.pixel_mean, self.pixel_std)
        if any((given is not None) != (self.scaling == DATASET) for given in numbers):
            raise ConfigError(
                "the mean and deviation of the pixels belong to one normalization", where="model.normalization",
                expected=f"both with {DATASET}, none with any other", found=self.scaling,
            )  # fmt: skip

    @property
    def scaling(self) -> str:
        """The name of the normalisation: the one given, or the encoder's."""
        return self.normalization or ENCODERS[self.encoder].normalization

    @property
    def rescaling(self) -> Rescaling:
        """(scale, offset) per channel that the network applies to raw pixels in 0..255."""
        if self.pixel_mean is None or self.pixel_std is None:
            return NORMALIZATIONS[self.scaling]
        scale = tuple(1 / max(std, _LEAST_STD) for std in self.pixel_std)
        return scale, tuple(-mean * factor for mean, factor in zip(self.pixel_mean, scale, strict=True))

    def _check_widths(self, encoder: EncoderSpec) -> None:
        given = self.widths or self.depth
        if encoder.fixed and given is not None:
            raise ConfigError(
                "the encoder's widths are fixed", where="model.widths" if self.widths else "model.depth",
                expected=f"none with {self.encoder}", found=str(given), remedy="set model.decoder_widths instead",
            )  # fmt: skip
        if self.widths and self.depth and len(self.widths) != self.depth:
            raise ConfigError(
                "the depth contradicts the widths", where="model.depth",
                expected=f"{len(self.widths)}, as many as model.widths has, or none", found=str(self.depth),
            )  # fmt: skip
        steps = len(self.up_widths)
        if self.decoder_widths is not None and len(self.decoder_widths) != steps:
            raise ConfigError(
                "the decoder's widths do not fit the encoder", where="model.decoder_widths",
                expected=f"{steps} numbers, one for each step up", found=str(len(self.decoder_widths)),
            )  # fmt: skip

    @property
    def down_widths(self) -> tuple[int, ...]:
        """Channels of the encoder blocks."""
        if self.widths:
            return self.widths
        widths = ENCODERS[self.encoder].widths
        return tuple(widths[0] * 2**level for level in range(self.depth)) if self.depth else widths

    @property
    def up_widths(self) -> tuple[int, ...]:
        """Channels of the decoder blocks, the coarsest first."""
        if ENCODERS[self.encoder].fixed:
            # One more step than there are skips: the finest features have stride 2.
            return (256, 128, 64, 32, 16)
        return self.down_widths[::-1]

    @property
    def stride(self) -> int:
        """How many times smaller the bottleneck is than the image."""
        return int(2 ** len(self.up_widths))

    def _check_size(self) -> None:
        height, width = self.size
        # Ties go up: a little more detail costs less than too little.
        near = tuple(max(self.stride, (side + self.stride // 2) // self.stride * self.stride) for side in self.size)
        if near != (height, width):
            raise UsageError(
                f"the size {height}×{width} does not divide by {self.stride}, as this network's "
                f"{len(self.up_widths)} poolings need",
                where="train.imgsz", remedy=f"the nearest size that works: --imgsz {near[0]} {near[1]}",
            )  # fmt: skip
