"""What the values of masks mean, as far as the masks themselves say: the background, void, classes, instances.

A `Meaning` is certain if no other reading is possible, else it is a guess, to be asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from kseg.data.inspection.value_table import ValueTable, border_excess
from kseg.data.label_map import flat_values
from kseg.labels import IGNORE, IGNORE_INDEX, OTHER

__all__ = ["Meaning", "interpret"]

_OUTER: Final = 0.15
"""A value surrounds the others if its share of the borders exceeds that of the centres by this much."""
_INSTANCES: Final = 0.9
"""Share of the masks, and of their regions, that must look like instance numbers."""
_FEWEST_COUNTS: Final = 3
"""Instance numbers end at this many different numbers or more over the masks."""
_BACKGROUND: Final = "background"


@dataclass(frozen=True)
class Meaning:
    """What the values mean.

    Args:
        settings: Keys of the section ``data`` → values, with which every mask value has a class.
        doubts: Why it is not certain; empty if it is.
        undecided: The values that are doubtful.
        why: What the masks show, for the report.
    """

    settings: Mapping[str, Any]
    why: str
    doubts: tuple[str, ...] = ()
    undecided: tuple[int, ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether no other reading is possible."""
        return not self.doubts


@dataclass
class _Evidence:
    """The doubts collected while a meaning is worked out."""

    doubts: list[str] = field(default_factory=list)
    undecided: list[int] = field(default_factory=list)

    def doubt(self, reason: str, *values: int) -> None:
        self.doubts.append(reason)
        self.undecided += [value for value in values if value not in self.undecided]

    def meaning(self, settings: Mapping[str, Any], why: str) -> Meaning:
        return Meaning(settings, why, tuple(self.doubts), tuple(self.undecided))


def interpret(table: ValueTable, names: Sequence[str] | None) -> Meaning | None:
    """Work out what the values mean.

    Args:
        table: The values of all masks.
        names: The configured class names, in order; None if there are none.

    Returns:
        The meaning; None if nothing can be said.
    """
    if len(table.values) < 2:
        return None
    anchors = flat_values(table.values, table.pixels, colored=table.colored, num_classes=len(names) if names else None)
    if len(anchors) < 2:
        return None
    special = _two_notations(table, names) or _instances(table, anchors, names) or _shades(table, anchors, names)
    return special or _classes(table, anchors, names)


def _two_notations(table: ValueTable, names: Sequence[str] | None) -> Meaning | None:
    """Some masks hold 0 and 1, the others 0 and 255: both notations of the same two classes."""
    if list(table.values) != [0, 1, IGNORE_INDEX] or any({1, IGNORE_INDEX} <= values for values in table.sets):
        return None
    if names is not None and len(names) != 2:
        return None
    low, high = names or (_BACKGROUND, "foreground")
    settings: dict[str, Any] = {"values": {0: low, 1: high, IGNORE_INDEX: high}}
    evidence = _Evidence()
    if names is None:
        settings["classes"] = [low, high]
        evidence.doubt("no mask holds 1 and 255 both: they seem to be one class in two notations", 1, IGNORE_INDEX)
    return evidence.meaning(settings, "some masks hold {0, 1}, the others {0, 255}")


def _instances(table: ValueTable, anchors: Sequence[int], names: Sequence[str] | None) -> Meaning | None:
    """Values 1 … n that number the objects of each image: all are one class."""
    if table.colored or not table.regions or (names is not None and len(names) > 2):
        return None
    masks = [{value: count for value, count in regions.items() if value} for regions in table.regions]
    masks = [regions for regions in masks if regions]
    counts = {len(regions) for regions in masks}
    numbered = sum(set(regions) == set(range(1, len(regions) + 1)) for regions in masks)
    single = sum(count == 1 for regions in masks for count in regions.values())
    total = sum(map(len, masks))
    if len(counts) < _FEWEST_COUNTS or numbered < _INSTANCES * len(masks) or single < _INSTANCES * total:
        return None
    high = names[-1] if names else "object"
    settings: dict[str, Any] = {"values": {0: _BACKGROUND, OTHER: high}, "classes": [_BACKGROUND, high]}
    evidence = _Evidence()
    evidence.doubt(
        f"the values seem to number the objects of each image ({min(counts)} to {max(counts)} of them, each one "
        "region), and not to be classes",
        *[value for value in anchors if value],
    )
    return evidence.meaning(settings, "each value is one region, and their number changes from image to image")


