"""What the values of masks mean where they are not one class each: two notations, numbered objects, shades."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np

from kseg.data.inspection.evidence import FOREGROUND, Evidence, Meaning, looks_inverted
from kseg.labels import BACKGROUND, IGNORE, IGNORE_INDEX, OTHER

__all__ = ["instances", "shades", "transition", "two_notations"]

_SECOND_NOTATION: Final = 0.1
"""Smallest fraction of the masks in either notation; fewer may be masks of another kind."""
_INSTANCES: Final = 0.9
"""Fraction of the masks, and of their values, that must look like numbered objects."""
_SPREAD: Final = 0.3
"""Numbers that are drawn at random occur in at most this fraction of the masks, on average."""
_MANY_NUMBERS: Final = 16
_FLAT_BETWEEN: Final = 0.002
"""Fraction of the flat areas that may have shades between two values: the noise of JPEG."""
_FLAT_OF_SMALLER: Final = 0.05
"""The same as a fraction of the flat areas of the rarer value."""
_GATHERED: Final = 0.8
"""Fraction of the values in between that lie near their median; those of smoothed edges spread evenly."""
_MOST_SMOOTHED: Final = 4
"""More classes than this in smoothed masks are rather one soft transition."""
_NEAR: Final = 40
"""Flat areas whose values differ by at most this much are no classes of their own."""
_SHOWN: Final = 8


def two_notations(evidence: Evidence) -> Meaning | None:
    """Some masks hold 0 and 1, the others 0 and 255: both notations of the same two classes."""
    table, names = evidence.table, evidence.names
    if list(table.values) != [0, 1, IGNORE_INDEX] or any({1, IGNORE_INDEX} <= values for values in table.sets):
        return None
    if names is not None and len(names) != 2:
        return None
    low, high = names or (BACKGROUND, FOREGROUND)
    rarer = min(sum(count for values, count in table.sets.items() if value in values) for value in (1, IGNORE_INDEX))
    few = rarer < _SECOND_NOTATION * sum(table.sets.values())
    if names is None or few or not evidence.has_background:
        evidence.doubt(
            "do 1 and 255 mean the same class? No mask holds both", "two classes would be one, or one would be two",
            1, IGNORE_INDEX,
        )  # fmt: skip
    if looks_inverted(table, [0], [1, IGNORE_INDEX]):
        evidence.doubt("are the masks inverted? 1 and 255 surround 0", "the opposite would be learned", 0)
    settings = {"classes": [low, high], "values": {0: low, 1: high, IGNORE_INDEX: high}}
    other = {"values": {0: low, 1: high, IGNORE_INDEX: IGNORE}}
    return evidence.meaning(settings, "some masks hold {0, 1}, the others {0, 255}", other)


def instances(evidence: Evidence) -> Meaning | None:
    """Values that number the objects of each image: all are one class."""
    table, names = evidence.table, evidence.names
    if table.colored or 0 not in table.values or not table.regions or (names is not None and len(names) > 2):
        return None
    void = [IGNORE_INDEX] if IGNORE_INDEX in table.values and table.separates(IGNORE_INDEX) else []
    regions = [{v: count for v, count in mask.items() if v not in (0, *void)} for mask in table.regions]
    masks = [mask for mask in regions if mask]
    counts = sorted({len(mask) for mask in masks})
    single = sum(count == 1 for mask in masks for count in mask.values())
    fewest_counts = 2 if names else 3
    if len(counts) < fewest_counts or single < _INSTANCES * sum(map(len, masks)) or not _are_numbers(masks):
        return None
    low, high = names or (BACKGROUND, "object")
    sizes = f"{counts[0]} to {counts[-1]}"
    evidence.doubt(
        f"are the values numbers of objects ({sizes} in a mask, each in one piece), or is each one a class?",
        "objects would be learned by their numbers, or classes would be lost",
        *[int(value) for value in table.values if value not in (0, *void)],
    )  # fmt: skip
    ignored: dict[int | str, str] = dict.fromkeys(void, IGNORE)
    values: dict[int | str, str] = {0: low, **ignored, OTHER: high}
    settings = {"values": values, "classes": [low, high]}
    why = "each value is one region, and their number changes from image to image"
    return evidence.meaning(settings, why, {} if names else _each_a_class(evidence, ignored))


def _are_numbers(masks: list[dict[int, int]]) -> bool:
    """Whether the values count from 1 in each mask, or at least become rarer with their size, or are random."""
    counted = sum(set(mask) == set(range(1, len(mask) + 1)) for mask in masks)
    occurring: dict[int, int] = {}
    for mask in masks:
        for value in mask:
            occurring[value] = occurring.get(value, 0) + 1
    frequency = [occurring[value] for value in sorted(occurring)]
    if counted >= _INSTANCES * len(masks):
        return True
    if len(frequency) > _MANY_NUMBERS and np.mean(frequency) <= _SPREAD * len(masks):
        return True
    noise = 0.1 * len(masks)
    falling = all(later <= earlier + noise for earlier, later in pairwise(frequency))
    return falling and len(frequency) > 3 and 2 * frequency[-1] <= frequency[0]


def _each_a_class(evidence: Evidence, ignored: Mapping[int | str, str]) -> dict[str, Any]:
    values = [int(value) for value in evidence.table.values if value not in ignored]
    if len(values) > _SHOWN:
        return {}
    return {"values": {value: f"class_{value}" if value else BACKGROUND for value in values} | dict(ignored)}


def shades(evidence: Evidence) -> Meaning | None:
    """Grey masks of two values with shades between them, from smoothing or compression: a threshold."""
    table, names = evidence.table, evidence.names
    between = len(table.values) - len(evidence.anchors)
    if table.colored or len(evidence.anchors) != 2 or not between or (names is not None and len(names) != 2):
        return None
    low, high = names or (BACKGROUND, FOREGROUND)
    dark, light = evidence.anchors
    inverted = looks_inverted(table, [dark], [light])
    why = f"nearly all pixels are near {dark} or {light}; the values between are shades"
    if inverted or not (evidence.has_background or names is None):
        evidence.doubt(
            f"which is {low}: dark or light? {'Light' if inverted else 'Neither clearly'} surrounds the other",
            "the opposite would be learned", dark, light,
        )  # fmt: skip
    if _has_third(evidence):
        evidence.doubt(
            f"are all values between {dark} and {light} smoothed edges? They look like a third class",
            "areas of a third class would be split between the two others",
        )  # fmt: skip
    threshold = {"classes": [low, high], "threshold": (dark + light + 1) // 2}
    values = {0: low, IGNORE_INDEX: high}, {0: high, IGNORE_INDEX: low}
    settings, other = ({**threshold, "values": named} for named in (values[::-1] if inverted else values))
    return evidence.meaning(settings, why, other)


def transition(evidence: Evidence) -> Meaning | None:
    """Flat areas of so many values, or of values so near one another, that they are one soft transition."""
    table, anchors = evidence.table, evidence.anchors
    near = len(anchors) > _MOST_SMOOTHED or bool(np.diff(anchors).min() <= _NEAR)
    if table.colored or len(anchors) in (2, len(table.values)) or not near:
        return None
    ends = Evidence(table, [anchors[0], anchors[-1]], evidence.names)
    ends.doubt(
        f"do {anchors[0]} and {anchors[-1]} blend softly, or are there more classes? Values between them fill areas",
        "areas of other classes would be split between the two",
    )
    return shades(ends)


def _has_third(evidence: Evidence) -> bool:
    """Whether values between the two fill areas, and not only edges, or gather about one value."""
    table = evidence.table
    dark, light = evidence.anchors
    margin = (light - dark) // 6
    inner = (table.values > dark + margin) & (table.values < light - margin)
    below, above = table.values <= dark + margin, table.values >= light - margin
    smaller = min(table.flat[below].sum(), table.flat[above].sum())
    if table.flat[inner].sum() > max(_FLAT_BETWEEN * table.flat.sum(), _FLAT_OF_SMALLER * smaller):
        return True
    pixels, values = table.pixels[inner], table.values[inner]
    if pixels.sum() <= _FLAT_BETWEEN * table.pixels.sum():
        return False
    middle = values[np.searchsorted(np.cumsum(pixels), pixels.sum() / 2)]
    return bool(pixels[np.abs(values - middle) <= margin].sum() > _GATHERED * pixels.sum())
