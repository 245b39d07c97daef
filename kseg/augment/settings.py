"""Every transform with its arguments: type, default, bounds and meaning. The one table of them.

The configuration is checked against it, the JSON schema and docs/configuration.md are written from it, and
`kseg.data.pipeline.transforms` turns each into TensorFlow operations.
"""

# ruff: noqa: RUF009 - the calls make dataclass fields

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
    """What one argument of a transform may be.

    Args:
        kind: A number, a whole number, or a pair of either: least and greatest.
        low: The least value.
        high: The greatest.
        text: What it means.
    """

    kind: Literal["number", "whole", "pair", "whole pair"]
    low: float
    high: float
    text: str

    @property
    def is_pair(self) -> bool:
        """Whether it takes two values."""
        return "pair" in self.kind

    @property
    def expected(self) -> str:
        """What a value should be, for messages."""
        unit = "a whole number" if "whole" in self.kind else "a number"
        one = f"{unit} from {self.low:g} to {self.high:g}"
        return f"[least, greatest], each {one}" if self.is_pair else one

    def fits(self, value: object) -> bool:
        """Whether it may be ``value``."""
        if not self.is_pair:
            return self._fits(value)
        pair = isinstance(value, (list, tuple)) and len(value) == 2 and all(self._fits(one) for one in value)
        return pair and cast(Pair, value)[0] <= cast(Pair, value)[1]

    def _fits(self, value: object) -> bool:
        kinds = int if "whole" in self.kind else (int, float)
        number = isinstance(value, kinds) and not isinstance(value, bool)
        return number and math.isfinite(cast(float, value)) and self.low <= cast(float, value) <= self.high


def _of(default: Any, kind: Any, low: float, high: float, text: str) -> Any:
    return field(default=default, metadata={"argument": Argument(kind, low, high, text)})


def _chance(default: float) -> Any:
    return _of(default, "number", 0, 1, "The probability, sample by sample.")


def arguments(kind: type[Transform]) -> dict[str, tuple[Argument, Any]]:
    """The arguments of a transform with their defaults, the main one first."""
    return {one.name: (one.metadata["argument"], one.default) for one in fields(kind)}


@dataclass(frozen=True)
class Transform:
    """One way to vary a sample.

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
    def chance(self) -> float:
        """Its probability."""
        return float(cast(Any, self).p)


@dataclass(frozen=True)
class Hflip(Transform):
    """The mirror image, left and right."""

    name = "hflip"
    p: float = _chance(0.5)


@dataclass(frozen=True)
class Vflip(Transform):
    """Upside down, top and bottom."""

    name = "vflip"
    p: float = _chance(0.5)


@dataclass(frozen=True)
class Rot90(Transform):
    """A turn by 90, 180 or 270 degrees; for square sizes."""

    name = "rot90"
    p: float = _chance(0.75)


@dataclass(frozen=True)
class Rotate(Transform):
    """A turn about the centre."""

    name = "rotate"
    degrees: float = _of(15.0, "number", 0, 180, "The largest turn either way, in degrees.")
    p: float = _chance(1.0)


@dataclass(frozen=True)
class Scale(Transform):
    """Larger or smaller, about a random point."""

    name = "scale"
    by: Pair = _of((0.8, 1.25), "pair", 0.1, 10, "The least and the greatest zoom; 2 shows all twice as large.")
    p: float = _chance(1.0)


@dataclass(frozen=True)
class Shift(Transform):
    """Moved across and down."""

    name = "shift"
    by: float = _of(0.1, "number", 0, 1, "The farthest either way, as a share of height and of width.")
    p: float = _chance(1.0)


@dataclass(frozen=True)
class RandomResizedCrop(Transform):
    """A random part, resized to the whole."""

    name = "random_resized_crop"
    area: Pair = _of((0.25, 1.0), "pair", 0.01, 1, "The least and the greatest share of the picture's area.")
    ratio: Pair = _of((0.75, 1.3333), "pair", 0.1, 10, "How much wider than high it is cut, the whole being 1.")
    foreground: float = _of(
        0.0, "number", 0, 1,
        "The probability that it shows an object: somewhere in it is a random pixel of a random class of the picture, "
        "the background left out.",
    )  # fmt: skip
    p: float = _chance(1.0)


@dataclass(frozen=True)
class Brightness(Transform):
    """Lighter or darker."""

    name = "brightness"
    by: float = _of(0.2, "number", 0, 1, "At most this share of white is added or taken away.")
    p: float = _chance(1.0)


@dataclass(frozen=True)
class Contrast(Transform):
    """More or less contrast, about the picture's mean grey."""

    name = "contrast"
    by: float = _of(0.2, "number", 0, 1, "The distance from the mean is multiplied by 1 ± at most this.")
    p: float = _chance(1.0)


