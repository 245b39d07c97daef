"""The table of transforms, and for each its arguments: type, default, bounds and meaning.

It validates the configuration, the JSON schema and docs/configuration.md are generated from it, and
`kseg.data.pipeline.transforms` turns each transform into TensorFlow operations.
"""

# ruff: noqa: RUF009 - the calls in class bodies return dataclass fields

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, cast

from kseg.errors import ConfigError

__all__ = [
    "GEOMETRIC", "LINEAR", "TRANSFORMS", "Argument", "Augment", "Blur", "Brightness", "Contrast", "Cutout", "Gamma",
    "Hflip", "Hue", "Jpeg", "Mosaic", "Noise", "RandomResizedCrop", "Rot90", "Rotate", "Saturation", "Scale", "Shift",
    "Transform", "Vflip", "arguments",
]  # fmt: skip

Pair = tuple[float, float]


@dataclass(frozen=True)
class Argument:
    """Type, bounds and meaning of an argument of a transform.

    Args:
        kind: A number, a whole number, or a pair [min, max] of either.
        low: Smallest valid value.
        high: Largest valid value.
        text: Its meaning, for the documentation.
    """

    kind: Literal["number", "whole", "pair", "whole pair"]
    low: float
    high: float
    text: str

    @property
    def is_pair(self) -> bool:
        """Whether the value is a pair [min, max]."""
        return "pair" in self.kind

    @property
    def expected(self) -> str:
        """Description of valid values, for messages."""
        unit = "a whole number" if "whole" in self.kind else "a number"
        number = f"{unit} from {self.low:g} to {self.high:g}"
        return f"[min, max], each {number}" if self.is_pair else number

    def fits(self, value: object) -> bool:
        """Whether ``value`` has the right type and lies within the bounds; of a pair also whether min <= max."""
        if not self.is_pair:
            return self._fits(value)
        pair = isinstance(value, (list, tuple)) and len(value) == 2 and all(self._fits(bound) for bound in value)
        return pair and cast(Pair, value)[0] <= cast(Pair, value)[1]

    def _fits(self, value: object) -> bool:
        kinds = int if "whole" in self.kind else (int, float)
        number = isinstance(value, kinds) and not isinstance(value, bool)
        return number and math.isfinite(cast(float, value)) and self.low <= cast(float, value) <= self.high


def _argument(default: Any, kind: Any, low: float, high: float, text: str) -> Any:
    return field(default=default, metadata={"argument": Argument(kind, low, high, text)})


def _probability(default: float) -> Any:
    return _argument(default, "number", 0, 1, "Probability that it is applied to a sample.")


def arguments(kind: type[Transform]) -> dict[str, tuple[Argument, Any]]:
    """Name → (argument, default) of a class of transforms; the main argument comes first."""
    return {key.name: (key.metadata["argument"], key.default) for key in fields(kind)}


@dataclass(frozen=True)
class Transform:
    """Base class of the transforms, which augment a sample.

    Raises:
        ConfigError: An argument is out of its range.
    """

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for key, (argument, _) in arguments(type(self)).items():
            value = getattr(self, key)
            if not argument.fits(value):
                raise ConfigError(
                    "wrong value", where=f"augment.{self.name}.{key}", expected=argument.expected, found=repr(value)
                )
            if argument.is_pair:
                object.__setattr__(self, key, tuple(value))

    @property
    def probability(self) -> float:
        """The probability ``p`` with which it is applied to a sample."""
        return float(cast(Any, self).p)


@dataclass(frozen=True)
class Hflip(Transform):
    """Mirrors left and right."""

    name = "hflip"
    p: float = _probability(0.5)


@dataclass(frozen=True)
class Vflip(Transform):
    """Mirrors top and bottom."""

    name = "vflip"
    p: float = _probability(0.5)


@dataclass(frozen=True)
class Rot90(Transform):
    """Rotates by 90, 180 or 270 degrees; by 180 only, where the size is not square."""

    name = "rot90"
    p: float = _probability(0.75)


@dataclass(frozen=True)
class Rotate(Transform):
    """Rotates about the centre."""

    name = "rotate"
    degrees: float = _argument(15.0, "number", 0, 180, "Largest rotation in either direction, in degrees.")
    p: float = _probability(1.0)


@dataclass(frozen=True)
class Scale(Transform):
    """Zooms in or out about a random point."""

    name = "scale"
    by: Pair = _argument(
        (0.8, 1.25), "pair", 0.1, 10, "Smallest and largest zoom factor; 2 shows objects twice as large."
    )
    p: float = _probability(1.0)


@dataclass(frozen=True)
class Shift(Transform):
    """Moves the image horizontally and vertically."""

    name = "shift"
    by: float = _argument(0.1, "number", 0, 1, "Largest shift in either direction, as a fraction of height and width.")
    p: float = _probability(1.0)


