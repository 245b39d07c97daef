"""LabelMap: what stands on disk in a mask ↔ class ids ↔ names and colours.

Inside kseg a mask is class ids ``[H, W]`` uint8, 0 … K-1 in the order of the classes, and 255 (`IGNORE_INDEX`) where
the truth is unknown, whatever the file said. Only this module knows the file's values.
"""

from __future__ import annotations

import colorsys
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kseg.errors import ConfigError

__all__ = ["IGNORE", "IGNORE_INDEX", "MAX_CLASSES", "OTHER", "Color", "LabelMap", "default_colors"]

IGNORE_INDEX: Final = 255
"""The class id of pixels whose truth is unknown; they count in no loss and no score."""

MAX_CLASSES: Final = 255
IGNORE: Final = "ignore"
"""In `values`: pixels of this on-disk value are ignored."""
OTHER: Final = "other"
"""In `values`, as a key: every on-disk value that is not listed."""

_UNMAPPED: Final = -1
_TABLE_SIZE: Final = 65536

Color = tuple[int, int, int]
"""Red, green, blue in 0..255."""


def default_colors(count: int, *, background: bool) -> tuple[Color, ...]:
    """Well separated colours, black first where the first class is a background."""
    colors: list[Color] = [(0, 0, 0)] if background else []
    # The golden ratio spreads any number of hues evenly, and the first ones stay when classes are added.
    for i in range(count - len(colors)):
        red, green, blue = colorsys.hsv_to_rgb((0.95 + i * 0.618034) % 1.0, 0.85 - 0.25 * (i % 3 == 2), 1.0)
        colors.append((round(red * 255), round(green * 255), round(blue * 255)))
    return tuple(colors)