@dataclass(frozen=True)
class Gamma(Transform):
    """Lighter or darker in the middle tones, black and white staying."""

    name = "gamma"
    by: Pair = _of((0.7, 1.4), "pair", 0.1, 10, "The least and the greatest exponent; below 1 is lighter.")
    p: float = _chance(0.5)


@dataclass(frozen=True)
class Hue(Transform):
    """Other hues, of the same brightness."""

    name = "hue"
    degrees: float = _of(10.0, "number", 0, 180, "The largest turn of the colour circle either way.")
    p: float = _chance(1.0)


@dataclass(frozen=True)
class Saturation(Transform):
    """More or less colour."""

    name = "saturation"
    by: float = _of(0.3, "number", 0, 1, "The distance from grey is multiplied by 1 ± at most this.")
    p: float = _chance(1.0)


@dataclass(frozen=True)
class Blur(Transform):
    """Out of focus: a Gaussian."""

    name = "blur"
    sigma: Pair = _of((0.3, 1.5), "pair", 0.1, 10, "The least and the greatest deviation in pixels.")
    p: float = _chance(0.2)


@dataclass(frozen=True)
class Noise(Transform):
    """The grain of a dark picture: Gaussian, pixel by pixel and channel by channel."""

    name = "noise"
    by: Pair = _of((0.01, 0.06), "pair", 0, 1, "The least and the greatest deviation, as a share of white.")
    p: float = _chance(0.2)


@dataclass(frozen=True)
class Jpeg(Transform):
    """The artefacts of a JPEG file."""

    name = "jpeg"
    quality: tuple[int, int] = _of((30, 90), "whole pair", 1, 100, "The least and the greatest quality.")
    p: float = _chance(0.2)


@dataclass(frozen=True)
class Cutout(Transform):
    """Black rectangles; the mask is ignored there."""

    name = "cutout"
    size: Pair = _of((0.1, 0.3), "pair", 0.01, 1, "The least and the greatest side, as a share of the picture's.")
    count: int = _of(2, "whole", 1, 16, "How many.")
    p: float = _chance(0.3)


@dataclass(frozen=True)
class Mosaic(Transform):
    """Parts of four samples around a random point. It comes first in the list."""

    name = "mosaic"
    p: float = _chance(0.3)


# New ones go to the end: a transform's place decides its random numbers.
TRANSFORMS: Final[dict[str, type[Transform]]] = {
    kind.name: kind
    for kind in (
        Hflip, Vflip, Rot90, Rotate, Scale, Shift, RandomResizedCrop, Brightness, Contrast, Gamma, Hue, Saturation,
        Blur, Noise, Jpeg, Cutout, Mosaic,
    )
}  # fmt: skip
"""All transforms by name."""

GEOMETRIC: Final = (Hflip, Vflip, Rot90, Rotate, Scale, Shift, RandomResizedCrop)
"""Those that are one matrix over the coordinates."""
LINEAR: Final = (Brightness, Contrast, Hue, Saturation)
"""Those that are one matrix over the colours."""


@dataclass(frozen=True)
class Augment:
    """How training samples are varied; nothing by default.

    Args:
        transforms: What is done, in this order.
        albumentations: A pipeline that ``albumentations.save`` wrote, in their place.

    Raises:
        ConfigError: ``mosaic`` is not the first transform.
    """

    transforms: tuple[Transform, ...] = ()
    albumentations: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "transforms", tuple(self.transforms))
        late = [i for i, one in enumerate(self.transforms) if i and isinstance(one, Mosaic)]
        if late:
            raise ConfigError(
                "mosaic is made of whole samples", where=f"augment.{late[0]}", expected="mosaic as the first transform",
                found=f"it comes after {self.transforms[late[0] - 1].name}",
            )  # fmt: skip
