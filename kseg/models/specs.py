"""The structure of a network, by name and number; checked without Keras.

::

    image → normalisation → encoder ──────────────┐ features at strides 1, 2, 4, …
                               └→ bottleneck → decoder (joins the features of each stride) → head → sigmoid | softmax
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, get_args

from kseg.errors import ArtifactError, ConfigError, KsegError, UsageError
from kseg.labels import MAX_CLASSES, Activation
from kseg.models.tables import (
    ARCHITECTURES,
    DATASET,
    ENCODERS,
    NORMALIZATIONS,
    Block,
    BlockActivation,
    Bottleneck,
    EncoderSpec,
    Norm,
    PerChannel,
    Rescaling,
    Upsampling,
)
from kseg.registry import lookup
from kseg.sizes import Size, format_size

__all__ = ["NetworkSpec"]

_LEAST_STD: Final = 1.0
"""The least standard deviation that pixels are divided by, a grey level: a constant channel would divide by 0."""

_PYRAMID_DECODER_WIDTHS: Final = (256, 128, 64, 32, 16)
_DEEPLAB_WIDTH: Final = 256
_LARGEST: Final = 4096
_DEEPEST: Final = 6

_NAMES: Final[dict[str, tuple[str, Iterable[str]]]] = {
    # Field → what it names, and the names that there are
    "arch": ("architecture", ARCHITECTURES),
    "encoder": ("encoder", ENCODERS),
    "block": ("block", get_args(Block)),
    "norm": ("norm", get_args(Norm)),
    "bottleneck": ("bottleneck", get_args(Bottleneck)),
    "upsampling": ("upsampling", get_args(Upsampling)),
    "activation": ("activation", get_args(Activation)),
    "normalization": ("normalization", (*NORMALIZATIONS, DATASET)),
}


def _is_count(value: object, most: int = _LARGEST) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _are_counts(value: object) -> bool:
    return isinstance(value, tuple) and 1 <= len(value) <= _DEEPEST and all(map(_is_count, value))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_per_channel(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 3 and all(_is_number(number) and number >= 0 for number in value)


_VALUES: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    # Field → whether a value fits, and what would
    "size": (
        lambda size: isinstance(size, tuple) and len(size) == 2 and all(map(_is_count, size)),
        f"(height, width), whole numbers from 1 to {_LARGEST}",
    ),
    "channels": (lambda number: _is_count(number, MAX_CLASSES), f"a whole number from 1 to {MAX_CLASSES}"),
    "widths": (_are_counts, f"1 to {_DEEPEST} whole numbers from 1 to {_LARGEST}"),
    "depth": (lambda number: _is_count(number, _DEEPEST), f"a whole number from 1 to {_DEEPEST}"),
    "decoder_widths": (_are_counts, f"1 to {_DEEPEST} whole numbers from 1 to {_LARGEST}"),
    "attention_heads": (_is_count, f"a whole number from 1 to {_LARGEST}"),
    "attention_gates": (lambda value: isinstance(value, bool), "true or false"),
    "dropout": (lambda share: _is_number(share) and 0 <= share < 1, "a number, 0 ≤ dropout < 1"),
    "pixel_mean": (_is_per_channel, "three numbers: red, green, blue"),
    "pixel_std": (_is_per_channel, "three numbers: red, green, blue"),
}


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """The structure of a network.

    Args:
        size: Height and width of the images that the network takes.
        channels: Score channels: 1 for one class against the background, else the number of classes.
        arch: The decoder, see `ARCHITECTURES`. Defaults to ``unet``.
        encoder: The encoder, see `ENCODERS`. Defaults to ``plain``.
        widths: Channels of the encoder's blocks, the finest first. Defaults to the encoder's own.
        depth: Instead of ``widths``, the number of the encoder's blocks, each twice as wide as the one before.
        decoder_widths: Channels of the decoder's blocks, the coarsest first, one for each step up. With fewer, scores
            are interpolated from the size that the last step reaches, which saves the most expensive steps. DeepLabV3+
            takes one number. Defaults to the encoder's widths in reverse.
        block: ``standard`` blocks are two 3×3 convolutions, ``residual`` ones the same around a shortcut, ``separable``
            ones two depthwise-separable convolutions. Defaults to the encoder's kind.
        norm: The normalisation after each convolution. Defaults to the encoder's.
        bottleneck: The layers between encoder and decoder: none, a block, a block and self-attention over all
            positions, or atrous spatial pyramid pooling. Defaults to ``conv`` after encoders of free widths, ``aspp``
            in DeepLabV3+, else ``none``.
        attention_heads: Heads of the self-attention. Defaults to 4.
        attention_gates: Whether skip connections are weighted by attention gates. Defaults to False.
        dropout: Share of the bottleneck's channels dropped in training, 0 ≤ dropout < 1. Defaults to 0.
        upsampling: ``transpose`` for transposed convolutions, or an interpolation behind a 1×1 convolution.
        activation: What turns logits into scores: with ``softmax`` the classes compete, with ``sigmoid`` each is
            decided by itself. One channel is always a sigmoid.
        normalization: How raw pixels are scaled inside the model: one of `NORMALIZATIONS`, or ``dataset``. Defaults to
            the encoder's.
        pixel_mean: With ``dataset``: the mean of red, green and blue in the training images, in 0..255.
        pixel_std: With ``dataset``: their standard deviations.

    Raises:
        UnknownNameError: A name is in no table.
        ConfigError: A field has no valid value, or fields contradict one another.
        UsageError: A side of the image does not divide by `stride`; the message names the nearest size that does.

    Example:

    ::

        NetworkSpec(size=(256, 256), channels=3, encoder="mobilenetv2", decoder_widths=(128, 64, 32, 16, 8))
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
    attention_heads: int = 4
    attention_gates: bool = False
    dropout: float = 0.0
    upsampling: Upsampling = "transpose"
    activation: Activation = "softmax"
    normalization: str | None = None
    pixel_mean: PerChannel | None = None
    pixel_std: PerChannel | None = None

    def __post_init__(self) -> None:
        self._check_names()
        self._check_values()
        self._check_pixels()
        self._check_widths()
        self._check_parts()
        self._check_size()

    def to_json(self) -> dict[str, Any]:
        """The structure as plain JSON types; `from_json` is the way back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, where: str) -> NetworkSpec:
        """Rebuild from `to_json`.

        Args:
            data: Plain JSON types.
            where: The file that they stand in, for the message.

        Raises:
            ArtifactError: They describe no network that this version of kseg can build.
        """
        try:
            return cls(**data)
        except (KsegError, TypeError) as error:
            raise ArtifactError(
                "the structure of the network cannot be read", where=where, found=str(error),
                remedy="use the kseg version that wrote the file",
            ) from error  # fmt: skip

    def _check_names(self) -> None:
        for field, (kind, names) in _NAMES.items():
            name = getattr(self, field)
            if not self._is_default(field):
                lookup(dict.fromkeys(names), str(name), kind=kind, where=f"model.{field}")

    def _check_values(self) -> None:
        for field, (fits, expected) in _VALUES.items():
            value = getattr(self, field)
            if isinstance(value, list):
                value = tuple(value)
                object.__setattr__(self, field, value)
            if not self._is_default(field) and not fits(value):
                raise ConfigError(
                    "not a valid value", where="train.imgsz" if field == "size" else f"model.{field}",
                    expected=expected, found=repr(value),
                )  # fmt: skip

    def _is_default(self, field: str) -> bool:
        return getattr(self, field) is None and getattr(type(self), field, ...) is None

    def _check_pixels(self) -> None:
        numbers = (self.pixel_mean, self.pixel_std)
        if any((values is not None) != (self.scaling == DATASET) for values in numbers):
            raise ConfigError(
                "the mean and deviation of the pixels belong to one normalization", where="model.normalization",
                expected=f"both with {DATASET}, none with any other", found=self.scaling,
            )  # fmt: skip

    def _check_widths(self) -> None:
        chosen = self.widths or self.depth
        if self._encoder.fixed and chosen is not None:
            raise ConfigError(
                "the encoder's widths are fixed", where="model.widths" if self.widths else "model.depth",
                expected=f"none with {self.encoder}", found=str(chosen), remedy="set model.decoder_widths instead",
            )  # fmt: skip
        if self.widths and self.depth and len(self.widths) != self.depth:
            raise ConfigError(
                "the depth contradicts the widths", where="model.depth",
                expected=f"{len(self.widths)}, as many as there are widths, or none", found=str(self.depth),
            )  # fmt: skip
        steps = len(self._default_decoder_widths)
        if self.decoder_widths is not None and len(self.decoder_widths) > steps:
            expected = "one number" if steps == 1 else f"1 to {steps} numbers, one for each step up"
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
                expected="3 levels or more with deeplabv3plus", found=str(len(self.resolved_widths)),
            )  # fmt: skip
        if self.resolved_bottleneck == "attention" and self.coarsest_width % self.attention_heads:
            raise ConfigError(
                "the heads do not share the channels evenly", where="model.attention_heads",
                expected=f"a divisor of {self.coarsest_width}, the bottleneck's channels",
                found=str(self.attention_heads),
            )  # fmt: skip

    @property
    def name(self) -> str:
        """The architecture and the encoder, e.g. ``unet_mobilenetv2``: what the model is called."""
        return f"{self.arch}_{self.encoder}"

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
    def resolved_norm(self) -> Norm:
        """The normalisation after each convolution: the one given, or the encoder's."""
        return self.norm or self._encoder.norm

    @property
    def resolved_block(self) -> Block:
        """The kind of the blocks: the one given, or the encoder's."""
        return self.block or self._encoder.block

    @property
    def block_activation(self) -> BlockActivation:
        """The activation inside the blocks, which the encoder determines."""
        return self._encoder.block_activation

    @property
    def resolved_bottleneck(self) -> Bottleneck:
        """The layers between encoder and decoder: those given, or the architecture's and encoder's."""
        if self.bottleneck is not None:
            return self.bottleneck
        if self.arch == "deeplabv3plus":
            return "aspp"
        return "none" if self._encoder.fixed else "conv"

    @property
    def resolved_widths(self) -> tuple[int, ...]:
        """Channels of the encoder blocks; of a fixed encoder those of its features, the coarsest left out."""
        if self._encoder.fixed:
            return tuple(self._encoder.pyramid.values())[:-1]
        if self.widths:
            return self.widths
        widths = self._encoder.widths
        return tuple(widths[0] * 2**level for level in range(self.depth)) if self.depth else widths

    @property
    def coarsest_width(self) -> int:
        """Channels of the coarsest features, which the bottleneck works on."""
        return max(self._encoder.pyramid.items())[1] if self._encoder.fixed else 2 * self.resolved_widths[-1]

    @property
    def resolved_decoder_widths(self) -> tuple[int, ...]:
        """Channels of the decoder blocks, the coarsest first."""
        return self.decoder_widths or self._default_decoder_widths

    @property
    def _default_decoder_widths(self) -> tuple[int, ...]:
        if self.arch == "deeplabv3plus":
            return (_DEEPLAB_WIDTH,)
        return _PYRAMID_DECODER_WIDTHS if self._encoder.fixed else self.resolved_widths[::-1]

    @property
    def deep(self) -> bool:
        """Whether the decoder has several levels that scores can be read from, for deep supervision."""
        return len(self.resolved_decoder_widths) > 1

    @property
    def stride(self) -> int:
        """How many times smaller the bottleneck is than the image."""
        return max(self._encoder.pyramid) if self._encoder.fixed else int(2 ** len(self.resolved_widths))

    def _check_size(self) -> None:
        # Ties go up: a little more detail costs less than too little.
        near = tuple(max(self.stride, (side + self.stride // 2) // self.stride * self.stride) for side in self.size)
        if near != self.size:
            raise UsageError(
                f"the size {format_size(self.size)} does not divide by {self.stride}, as this network's "
                f"{self.stride.bit_length() - 1} poolings need",
                where="train.imgsz", remedy=f"the nearest size that works: --imgsz {near[0]} {near[1]}",
            )  # fmt: skip