@dataclass(frozen=True)
class LabelMap:
    """Names, colours and on-disk values of the classes.

    Args:
        names: One name a class, in the order of the class ids. A class named ``background`` comes first or not at
            all; scores called *foreground* leave it out.
        values: On-disk mask value → class name, or ``ignore``. The key ``other`` stands for every value not
            listed. Defaults to value *i* for class *i*.
        colors: One RGB triple in 0..255 a class. Defaults to `default_colors`.

    Raises:
        ConfigError: The names, values or colours contradict one another.
    """

    names: tuple[str, ...]
    values: Mapping[int | str, str] = field(default_factory=dict)
    colors: tuple[Color, ...] = ()

    def __post_init__(self) -> None:
        names = tuple(self.names)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "values", dict(self.values) or dict(enumerate(names)))
        background = "background" in names
        colors = tuple((int(r), int(g), int(b)) for r, g, b in self.colors)
        object.__setattr__(self, "colors", colors or default_colors(len(names), background=background))
        self._check()

    def _check(self) -> None:
        where = "data.classes"
        if not 2 <= len(self.names) <= MAX_CLASSES:
            raise ConfigError(
                "a segmentation needs at least two classes", where=where, expected=f"2 to {MAX_CLASSES} names",
                found=f"{len(self.names)}", remedy="list the background too: classes: [background, …]",
            )  # fmt: skip
        doubled = sorted({name for name in self.names if self.names.count(name) > 1})
        if doubled:
            raise ConfigError("a class name stands twice", where=where, found=", ".join(doubled))
        if IGNORE in self.names or OTHER in self.names:
            raise ConfigError("'ignore' and 'other' are reserved words", where=where, found=", ".join(self.names))
        if "background" in self.names[1:]:
            raise ConfigError("the background is not the first class", where=where, found=", ".join(self.names))
        if len(self.colors) != len(self.names) or any(not 0 <= v <= 255 for c in self.colors for v in c):
            raise ConfigError(
                "the colours do not fit the classes", where="data.colors",
                expected=f"{len(self.names)} RGB triples in 0..255", found=f"{len(self.colors)}",
            )  # fmt: skip
        for key, name in self.values.items():
            self._check_value(key, name)
        silent = [name for name in self.names if name not in self.values.values()]
        if silent:
            raise ConfigError(
                "a class has no mask value", where="data.values", found=f"no value for {', '.join(silent)}",
                remedy=f"add the value that stands for it, e.g. 1: {silent[0]}",
            )  # fmt: skip

    def _check_value(self, key: int | str, name: str) -> None:
        where = f"data.values.{key}"
        if key != OTHER and not (isinstance(key, int) and not isinstance(key, bool) and 0 <= key < _TABLE_SIZE):
            raise ConfigError(
                "not a mask value", where=where, expected=f"a whole number in 0..{_TABLE_SIZE - 1}, or 'other'",
                found=repr(key),
            )  # fmt: skip
        if name != IGNORE and name not in self.names:
            raise ConfigError(
                "unknown class", where=where, expected=f"one of {', '.join((*self.names, IGNORE))}", found=repr(name)
            )

    @property
    def num_classes(self) -> int:
        """K: the number of classes, the background included."""
        return len(self.names)

    @property
    def background(self) -> int | None:
        """The class id of the background (always 0), or None where the data has none."""
        return 0 if self.names[0] == "background" else None

    @property
    def foreground(self) -> tuple[int, ...]:
        """The class ids that foreground scores count."""
        return tuple(range(0 if self.background is None else 1, self.num_classes))

    @property
    def is_binary(self) -> bool:
        """Background and one class: one sigmoid channel instead of a softmax."""
        return self.num_classes == 2 and self.background == 0

    def table(self) -> npt.NDArray[np.int16]:
        """The class id of every on-disk value: int16 ``[65536]``, -1 where the map says nothing."""
        ids = {name: i for i, name in enumerate(self.names)} | {IGNORE: IGNORE_INDEX}
        table = np.full(_TABLE_SIZE, ids[self.values[OTHER]] if OTHER in self.values else _UNMAPPED, np.int16)
        for value, name in self.values.items():
            if isinstance(value, int):
                table[value] = ids[name]
        return table

    def disk_values(self) -> npt.NDArray[np.uint16]:
        """The value to write for each class id: uint16 ``[K]``, the first one listed for the class.

        A class that only ``other`` stands for is written as the smallest value that the map does not list.
        """
        first: dict[str, int] = {}
        for value, name in self.values.items():
            if isinstance(value, int):
                first.setdefault(name, value)
        free = next(v for v in range(_TABLE_SIZE) if v not in self.values)
        return np.array([first.get(name, free) for name in self.names], np.uint16)

    def encode(self, mask: npt.NDArray[Any], table: npt.NDArray[np.int16] | None = None) -> npt.NDArray[np.uint8]:
        """On-disk values ``[H, W]`` → class ids uint8 ``[H, W]``.

        Args:
            mask: Whole numbers in 0..65535.
            table: What `table` returned, to build it once for many masks.

        Raises:
            ValueError: A value is not in the map; `unmapped` tells which.
        """
        ids = (self.table() if table is None else table)[mask]
        if ids.min(initial=0) < 0:
            raise ValueError(f"mask values {self.unmapped(mask)} are not in the label map")
        encoded: npt.NDArray[np.uint8] = ids.astype(np.uint8)
        return encoded

    def unmapped(self, mask: npt.NDArray[Any]) -> list[int]:
        """The on-disk values of a mask that the map does not know, ascending."""
        values = np.unique(mask)
        return [int(v) for v in values[self.table()[values] == _UNMAPPED]]

    def decode(self, ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8 | np.uint16]:
        """Class ids ``[H, W]`` → on-disk values, uint8 where they fit, else uint16."""
        values = self.disk_values()
        narrow = values.astype(np.uint8) if values.max() < 256 else values
        decoded: npt.NDArray[np.uint8 | np.uint16] = narrow[ids]
        return decoded

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types; `from_json` is the way back."""
        return {
            "names": list(self.names),
            # A JSON object would turn whole-number keys into strings.
            "values": [[value, name] for value, name in self.values.items()],
            "colors": [list(color) for color in self.colors],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LabelMap:
        """Rebuild from `to_json`. Raises KeyError, TypeError, ValueError or ConfigError on anything else."""
        values = {(v if isinstance(v, str) else int(v)): str(name) for v, name in data["values"]}
        names: Sequence[str] = [str(name) for name in data["names"]]
        return cls(tuple(names), values, tuple((r, g, b) for r, g, b in data["colors"]))

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_json()))
