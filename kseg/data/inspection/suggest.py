"""Suggest the meaning of mask values: settings inferred from the values, their frequencies and positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kseg.data.inspection.survey import MaskFacts, Survey
from kseg.data.label_map import flat_values
from kseg.labels import IGNORE, IGNORE_INDEX, LabelMap, format_color, unpack_color

__all__ = ["ValueTable", "border_excess", "suggest", "tabulate", "unknown_values"]

Counts = npt.NDArray[np.int64]

_OUTER: Final = 0.15
"""A value is taken for the background if its share of the borders exceeds that of the centres by this much."""


@dataclass(frozen=True, eq=False)
class ValueTable:
    """The values of all masks together; fields as in `MaskFacts`, and ``masks``: number of masks with each value."""

    colored: bool
    values: Counts
    pixels: Counts
    border: Counts
    center: Counts
    masks: Counts

    def share(self, field: Counts) -> npt.NDArray[np.float64]:
        """Each value's share in one of the fields: float64 ``[V]`` with a sum of 1."""
        share: npt.NDArray[np.float64] = field / max(int(field.sum()), 1)
        return share

    def name(self, value: int) -> int | str:
        """A value as written in the configuration: the number, or ``#rrggbb``."""
        return format_color(unpack_color(value)) if self.colored else value


def tabulate(survey: Survey) -> ValueTable:
    """Add up the values of all masks that could be read."""
    masks = [facts.mask for samples in survey.values() for facts in samples if facts.mask is not None]
    colored = any(mask.colored for mask in masks)
    distinct = np.unique(np.concatenate([_as_colors(mask, colored) for mask in masks] or [np.zeros(0, np.int64)]))
    sums = np.zeros((4, len(distinct)), np.int64)
    for mask in masks:
        indices = np.searchsorted(distinct, _as_colors(mask, colored))
        for row, counts in enumerate((mask.pixels, mask.border, mask.center, mask.pixels > 0)):
            np.add.at(sums[row], indices, counts)
    return ValueTable(colored, distinct, *sums)


def _as_colors(mask: MaskFacts, colored: bool) -> Counts:
    """The values of a mask; if masks are coloured, those of a grey one as packed grey colours."""
    return mask.values * 0x010101 if colored and not mask.colored else mask.values


def unknown_values(table: ValueTable, labels: LabelMap) -> Counts:
    """The values that are not in the label map."""
    if table.colored and not labels.is_colored:
        return table.values
    unknown: Counts = table.values[labels.ids(table.values) < 0]
    return unknown


def suggest(table: ValueTable, names: Sequence[str] | None) -> dict[str, Any] | None:
    """Suggest settings with which every mask value has a class.

    Args:
        table: The values of all masks.
        names: The configured class names, in order; None if there are none.

    Returns:
        Key of the section ``data`` → value; None if nothing can be inferred.
    """
    if len(table.values) < 2:
        return None
    anchors = _anchors(table, names)
    if len(anchors) < 2:
        return None
    smoothed = len(anchors) < len(table.values)
    if smoothed and len(anchors) == 2 and not table.colored:
        low, high = (names or ("background", "foreground"))[:2]
        background_value = _background(table, anchors) if low == "background" else anchors[0]
        keys = (0, IGNORE_INDEX) if background_value == anchors[0] else (IGNORE_INDEX, 0)
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
    """The values that stand for classes; others are shades from smoothed edges."""
    return flat_values(table.values, table.pixels, colored=table.colored, num_classes=len(names) if names else None)


def _assign(table: ValueTable, anchors: Sequence[int], names: Sequence[str] | None) -> dict[int | str, str] | None:
    """Value → class: the outermost value is the background, the others get the remaining names in ascending order."""
    surplus = len(anchors) - len(names) if names else 0
    if surplus < 0:
        return _shifted(table, anchors, names or ())
    if surplus > 1:
        return None
    void_values = [_void(anchors)] if surplus else []
    class_values = [value for value in anchors if value not in void_values]
    background = [_background(table, class_values)] if (names or ("background",))[0] == "background" else []
    ordered = background + [value for value in class_values if value not in background]
    chosen = names or ["background", *(f"class_{table.name(value)}".replace("#", "") for value in ordered[1:])]
    meaning = dict(zip(ordered, chosen, strict=True)) | dict.fromkeys(void_values, IGNORE)
    return {table.name(value): meaning[value] for value in sorted(meaning)}


def _shifted(table: ValueTable, anchors: Sequence[int], names: Sequence[str]) -> dict[int | str, str] | None:
    """Values that count from 1 and of which some do not occur; None otherwise (from 0 on they are the default)."""
    if table.colored or anchors[0] < 1 or anchors[-1] > len(names):
        return None
    return {i + 1: name for i, name in enumerate(names)}


def _void(anchors: Sequence[int]) -> int:
    """The value for ignored pixels: 255 by convention, else the largest."""
    return IGNORE_INDEX if IGNORE_INDEX in anchors else anchors[-1]


def _background(table: ValueTable, candidates: Sequence[int]) -> int:
    """The value that surrounds the others, if one clearly does; else the smallest."""
    excess = border_excess(table)
    outermost = max(candidates, key=lambda value: excess[value])
    return outermost if excess[outermost] > _OUTER else candidates[0]


def border_excess(table: ValueTable) -> Mapping[int, float]:
    """Value → its share of the masks' borders minus its share of their centres, in -1..1."""
    difference = table.share(table.border) - table.share(table.center)
    return {int(value): float(part) for value, part in zip(table.values, difference, strict=True)}