def _shades(table: ValueTable, anchors: Sequence[int], names: Sequence[str] | None) -> Meaning | None:
    """Grey masks of two values with shades between them, from smoothing or compression: a threshold."""
    if len(anchors) == len(table.values) or len(anchors) != 2 or table.colored:
        return None
    low, high = (names or (_BACKGROUND, "foreground"))[:2]
    evidence = _Evidence()
    background = _background(table, anchors, evidence) if low == _BACKGROUND else anchors[0]
    keys = (0, IGNORE_INDEX) if background == anchors[0] else (IGNORE_INDEX, 0)
    middle = (anchors[0] + anchors[1] + 1) // 2
    values = dict(zip(keys, (low, high), strict=True))
    why = f"nearly all pixels are near {anchors[0]} or {anchors[1]}; the values between are shades"
    return evidence.meaning({"classes": [low, high], "values": values, "threshold": middle}, why)


def _classes(table: ValueTable, anchors: list[int], names: Sequence[str] | None) -> Meaning | None:
    """Each value is a class, but void."""
    evidence = _Evidence()
    void = _void(table, anchors, names, evidence)
    class_values = [value for value in anchors if value not in void]
    if len(class_values) < 2:
        return None
    assigned = _assign(table, class_values, names, evidence)
    if assigned is None:
        return None
    meaning = {**assigned, **dict.fromkeys(void, IGNORE)}
    values = {table.name(value): meaning[value] for value in sorted(meaning)}
    smoothed = len(anchors) < len(table.values)
    settings: dict[str, Any] = {"values": values, **({"match": "nearest"} if smoothed else {})}
    classes = list(dict.fromkeys(assigned.values()))
    if names is None or len(classes) > len(names):
        settings["classes"] = sorted(classes, key=lambda name: name != _BACKGROUND)
    return evidence.meaning(settings, _describe(void, class_values, table))


def _describe(void: Sequence[int], class_values: Sequence[int], table: ValueTable) -> str:
    text = f"{len(class_values)} values that are classes"
    return (
        f"{text}; {', '.join(str(table.name(value)) for value in void)} lies along borders or in padding"
        if void
        else text
    )


def _void(table: ValueTable, anchors: Sequence[int], names: Sequence[str] | None, evidence: _Evidence) -> list[int]:
    """The value of unknown ground truth: certain where it lies along the borders of other regions or fills padding."""
    if len(anchors) < 3:
        return []
    surplus = len(anchors) - len(names) if names else None
    candidates = [value for value in (IGNORE_INDEX, anchors[-1]) if value in anchors and not table.colored]
    for value in dict.fromkeys(candidates):
        if table.separates(value) or table.pads(value):
            return [value]
    if surplus == 1 and names and names[0] == _BACKGROUND and candidates:
        evidence.doubt(f"{len(anchors)} values, but {len(names)} classes: {candidates[0]} may be void", candidates[0])
        return [candidates[0]]
    if surplus is None and IGNORE_INDEX in anchors and not table.colored:
        evidence.doubt("255 may be a class or void: it neither lies along borders nor fills padding", IGNORE_INDEX)
    return []


def _assign(
    table: ValueTable, values: Sequence[int], names: Sequence[str] | None, evidence: _Evidence
) -> dict[int, str] | None:
    """Value → class name."""
    if names is None:
        return _invented(table, values, evidence)
    if len(values) == len(names) + 1 and _BACKGROUND not in names:
        return _unnamed_background(table, values, names, evidence)
    if len(values) > len(names):
        return _surplus(table, values, names, evidence)
    if len(values) < len(names):
        in_order = not table.colored and values[0] >= 1 and values[-1] <= len(names)
        return {i + 1: name for i, name in enumerate(names)} if in_order else None
    return _in_order(table, values, names, evidence)


