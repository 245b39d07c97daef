"""What the values of masks mean, as a legend beside them says: ``labelmap.txt``, ``_classes.csv`` and the like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from kseg.data.formats.legend.find import Legend
from kseg.data.inspection.evidence import Doubt, Meaning, surrounds
from kseg.data.inspection.meaning import interpret
from kseg.data.inspection.value_table import ValueTable
from kseg.data.label_map import flat_values
from kseg.errors import abbreviate
from kseg.images import printable
from kseg.labels import BACKGROUND, IGNORE, is_color, pack_color, unpack_color

__all__ = ["interpret_legend"]

_NEAR: Final = 24
"""Channels of a colour that differ by at most this much are the same colour, after compression."""
_OFF: Final = "classes would be learned from the pixels of others"

_VOID: Final = "the background would be ignored, or unknown pixels would be learned"

Values = Mapping[int | str, str]


def interpret_legend(
    table: ValueTable, names: Sequence[str] | None, legend: Legend, palette: frozenset[str]
) -> Meaning | None:
    """Read the meaning of the values from a legend.

    Args:
        table: The values of all masks.
        names: The configured class names, in order; None if there are none.
        legend: The legend.
        palette: The colours that palette masks show, as ``#rrggbb``; empty if there are no such masks.

    Returns:
        The meaning, certain if the legend has all values and class names; None if the legend is of other masks.
    """
    if not legend.stated:
        return _from_names(table, names, legend)
    forms = [_Form(table, legend, values, colors) for values, colors in _forms(table, legend, palette)]
    form = next((form for form in forms if not form.missing), None)
    if form is None:
        partial = [form for form in forms if len(form.missing) < len(form.occurring) - 1]
        form = min(partial, key=lambda form: len(form.missing), default=None)
    return form.meaning(names) if form else None


def _from_names(table: ValueTable, names: Sequence[str] | None, legend: Legend) -> Meaning | None:
    """A legend that only lists names: what it lists are the classes."""
    if names is not None and {name.casefold() for name in names} != {name.casefold() for name in legend.names}:
        return None
    listed = tuple(names or legend.names)
    lacks_background = BACKGROUND not in listed and len(listed) > 1
    # The list keeps its order even where a background comes later.
    values: dict[int | str, str] = {v: name for v, name in legend.values.items() if isinstance(v, int)}
    if not table.colored and table.values[-1] < len(values) and not lacks_background:
        return Meaning(_settings(values, listed, set(map(int, table.values))), f"{printable(legend.path.name)} says so")
    if lacks_background and not table.colored and table.values[-1] < len(listed) and surrounds(table, 0):
        return _shifted(table, listed, printable(legend.path.name))
    read = interpret(table, listed)
    if read is None:
        return None
    why = f"{printable(legend.path.name)} lists the classes"
    return replace(read, settings={"classes": list(listed), **read.settings}, why=why)


def _shifted(table: ValueTable, listed: Sequence[str], file: str) -> Meaning:
    """The values count the classes from 0, but 0 seems to be a background that the list lacks."""
    occurring = set(map(int, table.values))
    shifted: dict[int | str, str] = {0: BACKGROUND, **{i + 1: name for i, name in enumerate(listed)}}
    literal: dict[int | str, str] = dict(enumerate(listed))
    question = f"is 0 the background, and 1 the class {listed[0]}? {file} lists no background, but 0 surrounds"
    doubt = Doubt(question, "every class would be off by one", (0,))
    settings, other = _settings(shifted, [BACKGROUND, *listed], occurring), _settings(literal, listed, occurring)
    return Meaning(settings, f"{file} lists the classes", (doubt,), other)


def _forms(
    table: ValueTable, legend: Legend, palette: frozenset[str]
) -> Iterator[tuple[Values, frozenset[int | str] | None]]:
    """The values of the legend in the forms that these masks can have, and what occurs if it is not the values."""
    if palette and legend.is_colored and not table.colored:
        yield legend.values, frozenset(palette)
    if table.colored == legend.is_colored:
        yield legend.values, None
    if legend.is_colored and not table.colored:
        yield legend.as_indices().values, None
        greys = legend.as_greys()
        if greys is not None:
            yield greys.values, None


@dataclass(frozen=True)
class _Form:
    """A form of a legend's values, compared with the values that occur.

    Args:
        table: The values of all masks.
        legend: The legend.
        values: Its values in this form.
        shown: The colours that palette masks show; None if the values themselves are meant.
    """

    table: ValueTable
    legend: Legend
    values: Values
    shown: frozenset[int | str] | None

    @cached_property
    def occurring(self) -> list[int | str]:
        """The values that stand for classes."""
        if self.shown is not None:
            return sorted(self.shown, key=str)
        table = self.table
        flat = table.flat if table.flat.any() else None
        anchors = flat_values(table.values, table.pixels, flat=flat, colored=table.colored, num_classes=None)
        exact = {table.name(int(value)) for value in table.values}
        return [table.name(value) for value in anchors] if exact - set(self.values) else sorted(exact, key=str)

    @cached_property
    def missing(self) -> list[int | str]:
        """Values that occur, and that are not in the legend, nor nearly so in smoothed masks."""
        return [value for value in self.occurring if self._listed(value) is None]

    def _listed(self, value: int | str) -> int | str | None:
        if value in self.values:
            return value
        if not self._is_smoothed:
            return None
        distances = {key: _distance(key, value) for key in self.values}
        nearest = min(distances, key=lambda key: distances[key])
        return nearest if distances[nearest] <= _NEAR else None

    @cached_property
    def _is_smoothed(self) -> bool:
        return self.shown is None and len(self.occurring) < len(self.table.values)

    def meaning(self, names: Sequence[str] | None) -> Meaning | None:
        """The meaning for the configured class names."""
        file = printable(self.legend.path.name)
        listed = {self._listed(value) for value in self.occurring}
        void = self._surrounding_void
        doubts = [*self._unlisted_doubts(file), *self._order_doubts(file), *self._void_doubts(file)]
        values: dict[int | str, str] = {**self.values, **dict.fromkeys(self.missing, IGNORE)}
        match = {"match": "nearest"} if self._is_smoothed else {}
        occurring = {value for value in listed if value is not None}
        if names is None:
            background = {**values, **dict.fromkeys(void, BACKGROUND)}
            other = _settings(background, [BACKGROUND, *self.legend.names], occurring) if void else {}
            settings = {**_settings(values, self.legend.names, occurring), **match}
            return Meaning(settings, f"{file} says so", tuple(doubts), other)
        own = {name.casefold(): name for name in names}
        renamed = {value: own.get(name.casefold(), name) for value, name in values.items()}
        unknown = [name for name in names if name not in renamed.values()]
        extra = list(dict.fromkeys(renamed[v] for v in occurring if renamed[v] not in (*names, IGNORE)))
        if unknown:
            return self._other_names(names, unknown, match)
        rest = BACKGROUND if BACKGROUND in names else IGNORE
        if extra:
            doubts.insert(0, Doubt(
                f"what are {abbreviate(extra, 3)} of {file}, which are not among the named classes?",
                "they would be learned as background, or not be learned", tuple(self._numbers(renamed, extra)),
            ))  # fmt: skip
        chosen = {value: name if name in (*names, IGNORE) else rest for value, name in renamed.items()}
        ignoring = {value: name if name in names else IGNORE for value, name in renamed.items()}
        alternative = {"values": ignoring} if extra and ignoring != chosen and len(ignoring) <= 8 else {}
        return Meaning({"values": chosen, **match}, f"{file} says so", tuple(doubts), alternative)

    @staticmethod
    def _as_numbers(values: Sequence[int | str]) -> list[int]:
        return [pack_color(str(value)) if is_color(value) else int(value) for value in values]

    def _numbers(self, values: Values, extra: Sequence[str]) -> Iterator[int]:
        if self.shown is None:
            for value, name in values.items():
                if name in extra:
                    yield pack_color(str(value)) if is_color(value) else int(value)

    def _unlisted_doubts(self, file: str) -> list[Doubt]:
        numbers = [] if self.shown is not None else self._as_numbers(self.missing)
        void = (
            bool(numbers)
            and not self.table.colored
            and all(self.table.separates(value) or self.table.pads(value) for value in numbers)
        )
        if not self.missing or void:
            return []
        question = f"what is {abbreviate(self.missing, 3)}? {file} does not list it"
        return [Doubt(question, "pixels of a class would be ignored", tuple(numbers))]

    @cached_property
    def _surrounding_void(self) -> list[int | str]:
        """Void that surrounds the classes as a background does, where there is no background."""
        if self.shown is not None or BACKGROUND in self.legend.names:
            return []
        void = [value for value in self.occurring if self.values.get(value) == IGNORE]
        return [value for value in void if surrounds(self.table, *self._as_numbers([value]))]

    def _void_doubts(self, file: str) -> list[Doubt]:
        void = self._surrounding_void
        question = f"is {abbreviate(void, 3)} unknown ground truth? {file} calls it void, but it surrounds the others"
        return [Doubt(question, _VOID, tuple(self._as_numbers(void)))] if void else []

    def _order_doubts(self, file: str) -> list[Doubt]:
        """Index masks of a legend of colours: its order is confirmed unless another value surrounds the others."""
        if self.values is self.legend.values or not self.legend.is_colored or BACKGROUND not in self.legend.names:
            return []
        around = [
            int(v) for v in self.table.values if surrounds(self.table, int(v)) and self.values.get(int(v)) != BACKGROUND
        ]
        if not around:
            return []
        question = (
            f"are the mask values the line numbers of {file}, from 0? {around[0]} surrounds, but is no background"
        )
        return [Doubt(question, _OFF, tuple(around))]

    def _other_names(self, names: Sequence[str], unknown: Sequence[str], match: Mapping[str, Any]) -> Meaning | None:
        """Names that the legend does not have: in their order, if they are as many."""
        file = printable(self.legend.path.name)
        if len(names) != len(self.legend.names):
            return None
        ordered = dict(zip(self.legend.names, names, strict=True))
        values = {value: ordered.get(name, IGNORE) for value, name in self.values.items()}
        doubt = Doubt(
            f"is {unknown[0]} the class {next(old for old, new in ordered.items() if new == unknown[0])} of {file}?",
            _OFF,
        )
        return Meaning({"values": values, **match}, f"{file} says so", (doubt,))


def _settings(values: Values, names: Sequence[str], occurring: set[int | str] | set[int]) -> dict[str, Any]:
    """The settings without the classes of the legend that no mask shows."""
    shown = {name for value, name in values.items() if value in occurring}
    classes = [name for name in names if name in shown]
    kept = {value: name for value, name in values.items() if name in (*classes, IGNORE)}
    return {"values": kept, "classes": classes}


def _distance(key: int | str, value: int | str) -> float:
    if is_color(key) != is_color(value) or (isinstance(key, str) and not is_color(key)):
        return np.inf
    if is_color(key):
        pair = (np.array(unpack_color(pack_color(str(color))), np.int64) for color in (key, value))
        first, second = pair
        return float(np.abs(first - second).max())
    return abs(int(key) - int(value))
