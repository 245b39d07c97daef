"""What mask values seem to mean: the settings that a data set's masks ask for, told from the masks themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kseg.data.inspection.survey import MaskFacts, Survey
from kseg.data.label_map import flat_values
from kseg.labels import IGNORE, IGNORE_INDEX, LabelMap, format_color, unpack_color

__all__ = ["ValueTable", "outerness", "suggest", "tabulate", "unknown_values"]

Counts = npt.NDArray[np.int64]

_OUTER: Final = 0.15
"""By how much more of the border than of the middle a background covers, at least, to be told from that."""


@dataclass(frozen=True, eq=False)
class ValueTable:
    """What all masks together hold; the fields are as in `MaskFacts`, and ``masks`` in how many masks each value is."""

    colored: bool
    values: Counts
    pixels: Counts
    border: Counts
    center: Counts
    masks: Counts

    def share(self, field: Counts) -> npt.NDArray[np.float64]:
        """Each value's share of the pixels of a field."""
        share: npt.NDArray[np.float64] = field / max(int(field.sum()), 1)
        return share

    def name(self, value: int) -> int | str:
        """A value as it stands in the configuration."""
        return format_color(unpack_color(value)) if self.colored else value


def tabulate(found: Survey) -> ValueTable:
    """Add up the values of all masks that could be read."""
    masks = [one.mask for examined in found.values() for one in examined if one.mask is not None]
    colored = any(mask.colored for mask in masks)
    different = np.unique(np.concatenate([_as_colors(mask, colored) for mask in masks] or [np.zeros(0, np.int64)]))
    sums = np.zeros((4, len(different)), np.int64)
    for mask in masks:
        at = np.searchsorted(different, _as_colors(mask, colored))
        for row, counts in enumerate((mask.pixels, mask.border, mask.center, mask.pixels > 0)):
            np.add.at(sums[row], at, counts)
    return ValueTable(colored, different, *sums)


def _as_colors(mask: MaskFacts, colored: bool) -> Counts:
    """The values; those of a grey mask among coloured ones as greys."""
    return mask.values * 0x010101 if colored and not mask.colored else mask.values


def unknown_values(table: ValueTable, labels: LabelMap) -> Counts:
    """Which of the values a label map does not name."""
    if table.colored and not labels.is_colored:
        return table.values
    unknown: Counts = table.values[labels.ids(table.values) < 0]
    return unknown


def suggest(table: ValueTable, names: Sequence[str] | None) -> dict[str, Any] | None:
    """Settings under which every mask value has a meaning.

    Args:
        table: What the masks hold.
        names: The class names that the user gave, in order; None for any.

    Returns:
        Keys of the configuration's ``data`` → values; None where the masks do not tell.
    """
    if len(table.values) < 2:
        return None
    anchors = _anchors(table, names)
    if len(anchors) < 2:
        return None
    smoothed = len(anchors) < len(table.values)
    if smoothed and len(anchors) == 2 and not table.colored:
        low, high = (names or ("background", "foreground"))[:2]
        first = _background(table, anchors) if low == "background" else anchors[0]
        keys = (0, IGNORE_INDEX) if first == anchors[0] else (IGNORE_INDEX, 0)
        middle = (int(anchors[0]) + int(anchors[1]) + 1) // 2
        return {"classes": [low, high], "values": dict(zip(keys, (low, high), strict=True)), "threshold": middle}
    values = _assign(table, anchors, names)
    if values is None:
        return None
    settings: dict[str, Any] = {"values": values, **({"match": "nearest"} if smoothed else {})}
    if names is None:
        settings["classes"] = [name for name in values.values() if name != IGNORE]
    return settings


def _anchors(table: ValueTable, names: Sequence[str] | None) -> list[int]:
    return flat_values(table.values, table.pixels, colored=table.colored, wanted=len(names) if names else None)


def _assign(table: ValueTable, anchors: Sequence[int], names: Sequence[str] | None) -> dict[int | str, str] | None:
    """Each value's class: the background where the masks' borders show it, the others in ascending order."""
    extra = len(anchors) - len(names) if names else 0
    if extra < 0:
        return _shifted(table, anchors, names or ())
    if extra > 1:
        return None
    void = [_void(anchors)] if extra else []
    left = [value for value in anchors if value not in void]
    first = [_background(table, left)] if (names or ("background",))[0] == "background" else []
    ordered = first + [value for value in left if value not in first]
    chosen = names or ["background", *(f"class_{table.name(value)}".replace("#", "") for value in ordered[1:])]
    meaning = dict(zip(ordered, chosen, strict=True)) | dict.fromkeys(void, IGNORE)
    return {table.name(value): meaning[value] for value in sorted(meaning)}


def _shifted(table: ValueTable, anchors: Sequence[int], names: Sequence[str]) -> dict[int | str, str] | None:
    """Labels that count from 1, of which not all occur; where they count from 0 nothing has to be said."""
    if table.colored or anchors[0] < 1 or anchors[-1] > len(names):
        return None
    return {i + 1: name for i, name in enumerate(names)}


def _void(anchors: Sequence[int]) -> int:
    """The value that stands for no class: 255 by custom, else the last one."""
    return IGNORE_INDEX if IGNORE_INDEX in anchors else anchors[-1]


def _background(table: ValueTable, among: Sequence[int]) -> int:
    """The value that surrounds the others, where one clearly does; else the lowest."""
    outer = outerness(table)
    best = max(among, key=lambda value: outer[value])
    return best if outer[best] > _OUTER else among[0]


def outerness(table: ValueTable) -> Mapping[int, float]:
    """By how much more of the masks' borders than of their middles each value covers, -1..1."""
    difference = table.share(table.border) - table.share(table.center)
    return {int(value): float(part) for value, part in zip(table.values, difference, strict=True)}