def _invented(table: ValueTable, values: Sequence[int], evidence: _Evidence) -> dict[int, str]:
    """Names for classes that nobody named, and which one is the background."""
    background = _background(table, values, evidence)
    is_clear = len(values) == 2 or border_excess(table)[background] > _OUTER
    if not is_clear and not evidence.doubts:
        evidence.doubt(f"{table.name(background)} may be the background or a class: it does not surround the others",
                       background)  # fmt: skip
    most = table.pixels[np.searchsorted(table.values, background)] * 2 > table.pixels.sum()
    has_background = is_clear or most
    invented = ["foreground" if len(values) == 2 else f"class_{table.name(value)}".replace("#", "") for value in values]
    return {
        value: _BACKGROUND if value == background and has_background else name
        for value, name in zip(values, invented, strict=True)
    }  # fmt: skip


def _in_order(
    table: ValueTable, values: Sequence[int], names: Sequence[str], evidence: _Evidence
) -> dict[int, str] | None:
    """As many values as names: the background is the value that surrounds, the others follow in ascending order."""
    counted = not table.colored and list(values) in (list(range(len(values))), list(range(1, len(values) + 1)))
    if names[0] != _BACKGROUND:
        if not counted and len(names) > 1:
            evidence.doubt("which value is which class is not said: they are assigned in ascending order", *values)
        return dict(zip(values, names, strict=True))
    background = _background(table, values, evidence)
    ordered = [background, *(value for value in values if value != background)]
    if len(values) > 2 and not (counted and background == values[0]):
        evidence.doubt("which value is which class is not said: they are assigned in ascending order", *ordered[1:])
    return dict(zip(ordered, names, strict=True))


def _unnamed_background(
    table: ValueTable, values: Sequence[int], names: Sequence[str], evidence: _Evidence
) -> dict[int, str] | None:
    """One value more than names, none of which is the background: the classes lack it."""
    background = _background(table, values, evidence)
    ordered = [background, *(value for value in values if value != background)]
    counted = not table.colored and ordered == list(range(len(values)))
    if not counted or border_excess(table)[background] <= _OUTER:
        evidence.doubt("one value more than there are classes, none of which is the background", *values)
    return dict(zip(ordered, [_BACKGROUND, *names], strict=True))


def _surplus(
    table: ValueTable, values: Sequence[int], names: Sequence[str], evidence: _Evidence
) -> dict[int, str] | None:
    """One value more than names: the last one may be void; with more, nothing can be said."""
    if len(values) != len(names) + 1:
        return None
    if names[0] == _BACKGROUND:
        return None  # void, which `_void` has taken out of grey masks; of colours, none is more likely than another
    evidence.doubt(f"{len(values)} values, but {len(names)} classes: {table.name(values[-1])} may be void", values[-1])
    return {**dict(zip(values[:-1], names, strict=True)), values[-1]: IGNORE}


def _background(table: ValueTable, values: Sequence[int], evidence: _Evidence) -> int:
    """The value of the background: 0 or black by convention, unless another one clearly surrounds the others."""
    excess = border_excess(table)
    outermost = max(values, key=lambda value: excess[value])
    surrounds = excess[outermost] > _OUTER
    if 0 in values and (outermost == 0 or not surrounds):
        return 0
    if surrounds and 0 not in values and outermost == values[0] and not table.colored:
        return outermost
    if surrounds:
        others = f", although {table.name(values[0])} is smaller" if not table.colored else ""
        evidence.doubt(f"{table.name(outermost)} surrounds the others, as a background does{others}", *values)
        return outermost
    evidence.doubt("no value clearly surrounds the others, as a background does", *values)
    return values[0]
