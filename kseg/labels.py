"""LabelMap: mask values on disk ↔ class ids ↔ names and colours.

Inside kseg a mask is class ids ``[H, W]`` uint8: 0 … K-1 in the order of the classes, and 255 (`IGNORE_INDEX`) where
the ground truth is unknown. The values in the file may be others; only this module maps them::

    values    {0: background, 255: nucleus}     whole numbers 0 … 65535
              {"#000000": road, "#ff8000": car} the colours of RGB masks
              {3: eyeglasses, other: background}
    match     exact, or the nearest listed value or colour (smoothed edges, JPEG masks)
    threshold values from this one on count as 255, those below as 0
"""

from __future__ import annotations

import colorsys
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from kseg.errors import ConfigError

__all__ = [
    "BACKGROUND", "IGNORE", "IGNORE_INDEX", "MAX_CLASSES", "OTHER", "Activation", "Color", "LabelMap", "Match",
    "canonical_name", "default_colors", "distinct_names", "format_color", "is_color", "pack_color", "parse_color",
    "unpack_color", "values_line",
]  # fmt: skip

IGNORE_INDEX: Final = 255
"""The class id of pixels whose ground truth is unknown; losses and metrics leave them out."""

MAX_CLASSES: Final = 255
BACKGROUND: Final = "background"
"""The name of the class that foreground scores leave out; `canonical_name` maps its other spellings to it."""
IGNORE: Final = "ignore"
"""In `LabelMap.values`, in place of a class name: pixels with this on-disk value are ignored."""
OTHER: Final = "other"
"""In `LabelMap.values`, as a key: every on-disk value that is not listed."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BACKGROUND_NAMES: Final = re.compile(r"_*(back[ _-]?ground|bg)_*", re.IGNORECASE)
_UNMAPPED: Final = -1
_TABLE_SIZE: Final = 65536
_BYTE_VALUES: Final = 256
_COLORS: Final = 2**24
_HIGH: Final = 255
"""Value of thresholded masks at and above the threshold."""

Color = tuple[int, int, int]
"""Red, green, blue in 0..255."""
Match = Literal["exact", "nearest"]
Activation = Literal["softmax", "sigmoid"]
"""What turns logits into scores: softmax makes the classes exclusive, sigmoid treats each independently."""


def canonical_name(name: str) -> str:
    """A class name without blanks around it and with single blanks within; ``background`` for all its spellings.

    These are, in upper or lower case: background, back ground, back-ground, bg, and with underscores around them.
    ``void``, ``other`` and ``unlabeled`` are names of their own, since they may also mean unknown ground truth.

    >>> canonical_name(" __Background__ "), canonical_name("Optic  disc ")
    ('background', 'Optic disc')
    """
    stripped = " ".join(name.split())
    return BACKGROUND if _BACKGROUND_NAMES.fullmatch(stripped) else stripped


def distinct_names(names: Sequence[str]) -> list[int]:
    """Positions of the names that are classes of their own, ascending.

    A name with the same `canonical_name` as an earlier one is the same class, but for a literal repetition, which
    stays in the list, so that it is reported.
    """
    canonical = [canonical_name(name) for name in names]
    return [i for i, name in enumerate(names) if canonical[i] not in canonical[:i] or name in names[:i]]


def is_color(value: object) -> bool:
    """Whether a key of `LabelMap.values` is a colour, ``#rrggbb``."""
    return isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value) is not None


def pack_color(text: str) -> int:
    """``#rrggbb`` → red · 65536 + green · 256 + blue, the packed form that `kseg.images.read_mask` returns."""
    return int(text[1:], 16)


def unpack_color(packed: int) -> Color:
    """Packed colour, red · 65536 + green · 256 + blue → ``(red, green, blue)``."""
    return packed >> 16, packed >> 8 & 255, packed & 255


def parse_color(text: str) -> Color:
    """``#rrggbb`` → ``(red, green, blue)``. Raises ConfigError."""
    if not is_color(text):
        raise ConfigError("not a colour", where="data.colors", expected="'#rrggbb'", found=repr(text))
    return unpack_color(pack_color(text))


def format_color(color: Color) -> str:
    """``(red, green, blue)`` → ``#rrggbb``, the inverse of `parse_color`."""
    return f"#{bytes(color).hex()}"


def values_line(values: Mapping[Any, str]) -> str:
    """Values in YAML flow style, for messages: ``{0: background, 255: nucleus}``."""
    quoted = {f"'{value}'" if is_color(value) else value: name for value, name in values.items()}
    return "{" + ", ".join(f"{value}: {name}" for value, name in quoted.items()) + "}"


