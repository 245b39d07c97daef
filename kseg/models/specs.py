"""What a network is made of, by name and number; checked without Keras.

::

    image → normalisation → encoder ──────────────┐ features at strides 1, 2, 4, …
                               └→ bottleneck → decoder (joins the features of each stride) → head → sigmoid | softmax
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kseg.errors import ConfigError, UsageError
from kseg.models.tables import (
    ARCHITECTURES,
    DATASET,
    ENCODERS,
    NORMALIZATIONS,
    Activation,
    Block,
    Bottleneck,
    EncoderSpec,
    Head,
    Norm,
    PerChannel,
    Rescaling,
    Upsampling,
)
from kseg.registry import lookup

__all__ = ["NetworkSpec"]

Size = tuple[int, int]

_LEAST_STD: Final = 1.0
"""A channel that hardly varies would be scaled without bounds: a grey level is the least that counts as deviation."""

_BORROWED_DECODER: Final = (256, 128, 64, 32, 16)
_DEEPLAB_WIDTH: Final = 256


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A network's structure.

    Args:
        size: (height, width) of the images the network takes.
        channels: Score channels: 1 for one class against the background, else the number of classes.
        arch: How features become scores, see `ARCHITECTURES`.
        encoder: The encoder, see `ENCODERS`.
        widths: Channels of the encoder blocks, the finest first. Defaults to the encoder's own.
        depth: How many encoder blocks, each twice as wide as the one before, where no widths are given.
        decoder_widths: Channels of the decoder blocks, the coarsest first, one for each step up; with fewer, the scores
            are scaled up from where the steps end, which saves the most costly ones. Of DeepLabV3+ one number.
            Defaults to the mirror of the encoder's widths.
        block: What blocks are made of: two convolutions, the same around a shortcut, or two depthwise-separable ones.
            Defaults to the encoder's.
        norm: Normalisation after each convolution. Defaults to the encoder's.
        bottleneck: What stands between encoder and decoder: nothing, a block, a block and self-attention over all
            positions, or atrous convolutions side by side. Defaults to ``conv`` after encoders of free widths,
            ``aspp`` in DeepLabV3+, else ``none``.
        heads: Heads of the self-attention.
        attention_gates: Skips are weighted by what the decoder knows.
        dropout: Share of channels dropped in the bottleneck while training, 0 ≤ dropout < 1.
        upsampling: Transposed convolution, or interpolation and a convolution.
        head: Whether several classes compete, or each is decided by itself.
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
    block: Block | None = None
    norm: Norm | None = None
    bottleneck: Bottleneck | None = None
    heads: int = 4
    attention_gates: bool = False
    dropout: float = 0.0
    upsampling: Upsampling = "transpose"
    head: Head = "softmax"
    normalization: str | None = None
    pixel_mean: PerChannel | None = None
    pixel_std: PerChannel | None = None

    def __post_init__(self) -> None:
        lookup(ARCHITECTURES, self.arch, kind="architecture", where="model.arch")
        lookup(ENCODERS, self.encoder, kind="encoder", where="model.encoder")
        known = dict.fromkeys((*NORMALIZATIONS, DATASET), True)
        lookup(known, self.scaling, kind="normalization", where="model.normalization")
        self._check_pixels()
        self._check_widths()
        self._check_parts()
        self._check_size()

    def _check_pixels(self) -> None:
        numbers = (self.pixel_mean, self.pixel_std)
        if any((given is not None) != (self.scaling == DATASET) for given in numbers):
            raise ConfigError(
                "the mean and deviation of the pixels belong to one normalization", where="model.normalization",
                expected=f"both with {DATASET}, none with any other", found=self.scaling,
            )  # fmt: skip

    def _check_widths(self) -> None:
        given = self.widths or self.depth
        if self._encoder.fixed and given is not None:
            raise ConfigError(
                "the encoder's widths are fixed", where="model.widths" if self.widths else "model.depth",
                expected=f"none with {self.encoder}", found=str(given), remedy="set model.decoder_widths instead",
            )  # fmt: skip
        if self.widths and self.depth and len(self.widths) != self.depth:
            raise ConfigError(
                "the depth contradicts the widths", where="model.depth",
                expected=f"{len(self.widths)}, as many as model.widths has, or none", found=str(self.depth),
            )  # fmt: skip
        usual = self._usual_up_widths
        if self.decoder_widths is not None and len(self.decoder_widths) not in range(1, len(usual) + 1):
            expected = "one number" if len(usual) == 1 else f"1 to {len(usual)} numbers, one for each step up"
            raise ConfigError(
                "the decoder's widths do not fit the encoder", where="model.decoder_widths",
                expected=expected, found=str(len(self.decoder_widths)),
            )  # fmt: skip

    def _check_parts(self) -> None:
        if self.attention_gates and self.arch == "deeplabv3plus":
            raise ConfigError(
                "there are no skips to gate", where="model.attention_gates", expected="false with deeplabv3plus",
                found="true",
            )  # fmt: skip
        if self.arch == "deeplabv3plus" and self.stride < 8:
            raise ConfigError(
                "the encoder is too shallow", where="model.depth" if self.depth else "model.widths",
                expected="3 levels or more with deeplabv3plus", found=str(len(self.down_widths)),
            )  # fmt: skip
        if self.parts_bottleneck == "attention" and self.coarsest_width % self.heads:
            raise ConfigError(
                "the heads do not share the channels evenly", where="model.heads",
                expected=f"a divisor of {self.coarsest_width}, the bottleneck's channels", found=str(self.heads),
            )  # fmt: skip

    @property
    def _encoder(self) -> EncoderSpec:
        return ENCODERS[self.encoder]

    @property
    def scaling(self) -> str:
        """The name of the normalisation of pixels: the one given, or the encoder's."""
        return self.normalization or self._encoder.normalization

    @property
    def rescaling(self) -> Rescaling:
        """(scale, offset) per channel that the network applies to raw pixels in 0..255."""
        if self.pixel_mean is None or self.pixel_std is None:
            return NORMALIZATIONS[self.scaling]
        scale = tuple(1 / max(std, _LEAST_STD) for std in self.pixel_std)
        return scale, tuple(-mean * factor for mean, factor in zip(self.pixel_mean, scale, strict=True))

    @property
    def parts_norm(self) -> Norm:
        """The normalisation after each convolution: the one given, or the encoder's."""
        return self.norm or self._encoder.norm

    @property
    def parts_block(self) -> Block:
        """What blocks are made of: what is given, or the encoder's."""
        return self.block or self._encoder.block

    @property
    def activation(self) -> Activation:
        """The activation of the blocks."""
        return self._encoder.activation

    @property
    def parts_bottleneck(self) -> Bottleneck:
        """What stands between encoder and decoder."""
        if self.bottleneck is not None:
            return self.bottleneck
        if self.arch == "deeplabv3plus":
            return "aspp"
        return "none" if self._encoder.fixed else "conv"

    @property
    def down_widths(self) -> tuple[int, ...]:
        """Channels of the encoder blocks; of a fixed encoder those of its features, the coarsest left out."""
        if self._encoder.fixed:
            return tuple(self._encoder.pyramid.values())[:-1]
        if self.widths:
            return self.widths
        widths = self._encoder.widths
        return tuple(widths[0] * 2**level for level in range(self.depth)) if self.depth else widths

    @property
    def coarsest_width(self) -> int:
        """Channels in the bottleneck."""
        return max(self._encoder.pyramid.items())[1] if self._encoder.fixed else 2 * self.down_widths[-1]

    @property
    def up_widths(self) -> tuple[int, ...]:
        """Channels of the decoder blocks, the coarsest first."""
        return self.decoder_widths or self._usual_up_widths

    @property
    def _usual_up_widths(self) -> tuple[int, ...]:
        if self.arch == "deeplabv3plus":
            return (_DEEPLAB_WIDTH,)
        return _BORROWED_DECODER if self._encoder.fixed else self.down_widths[::-1]

    @property
    def deep(self) -> bool:
        """Whether the decoder has several levels that scores can be read from."""
        return len(self.up_widths) > 1

    @property
    def stride(self) -> int:
        """How many times smaller the bottleneck is than the image."""
        return max(self._encoder.pyramid) if self._encoder.fixed else int(2 ** len(self.down_widths))

    def _check_size(self) -> None:
        height, width = self.size
        # Ties go up: a little more detail costs less than too little.
        near = tuple(max(self.stride, (side + self.stride // 2) // self.stride * self.stride) for side in self.size)
        if near != (height, width):
            raise UsageError(
                f"the size {height}×{width} does not divide by {self.stride}, as this network's "
                f"{self.stride.bit_length() - 1} poolings need",
                where="train.imgsz", remedy=f"the nearest size that works: --imgsz {near[0]} {near[1]}",
            )  # fmt: skip