@dataclass(frozen=True)
class RandomResizedCrop(Transform):
    """Crops a random part and resizes it to the full size."""

    name = "random_resized_crop"
    area: Pair = _argument(
        (0.25, 1.0), "pair", 0.01, 1, "Smallest and largest area of the crop, as a fraction of the image's."
    )
    ratio: Pair = _argument(
        (0.75, 1.3333), "pair", 0.1, 10,
        "Smallest and largest aspect ratio of the crop, width over height, relative to that of the image.",
    )  # fmt: skip
    foreground: float = _argument(
        0.0, "number", 0, 1,
        "Probability that the crop is placed to contain an object: a random pixel of a random class of the image other "
        "than the background.",
    )  # fmt: skip
    p: float = _probability(1.0)


@dataclass(frozen=True)
class Brightness(Transform):
    """Makes the image lighter or darker."""

    name = "brightness"
    by: float = _argument(0.2, "number", 0, 1, "Largest change in either direction, as a fraction of white.")
    p: float = _probability(1.0)


@dataclass(frozen=True)
class Contrast(Transform):
    """Raises or lowers the contrast about the image's mean grey."""

    name = "contrast"
    by: float = _argument(
        0.2, "number", 0, 1, "The distance from the mean is multiplied by a factor from 1 - by to 1 + by."
    )
    p: float = _probability(1.0)


@dataclass(frozen=True)
class Gamma(Transform):
    """Makes mid-tones lighter or darker; black and white stay."""

    name = "gamma"
    by: Pair = _argument((0.7, 1.4), "pair", 0.1, 10, "Smallest and largest exponent; below 1 is lighter.")
    p: float = _probability(0.5)


@dataclass(frozen=True)
class Hue(Transform):
    """Rotates the hues; luma stays."""

    name = "hue"
    degrees: float = _argument(10.0, "number", 0, 180, "Largest rotation of the hue in either direction, in degrees.")
    p: float = _probability(1.0)


@dataclass(frozen=True)
class Saturation(Transform):
    """Makes colours stronger or weaker."""

    name = "saturation"
    by: float = _argument(
        0.3, "number", 0, 1, "The distance from grey is multiplied by a factor from 1 - by to 1 + by."
    )
    p: float = _probability(1.0)


@dataclass(frozen=True)
class Blur(Transform):
    """Blurs with a Gaussian."""

    name = "blur"
    sigma: Pair = _argument((0.3, 1.5), "pair", 0.1, 10, "Smallest and largest standard deviation, in pixels.")
    p: float = _probability(0.2)


@dataclass(frozen=True)
class Noise(Transform):
    """Adds Gaussian noise, independent in each pixel and channel."""

    name = "noise"
    by: Pair = _argument((0.01, 0.06), "pair", 0, 1, "Smallest and largest standard deviation, as a fraction of white.")
    p: float = _probability(0.2)


@dataclass(frozen=True)
class Jpeg(Transform):
    """Compresses the image as JPEG, which adds its artefacts."""

    name = "jpeg"
    quality: tuple[int, int] = _argument((30, 90), "whole pair", 1, 100, "Smallest and largest JPEG quality.")
    p: float = _probability(0.2)


@dataclass(frozen=True)
class Cutout(Transform):
    """Fills random rectangles with black; the mask is ignored there."""

    name = "cutout"
    size: Pair = _argument(
        (0.1, 0.3), "pair", 0.01, 1, "Smallest and largest side of a rectangle, as a fraction of the image's."
    )
    count: int = _argument(2, "whole", 1, 16, "Number of rectangles.")
    p: float = _probability(0.3)


@dataclass(frozen=True)
class Mosaic(Transform):
    """Combines parts of four samples around a random point. Must come first in the list."""

    name = "mosaic"
    p: float = _probability(0.3)


# Append new transforms at the end: the position in this table selects a transform's random numbers.
TRANSFORMS: Final[dict[str, type[Transform]]] = {
    kind.name: kind
    for kind in (
        Hflip, Vflip, Rot90, Rotate, Scale, Shift, RandomResizedCrop, Brightness, Contrast, Gamma, Hue, Saturation,
        Blur, Noise, Jpeg, Cutout, Mosaic,
    )
}  # fmt: skip
"""All transforms by name."""

GEOMETRIC: Final = (Hflip, Vflip, Rot90, Rotate, Scale, Shift, RandomResizedCrop)
"""Transforms that are an affine map of the coordinates; consecutive ones are combined into one."""
LINEAR: Final = (Brightness, Contrast, Hue, Saturation)
"""Transforms that are an affine map of the colours; consecutive ones are combined into one."""


@dataclass(frozen=True)
class Augment:
    """The augmentation of training samples; by default none.

    Args:
        transforms: The transforms, in the order in which they are applied.
        albumentations: File of a pipeline that ``albumentations.save`` wrote, used instead of ``transforms``.

    Raises:
        ConfigError: ``mosaic`` is not the first transform.
    """

    transforms: tuple[Transform, ...] = ()
    albumentations: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "transforms", tuple(self.transforms))
        late = [i for i, transform in enumerate(self.transforms) if i and isinstance(transform, Mosaic)]
        if late:
            raise ConfigError(
                "mosaic is not the first transform", where=f"augment.{late[0]}",
                expected="mosaic before all others, since it combines unchanged samples",
                found=f"it comes after {self.transforms[late[0] - 1].name}",
            )  # fmt: skip