def default_colors(count: int, *, background: bool) -> tuple[Color, ...]:
    """``count`` well separated colours, the first one black if the first class is the background."""
    colors: list[Color] = [(0, 0, 0)] if background else []
    # Hues a golden ratio apart are spread evenly for any count, and adding classes does not change the first ones.
    for i in range(count - len(colors)):
        red, green, blue = colorsys.hsv_to_rgb((0.95 + i * 0.618034) % 1.0, 0.85 - 0.25 * (i % 3 == 2), 1.0)
        colors.append((round(red * 255), round(green * 255), round(blue * 255)))
    return tuple(colors)


@dataclass(frozen=True)
class LabelMap:
    """Names, colours and on-disk values of the classes.

    Args:
        names: One name per class, in the order of the class ids, made canonical by `canonical_name`; names that this
            makes equal are one class. The class ``background`` comes first or not at all; scores called *foreground*
            leave it out.
        values: On-disk mask value, or colour ``#rrggbb`` of an RGB mask → class name, or ``ignore``. The key
            ``other`` stands for every value not listed. Defaults to value *i* for class *i*; with a threshold, to 0
            and 255.
        colors: One RGB triple in 0..255 per class. Defaults to the colours in ``values``, else to `default_colors`.
        match: ``nearest`` maps a value that is not listed to the nearest one that is: values by their difference,
            colours by their distance in RGB. ``exact`` refuses it.
        threshold: Values from this one on count as 255, those below as 0. Defaults to no threshold.

    Raises:
        ConfigError: The names, values or colours contradict one another.
    """

    names: tuple[str, ...]
    values: Mapping[int | str, str] = field(default_factory=dict)
    colors: tuple[Color, ...] = ()
    match: Match = "exact"
    threshold: int | None = None

    def __post_init__(self) -> None:
        names = tuple(self.names)
        keys = range(len(names)) if self.threshold is None else (0, _HIGH)
        values = dict(self.values) or dict(zip(keys, names, strict=False))
        colors = tuple((int(r), int(g), int(b)) for r, g, b in self.colors)
        distinct = distinct_names(names)
        if len(colors) == len(names):
            colors = tuple(colors[i] for i in distinct)
        object.__setattr__(self, "names", tuple(canonical_name(names[i]) for i in distinct))
        object.__setattr__(self, "values", {_lower(key): canonical_name(name) for key, name in values.items()})
        self._check_names()
        object.__setattr__(self, "colors", colors or self._default_colors())
        self._check()

    def _default_colors(self) -> tuple[Color, ...]:
        chosen = default_colors(len(self.names), background=BACKGROUND in self.names)
        own: dict[str, Color] = {}
        for key, name in self.values.items():
            if is_color(key):
                own.setdefault(name, parse_color(str(key)))
        return tuple(own.get(name, color) for name, color in zip(self.names, chosen, strict=True))

    def _check_names(self) -> None:
        where = "data.classes"
        if not 2 <= len(self.names) <= MAX_CLASSES:
            raise ConfigError(
                "a segmentation needs at least two classes", where=where, expected=f"2 to {MAX_CLASSES} names",
                found=f"{len(self.names)}", remedy="list the background too: classes: [background, …]",
            )  # fmt: skip
        duplicates = sorted({name for name in self.names if self.names.count(name) > 1})
        if duplicates:
            raise ConfigError("a class name occurs twice", where=where, found=", ".join(duplicates))
        if IGNORE in self.names:
            raise ConfigError("'ignore' is a reserved word", where=where, found=", ".join(self.names))
        broken = next((name for name in self.names if _CONTROL.search(name)), None)
        if broken is not None:
            raise ConfigError(
                "a control character in a class name", where=where, found=repr(broken),
                remedy="write the name without it",
            )  # fmt: skip
        self._check_case()
        if BACKGROUND in self.names[1:]:
            ordered = sorted(self.names, key=lambda name: name != BACKGROUND)
            raise ConfigError(
                "the background is not the first class", where=where, found=", ".join(self.names),
                remedy=f"write {self._settings_line(ordered, self.values)}",
            )  # fmt: skip

    def _check_case(self) -> None:
        first = {name.casefold(): name for name in reversed(self.names)}
        spellings = [name for name in self.names if first[name.casefold()] != name]
        if spellings:
            values = {value: first.get(name.casefold(), name) for value, name in self.values.items()}
            raise ConfigError(
                "two class names differ only in case", where="data.classes",
                found=f"{first[spellings[0].casefold()]}, {spellings[0]}",
                remedy=f"if they are the same class, write {self._settings_line(list(first.values())[::-1], values)}; "
                "otherwise, rename one of them",
            )  # fmt: skip

    def _settings_line(self, names: Sequence[str], values: Mapping[int | str, str]) -> str:
        """Classes and values in YAML flow style, for messages."""
        colors = ", and data.colors in the order of these classes" if self.colors else ""
        return f"data.classes: [{', '.join(names)}] and data.values: {values_line(values)}{colors}"

    def _check(self) -> None:
        if len(self.colors) != len(self.names) or any(not 0 <= v <= 255 for c in self.colors for v in c):
            raise ConfigError(
                "the colours do not fit the classes", where="data.colors",
                expected=f"{len(self.names)} RGB triples in 0..255", found=f"{len(self.colors)}",
            )  # fmt: skip
        for key, name in self.values.items():
            self._check_value(key, name)
        without_value = [name for name in self.names if name not in self.values.values()]
        if without_value:
            raise ConfigError(
                "a class has no mask value", where="data.values", found=f"no value for {', '.join(without_value)}",
                remedy=f"add the value that stands for it, e.g. 1: {without_value[0]}",
            )  # fmt: skip
        self._check_matching()

    def _check_value(self, key: int | str, name: str) -> None:
        where = f"data.values.{key}"
        is_value = isinstance(key, int) and not isinstance(key, bool) and 0 <= key < _TABLE_SIZE
        if key != OTHER and not is_value and not is_color(key):
            raise ConfigError(
                "not a mask value", where=where,
                expected=f"a whole number in 0..{_TABLE_SIZE - 1}, a colour '#rrggbb', or 'other'", found=repr(key),
            )  # fmt: skip
        if name != IGNORE and name not in self.names:
            raise ConfigError(
                "unknown class", where=where, expected=f"one of {', '.join((*self.names, IGNORE))}", found=repr(name)
            )

    def _check_matching(self) -> None:
        listed = {key for key in self.values if key != OTHER}
        if len({is_color(key) for key in listed}) > 1:
            raise ConfigError(
                "values and colours are mixed", where="data.values", expected="all whole numbers, or all colours",
                found=values_line(self.values),
            )  # fmt: skip
        if self.match == "nearest" and OTHER in self.values:
            raise ConfigError(
                "with match: nearest, no value is left for 'other'", where="data.values.other",
                remedy="remove the key other, or set data.match: exact",
            )  # fmt: skip
        if self.threshold is not None and listed != {0, _HIGH}:
            raise ConfigError(
                "a threshold leaves the values 0 and 255 only", where="data.threshold",
                expected="data.values with the keys 0 and 255, or no threshold", found=values_line(self.values),
            )  # fmt: skip

    @property
    def num_classes(self) -> int:
        """K: the number of classes, the background included."""
        return len(self.names)

    @property
    def background(self) -> int | None:
        """The class id of the background (always 0), or None where the data has none."""
        return 0 if self.names[0] == BACKGROUND else None

    @property
    def foreground(self) -> tuple[int, ...]:
        """The class ids that foreground scores cover: all but the background's."""
        return tuple(range(0 if self.background is None else 1, self.num_classes))

    @property
    def is_binary(self) -> bool:
        """Whether there are two classes, the first one the background: such models have one sigmoid channel."""
        return self.num_classes == 2 and self.background == 0

    @property
    def is_colored(self) -> bool:
        """Whether the on-disk values are colours, so that masks have to be read with ``colors=True``."""
        return any(is_color(key) for key in self.values)

    def ids(self, values: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
        """The class id of each on-disk value or packed colour, -1 for those not in the map: int16, of the same shape.

        For a few different values; `encode` is faster for masks.
        """
        if not self.is_colored:
            ids: npt.NDArray[np.int16] = self._table[values]
            return ids
        listed = {pack_color(str(key)): self._id(name) for key, name in self.values.items() if is_color(key)}
        if self.match == "nearest":
            return _nearest(_channels(values), _channels(np.array(list(listed))), list(listed.values()))
        other = self._id(self.values[OTHER]) if OTHER in self.values else _UNMAPPED
        return np.array([listed.get(int(value), other) for value in values.ravel()], np.int16).reshape(values.shape)

    @cached_property
    def _table(self) -> npt.NDArray[np.int16]:
        """The class id of every on-disk value: int16 ``[65536]``, -1 for those not in the map."""
        table = np.full(_TABLE_SIZE, self._id(self.values[OTHER]) if OTHER in self.values else _UNMAPPED, np.int16)
        listed = {key: self._id(name) for key, name in self.values.items() if isinstance(key, int)}
        if self.match == "nearest":
            every = np.arange(_TABLE_SIZE)[:, np.newaxis]
            table = _nearest(every, np.array(list(listed))[:, np.newaxis], list(listed.values()))
        for value, index in listed.items():
            table[value] = index
        if self.threshold is not None:
            table[: self.threshold], table[self.threshold :] = listed[0], listed[_HIGH]
        return table

    def _id(self, name: str) -> int:
        return IGNORE_INDEX if name == IGNORE else self.names.index(name)

    def disk_values(self) -> npt.NDArray[np.uint16] | npt.NDArray[np.uint8]:
        """The on-disk value of each class id, the first one listed: uint16 ``[K]``, or colours uint8 ``[K, 3]``.

        A class that only ``other`` maps to gets the smallest value that is not listed.
        """
        colored = self.is_colored
        first: dict[str, int] = {}
        for value, name in self.values.items():
            if value != OTHER:
                first.setdefault(name, pack_color(str(value)) if colored else int(value))
        free = next(v for v in range(_TABLE_SIZE) if v not in first.values())
        written = [first.get(name, free) for name in self.names]
        return _channels(np.array(written)).astype(np.uint8) if colored else np.array(written, np.uint16)

    def encode(self, mask: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """On-disk values, or packed colours, ``[H, W]`` → class ids uint8 ``[H, W]``.

        Args:
            mask: Values in 0..65535; packed colours in 0..2²⁴-1 if `is_colored`.

        Raises:
            ValueError: A value is not in the map; `unmapped` lists such values.
        """
        ids = self._encode_colors(mask) if self.is_colored else self._table[mask]
        if ids.min(initial=0) < 0:
            raise ValueError(f"mask values {self.unmapped(mask)} are not in the label map")
        encoded: npt.NDArray[np.uint8] = ids.astype(np.uint8)
        return encoded

    def _encode_colors(self, mask: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
        # A lookup table, filled for the colours that occur: finding these by sorting the pixels takes far longer.
        occurs = np.zeros(_COLORS, bool)
        occurs[mask.ravel()] = True
        colors = np.flatnonzero(occurs)
        table = np.empty(_COLORS, np.int16)
        table[colors] = self.ids(colors)
        ids: npt.NDArray[np.int16] = table[mask]
        return ids

    def unmapped(self, mask: npt.NDArray[Any]) -> list[int | str]:
        """The on-disk values, or colours as ``#rrggbb``, of a mask that are not in the map, ascending."""
        values = np.unique(mask)
        unknown = values[self.ids(values) == _UNMAPPED]
        return [format_color(unpack_color(int(v))) if self.is_colored else int(v) for v in unknown]

    def decode(self, ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8 | np.uint16]:
        """Class ids ``[H, W]`` → on-disk values, uint8 where they fit, else uint16; or colours uint8 ``[H, W, 3]``."""
        values = self.disk_values()
        if values.ndim > 1 or values.max() >= _BYTE_VALUES:
            wide: npt.NDArray[np.uint8 | np.uint16] = values[ids]
            return wide
        import cv2  # looks up 12 megapixels in 4 ms, NumPy in 16

        table = np.zeros(_BYTE_VALUES, np.uint8)
        table[: len(values)] = values
        narrow: npt.NDArray[np.uint8] = cv2.LUT(ids, table).reshape(ids.shape)
        return narrow

    def to_json(self) -> dict[str, Any]:
        """The map as plain JSON types; `from_json` reads it back."""
        return {
            "names": list(self.names),
            # A JSON object would turn whole-number keys into strings.
            "values": [[value, name] for value, name in self.values.items()],
            "colors": [list(color) for color in self.colors],
            "match": self.match,
            "threshold": self.threshold,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LabelMap:
        """Rebuild from what `to_json` returned. Raises KeyError, TypeError, ValueError or ConfigError on other data."""
        values = {(v if isinstance(v, str) else int(v)): str(name) for v, name in data["values"]}
        names: Sequence[str] = [str(name) for name in data["names"]]
        colors = tuple((r, g, b) for r, g, b in data["colors"])
        match, threshold = data["match"], data["threshold"]
        if match not in ("exact", "nearest"):
            raise ValueError(f"match {match!r}")
        return cls(tuple(names), values, colors, match, None if threshold is None else int(threshold))

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_json()))


def _lower(key: int | str) -> int | str:
    return key.lower() if is_color(key) and isinstance(key, str) else key


def _channels(packed: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Packed colours ``[...]`` → red, green and blue ``[..., 3]``."""
    packed = packed.astype(np.int64)
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1)


def _nearest(points: npt.NDArray[np.int64], listed: npt.NDArray[np.int64], ids: Iterable[int]) -> npt.NDArray[np.int16]:
    """For each point ``[N, D]`` the id of the nearest point of ``listed`` ``[M, D]`` (ties: the first)."""
    distance = np.stack([((points - point) ** 2).sum(axis=-1) for point in listed])
    nearest: npt.NDArray[np.int16] = np.array(list(ids), np.int16)[distance.argmin(axis=0)]
    return nearest
