"""`ValueTable`: the values of all masks together, where they lie, how they touch, and which occur together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kseg.data.inspection.survey import MaskFacts, Survey
from kseg.labels import LabelMap, format_color, unpack_color

__all__ = ["ValueTable", "border_excess", "tabulate", "unknown_values"]

Counts = npt.NDArray[np.int64]

_TOUCHING: Final = 0.02
"""Values that a void border separates touch in at most this share of all contacts between values."""
_CORE: Final = 0.1
"""At most this share of a void border is farther from other values than a thin border is wide."""
_PADDING: Final = 0.98
_MOST_SETS: Final = 64
"""With more values than this, it is not recorded which ones occur together, and touch."""


@dataclass(frozen=True, eq=False)
class ValueTable:
    """The values of all masks together; fields as in `MaskFacts` and `Shapes`, and more.

    Args:
        colored: Whether the values are packed colours.
        values: The distinct values, ascending: int64 ``[V]``.
        pixels, border, center: Number of pixels of each value in the masks, their borders and their centres.
        masks: Number of masks with each value: int64 ``[V]``.
        measured, padding, core, flat: Of the masks whose shapes were measured: pixels of each value, those that fill
            rows and columns at the edges, those that are too far from other values to be a thin border, and those in
            flat areas: int64 ``[V]``.
        contacts: Of these masks: number of neighbouring pixels of two values: int64 ``[V, V]``; empty if there are too
            many values.
        sets: The distinct sets of values that occur in one mask, with the number of such masks; empty if there are too
            many values.
        regions: For each measured mask its values → number of regions.
    """

    colored: bool
    values: Counts
    pixels: Counts
    border: Counts
    center: Counts
    masks: Counts
    measured: Counts
    padding: Counts
    core: Counts
    flat: Counts
    contacts: Counts
    sets: Mapping[frozenset[int], int]
    regions: Sequence[Mapping[int, int]]

    def share(self, field: Counts) -> npt.NDArray[np.float64]:
        """Each value's share in one of the fields: float64 ``[V]`` with a sum of 1."""
        share: npt.NDArray[np.float64] = field / max(int(field.sum()), 1)
        return share

    def name(self, value: int) -> int | str:
        """A value as written in the configuration: the number, or ``#rrggbb``."""
        return format_color(unpack_color(value)) if self.colored else value

    def index(self, value: int) -> int:
        """The position of a value that occurs."""
        return int(np.searchsorted(self.values, value))

    def separates(self, value: int) -> bool:
        """Whether a value lies along the borders of the other values: it is thin, and these hardly ever touch."""
        if not self.contacts.size:
            return False
        i = self.index(value)
        others = np.arange(len(self.values)) != i
        direct, total = int(self.contacts[np.ix_(others, others)].sum()), int(self.contacts.sum())
        lines = int(self.measured[i] - self.padding[i])
        return bool(total > 0 and lines > 0 and direct <= _TOUCHING * total and self.core[i] <= _CORE * lines)

    def pads(self, value: int) -> bool:
        """Whether nearly all of a value fills rows and columns at the edges of the masks."""
        i = self.index(value)
        return bool(self.measured[i] and self.padding[i] >= _PADDING * self.measured[i])

    def are_shades(self, values: Counts) -> bool:
        """Whether some values lie at edges, as smoothing leaves them, and not in areas of their own.

        Masks with very many values are not measured: these are shades.
        """
        chosen = np.isin(self.values, values)
        return bool(2 * self.flat[chosen].sum() <= self.measured[chosen].sum())

    def mean_regions(self, value: int) -> float:
        """Mean number of regions of a value in the measured masks that show it."""
        counts = [regions[value] for regions in self.regions if value in regions]
        return sum(counts) / max(len(counts), 1)


def tabulate(survey: Survey) -> ValueTable:
    """Add up the values of all masks that could be read."""
    masks = [facts.mask for samples in survey.values() for facts in samples if facts.mask is not None]
    colored = any(mask.colored for mask in masks)
    values_of = [_as_colors(mask, colored) for mask in masks]
    distinct = np.unique(np.concatenate(values_of or [np.zeros(0, np.int64)]))
    sums = np.zeros((8, len(distinct)), np.int64)
    contacts = np.zeros((len(distinct), len(distinct)) if len(distinct) <= _MOST_SETS else (0, 0), np.int64)
    for mask, values in zip(masks, values_of, strict=True):
        shapes = mask.shapes
        measured = (mask.pixels, shapes.padding, shapes.core, shapes.flat) if shapes else ()
        indices = np.searchsorted(distinct, values)
        if shapes and contacts.size:
            contacts[np.ix_(indices, indices)] += shapes.contacts
        for row, counts in zip(sums, (mask.pixels, mask.border, mask.center, mask.pixels > 0, *measured), strict=False):
            np.add.at(row, indices, counts)
    sets: dict[frozenset[int], int] = {}
    for values in values_of if len(distinct) <= _MOST_SETS else ():
        members = frozenset(values.tolist())
        sets[members] = sets.get(members, 0) + 1
    regions = [
        dict(zip(values.tolist(), mask.shapes.regions.tolist(), strict=True))
        for mask, values in zip(masks, values_of, strict=True) if mask.shapes is not None
    ]  # fmt: skip
    pixels, border, center, count, measured_pixels, padding, core, flat = sums
    return ValueTable(
        colored, distinct, pixels, border, center, count, measured_pixels, padding, core, flat, contacts, sets, regions
    )


def _as_colors(mask: MaskFacts, colored: bool) -> Counts:
    """The values of a mask; if masks are coloured, those of a grey one as packed grey colours."""
    return mask.values * 0x010101 if colored and not mask.colored else mask.values


def unknown_values(table: ValueTable, labels: LabelMap) -> Counts:
    """The values that are not in the label map."""
    if table.colored and not labels.is_colored:
        return table.values
    unknown: Counts = table.values[labels.ids(table.values) < 0]
    return unknown


def border_excess(table: ValueTable, void: Collection[int] = ()) -> Mapping[int, float]:
    """Value → its share of the masks' borders minus its share of their centres, in -1..1.

    Args:
        table: The values of all masks.
        void: Values that are not counted, such as padding, which covers borders.
    """
    counted = ~np.isin(table.values, list(void))
    difference = table.share(table.border * counted) - table.share(table.center * counted)
    return {int(value): float(part) for value, part in zip(table.values, difference, strict=True)}
