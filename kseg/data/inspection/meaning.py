"""What the values of masks mean, as far as the masks themselves say: the background, void, classes, instances.

A `Meaning` is certain if no other reading is possible, else it is a guess, to be asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from kseg.data.inspection.evidence import FOREGROUND, Evidence, Meaning, looks_inverted
from kseg.data.inspection.special_meanings import instances, shades, transition, two_notations
from kseg.data.inspection.value_table import ValueTable
from kseg.data.label_map import flat_values
from kseg.labels import BACKGROUND, IGNORE, IGNORE_INDEX, unpack_color

__all__ = ["interpret"]

_SHOWN: Final = 8
"""An alternative with more values is too long for a message."""
_NEAR: Final = 40
"""A value this near the middle between two others may be their mixture."""
_MIXED: Final = 0.05
"""Largest fraction of the pixels of a value that may be a mixture of others."""

_OFF: Final = "classes would be learned from the pixels of others"
_OPPOSITE: Final = "the opposite would be learned"
_VOID: Final = "a class would be ignored, or unknown pixels would be learned as a class"


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
    count = len(names) if names else None
    flat = table.flat if table.flat.any() else None
    anchors = flat_values(table.values, table.pixels, flat=flat, colored=table.colored, num_classes=count)
    if len(anchors) < 2:
        return None

    def evidence(values: Sequence[int] = anchors) -> Evidence:
        return Evidence(table, values, tuple(names) if names else None)

    steps = _steps(table, anchors)
    return (
        two_notations(evidence())
        or instances(evidence())
        or shades(evidence())
        or (shades(evidence([value for value in anchors if value not in steps])) if steps else None)
        or transition(evidence())
        or _classes(evidence())
    )


def _steps(table: ValueTable, anchors: Sequence[int]) -> list[int]:
    """The values that occur on edges only, as smoothing leaves them; none where such a value may be void."""
    ends_are_flat = all(table.flat[table.index(value)] for value in (anchors[0], anchors[-1]))
    if table.colored or anchors[-1] - anchors[0] < 2 * len(anchors) or not ends_are_flat:
        return []
    steps = [value for value in anchors[1:-1] if not table.flat[table.index(value)]]
    return [] if len(steps) == 1 and table.separates(steps[0]) else steps


def _classes(evidence: Evidence) -> Meaning | None:
    """Each value is a class, but void."""
    table = evidence.table
    void = evidence.void = _void(evidence)
    class_values = [value for value in evidence.anchors if value not in void]
    if len(class_values) < 2:
        return None
    readings = [
        {**assigned, **dict.fromkeys(void, IGNORE)} for assigned in _assign(evidence, class_values)
    ] + _unlike_void(evidence, void)  # fmt: skip
    if not readings:
        return None
    _doubt_mixtures(evidence)
    smoothed = len(evidence.anchors) < len(table.values)
    settings, *others = (_settings(evidence, reading, smoothed) for reading in readings)
    short = len(evidence.anchors) <= _SHOWN
    return evidence.meaning(settings, _describe(void, class_values, table), others[0] if others and short else None)


def _settings(evidence: Evidence, meaning: Mapping[int, str], smoothed: bool) -> dict[str, Any]:
    values = {evidence.table.name(value): meaning[value] for value in sorted(meaning)}
    settings: dict[str, Any] = {"values": values, **({"match": "nearest"} if smoothed else {})}
    classes = [name for name in dict.fromkeys(meaning.values()) if name != IGNORE]
    if evidence.names is None or len(classes) != len(evidence.names):
        first_given = [name for name in evidence.names or () if name in classes]
        ordered = dict.fromkeys([*first_given, *classes])
        settings["classes"] = sorted(ordered, key=lambda name: name != BACKGROUND)
    return settings


def _describe(void: Sequence[int], class_values: Sequence[int], table: ValueTable) -> str:
    text = f"{len(class_values)} values that are classes"
    return f"{text}, and {', '.join(str(table.name(value)) for value in void)} is void" if void else text


# --- void -------------------------------------------------------------------------------------------------------------


def _void(evidence: Evidence) -> list[int]:
    """The value of unknown ground truth: certain where it lies along borders or fills padding, and is no class."""
    table, anchors, names = evidence.table, evidence.anchors, evidence.names
    if len(anchors) < 3:
        return []
    marked = [value for value in anchors if (value and table.separates(value)) or table.pads(value)]
    certain = next(
        (value for value in (IGNORE_INDEX, anchors[-1]) if value in marked and _is_void(evidence, value)), None
    )
    if certain is not None:
        return [certain]
    surplus = len(anchors) - len(names) if names else 0
    if names is None:
        return _void_or_class(evidence, marked)
    fits = surplus == (1 if evidence.has_background else 2)
    ids, others = ([value for value in marked if (value < len(names)) is is_id] for is_id in (True, False))
    likely = [*others, *([IGNORE_INDEX, anchors[-1]] if not table.colored else []), *ids]
    candidate = next((value for value in likely if value in anchors), None) if fits else None
    if candidate is None:
        return []
    where = _where(evidence, candidate)
    evidence.doubt(
        f"is {evidence.show(candidate)} unknown ground truth{where}? Masks hold {len(anchors)} values, "
        f"but {len(names)} classes are named", _VOID, candidate,
    )  # fmt: skip
    return [candidate]


def _where(evidence: Evidence, value: int) -> str:
    if evidence.table.pads(value):
        return " (it fills edges)"
    return " (it lies along borders)" if evidence.table.separates(value) else ""


def _is_void(evidence: Evidence, value: int) -> bool:
    """Whether a value along borders or in padding cannot be a class."""
    others = [other for other in evidence.anchors if other != value]
    if evidence.table.colored or value == 0:
        return False
    if evidence.names is None:
        return value == IGNORE_INDEX and others[-1] < 2 * len(others)
    count = len(evidence.names)
    named = count if evidence.has_background or value == IGNORE_INDEX else count + 1
    return len(evidence.anchors) != count and value >= named


def _void_or_class(evidence: Evidence, marked: Sequence[int]) -> list[int]:
    """Without names: a doubt about a value that may be void; it is guessed to be so if it looks like void."""
    candidates = [*marked, *([IGNORE_INDEX] if IGNORE_INDEX in evidence.anchors and not evidence.table.colored else [])]
    if not candidates:
        return []
    value = candidates[0]
    evidence.doubt(
        f"is {evidence.show(value)} a class, or unknown ground truth{_where(evidence, value)}?", _VOID, value
    )
    return [value] if marked else []


def _unlike_void(evidence: Evidence, void: Sequence[int]) -> list[dict[int, str]]:
    """Without names: the other reading of a value that may be void."""
    if evidence.names is not None or not evidence.doubts:
        return []
    value = evidence.doubts[0].values[0] if len(evidence.doubts[0].values) == 1 else None
    if value is None or "unknown ground truth" not in evidence.doubts[0].question:
        return []
    others = [other for other in evidence.anchors if other != value]
    quiet = Evidence(evidence.table, evidence.anchors, None)
    named = next(_invented(quiet, list(evidence.anchors) if void else others))
    return [named if void else {**named, value: IGNORE}]


def _doubt_mixtures(evidence: Evidence) -> None:
    """Between the shades of two classes may lie the value of a third one."""
    table, anchors = evidence.table, evidence.anchors
    points = np.array([unpack_color(value) if table.colored else (value,) for value in anchors], np.int64)
    shares = table.share(table.pixels)[[table.index(value) for value in anchors]]
    smoothed = len(anchors) < len(table.values)
    if len(anchors) == anchors[-1] + 1 and not smoothed:
        return
    mixed = []
    for i, point in enumerate(points):
        others = np.delete(points, i, axis=0)
        middles = (others[:, np.newaxis] + others[np.newaxis]) // 2
        apart = np.abs(others[:, np.newaxis] - others[np.newaxis]).max(axis=-1) > 2 * _NEAR
        near = apart & (np.abs(middles - point).max(axis=-1) <= _NEAR)
        if near.any() and (smoothed or shares[i] <= _MIXED):
            mixed.append(anchors[i])
    if mixed:
        evidence.doubt(
            f"are there smoothed edges in the masks? {evidence.show(*mixed)} lies between two other values",
            "thin lines of a wrong class would be learned along edges", *mixed,
        )  # fmt: skip


# --- classes ----------------------------------------------------------------------------------------------------------


def _assign(evidence: Evidence, values: Sequence[int]) -> Iterator[dict[int, str]]:
    """Value → class name: the most likely reading, then others."""
    names, surplus = evidence.names, len(values) - len(evidence.names or ())
    if names is None:
        yield from _invented(evidence, values)
    elif surplus == 0:
        yield from _in_order(evidence, values, names)
    elif surplus == 1 and not evidence.has_background:
        yield from _unnamed_background(evidence, values, names)
    elif surplus < 0:
        yield from _fewer(evidence, values, names)


def _invented(evidence: Evidence, values: Sequence[int]) -> Iterator[dict[int, str]]:
    """Names for classes that nobody named, and which one is the background."""
    table = evidence.table
    if len(values) == 2:
        background = _background(evidence, values)
        other = values[0] if background == values[1] else values[1]
        yield {background: BACKGROUND, other: FOREGROUND}
        yield {background: FOREGROUND, other: BACKGROUND}
        return
    outermost, clear = evidence.outermost(values)
    named = {value: f"class_{table.name(value)}".replace("#", "") for value in values}
    with_background = {value: BACKGROUND if value == outermost else name for value, name in named.items()}
    if clear and outermost == (0 if table.colored else values[0]):
        if not _counts(evidence, values) and not table.colored:
            evidence.doubt(f"is each of {evidence.show(*values)} a class of its own?", _OFF, *values)
        yield with_background
        return
    candidate = outermost if clear else values[0]
    evidence.doubt(
        f"is {evidence.show(candidate)} the background, or a class like the others? "
        + (f"It surrounds them, but is not {'black' if table.colored else 'the smallest value'}" if clear
           else "It does not surround them"),
        "scores of the foreground would include the background, or leave out a class", candidate,
    )  # fmt: skip
    most = 2 * table.pixels[table.index(candidate)] > table.pixels.sum()
    first = {**named, candidate: BACKGROUND}
    yield from (first, named) if clear or most else (named, first)


def _counts(evidence: Evidence, values: Sequence[int]) -> bool:
    """Whether the values are 0, 1, 2 … or 1, 2, 3 …."""
    return not evidence.table.colored and values[0] <= 1 and list(values) == list(range(values[0], values[-1] + 1))


def _in_order(evidence: Evidence, values: Sequence[int], names: Sequence[str]) -> Iterator[dict[int, str]]:
    """As many values as names: the background is the value that surrounds, the others follow in ascending order."""
    counts = _counts(evidence, values)
    if not evidence.has_background:
        if not counts:
            evidence.doubt(_which(evidence, values), _OFF, *values)
        yield dict(zip(values, names, strict=True))
        if len(values) == 2:
            yield dict(zip(values, names[::-1], strict=True))
        return
    background = _background(evidence, values)
    ordered = [background, *(value for value in values if value != background)]
    if len(values) > 2 and not (counts and background == values[0]):
        evidence.doubt(_which(evidence, ordered[1:]), _OFF, *ordered[1:])
    yield dict(zip(ordered, names, strict=True))
    if len(values) == 2:
        yield dict(zip(ordered, names[::-1], strict=True))
    elif background != values[0]:
        yield dict(zip(values, names, strict=True))
    elif len(values) == 3:
        yield dict(zip((ordered[0], ordered[2], ordered[1]), names, strict=True))


def _which(evidence: Evidence, values: Sequence[int]) -> str:
    kind = "colour" if evidence.table.colored else "value"
    return f"which {kind} is which class? Nothing says so; ascending, they are {evidence.show(*values)}"


def _unnamed_background(evidence: Evidence, values: Sequence[int], names: Sequence[str]) -> Iterator[dict[int, str]]:
    """One value more than names, none of which is the background: the classes lack it, or the last value is void."""
    table = evidence.table
    outermost, clear = evidence.outermost(values)
    background = outermost if clear else values[0]
    ordered = [background, *(value for value in values if value != background)]
    counts = _counts(evidence, values) and background == values[0] == 0
    lacking = dict(zip(ordered, [BACKGROUND, *names], strict=True))
    void = {**dict(zip(values[:-1], names, strict=True)), values[-1]: IGNORE}
    if clear and counts and not table.separates(values[-1]):
        yield lacking
        return
    likely, other = (lacking, void) if clear and not table.separates(values[-1]) else (void, lacking)
    question = (
        f"is {evidence.show(background)} the background? Masks hold {len(values)} values, "
        f"but {len(names)} classes are named" if likely is lacking
        else f"is {evidence.show(values[-1])} unknown ground truth? Masks hold {len(values)} values, "
        f"but {len(names)} classes are named"
    )  # fmt: skip
    evidence.doubt(question, "every class would be off by one", *values)
    if clear and not counts and len(values) > 2:
        evidence.doubt(_which(evidence, ordered[1:]), _OFF, *ordered[1:])
    yield from (likely, other)


def _fewer(evidence: Evidence, values: Sequence[int], names: Sequence[str]) -> Iterator[dict[int, str]]:
    """Fewer values than names: they are ids of classes; where they only fit counted from 1, that is asked about."""
    if evidence.table.colored:
        return
    if values[-1] < len(names):
        yield dict(enumerate(names))
    elif values[0] >= 1 and values[-1] <= len(names):
        evidence.doubt(
            f"are the classes numbered from 1 on? No mask holds 0, and {values[-1]} is no class counted from 0",
            "every class would be off by one", *values,
        )  # fmt: skip
        yield {i + 1: name for i, name in enumerate(names)}


def _background(evidence: Evidence, values: Sequence[int]) -> int:
    """The value of the background: 0 or black by convention, unless another one clearly surrounds the others."""
    table = evidence.table
    outermost, clear = evidence.outermost(values)
    if len(values) == 2 and 0 in values and looks_inverted(table, values[:1], values[1:], evidence.void):
        inverted = values[1]
        reason = "surrounds the other, as a background does" if clear else "covers most, in fewer pieces"
        evidence.doubt(f"is {evidence.show(inverted)} the background? It {reason}", _OPPOSITE, *values)
        return inverted
    if 0 in values and (outermost == 0 or not clear):
        return 0
    if clear and outermost == values[0] and not table.colored:
        return outermost
    if clear:
        others = ", but is not black" if table.colored else ", but is not the smallest value"
        evidence.doubt(f"is {evidence.show(outermost)} the background? It surrounds the others{others}", _OPPOSITE,
                       *values)  # fmt: skip
        return outermost
    evidence.doubt(f"which of {evidence.show(*values)} is the background? None clearly surrounds the others", _OPPOSITE,
                   *values)  # fmt: skip
    return values[0]
