"""`Evidence`: what is asked about the values of masks while their meaning is worked out, and `Meaning`: the outcome."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kseg.data.inspection.value_table import ValueTable, border_excess
from kseg.labels import BACKGROUND

__all__ = ["FOREGROUND", "Doubt", "Evidence", "Meaning", "looks_inverted", "surrounds"]

FOREGROUND: Final = "foreground"
"""The name of the only other class than the background, where nobody names it."""

_OUTER: Final = 0.15
"""A value surrounds the others if its share of the borders exceeds that of the centres by this much."""


@dataclass(frozen=True)
class Doubt:
    """A question about values.

    Args:
        question: One line, with a question mark.
        wrong: What a wrong answer does.
        values: The values that it is about.
    """

    question: str
    wrong: str
    values: tuple[int, ...] = ()


@dataclass(frozen=True)
class Meaning:
    """What the values mean.

    Args:
        settings: Keys of the section ``data`` → values, with which every mask value has a class.
        why: What the masks or a legend show, for the report.
        doubts: Why it is not certain; empty if it is.
        alternative: The settings of the other answer to the first doubt; empty if there is no other single one.
    """

    settings: Mapping[str, Any]
    why: str
    doubts: tuple[Doubt, ...] = ()
    alternative: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_certain(self) -> bool:
        """Whether no other reading is possible."""
        return not self.doubts

    @property
    def undecided(self) -> tuple[int, ...]:
        """The mask values that doubts are about."""
        return tuple(dict.fromkeys(value for doubt in self.doubts for value in doubt.values))


@dataclass
class Evidence:
    """The values of masks, the names of their classes, and the doubts about them.

    Args:
        table: The values of all masks.
        anchors: The values that may stand for classes, without shades, ascending.
        names: The configured class names, in order; None if there are none.
        void: The values that are void.
        doubts: Collected while the meaning is worked out.
    """

    table: ValueTable
    anchors: Sequence[int]
    names: tuple[str, ...] | None
    void: list[int] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)

    @property
    def has_background(self) -> bool:
        """Whether the first name is that of the background."""
        return bool(self.names) and self.names is not None and self.names[0] == BACKGROUND

    def outermost(self, values: Sequence[int]) -> tuple[int, bool]:
        """The value that lies at the borders most, and whether it clearly surrounds the others."""
        excess = border_excess(self.table, self.void)
        value = max(values, key=lambda value: excess[value])
        return value, excess[value] > _OUTER

    def doubt(self, question: str, wrong: str, *values: int) -> None:
        """Add a doubt, which makes the meaning a guess."""
        self.doubts.append(Doubt(question, wrong, values))

    def meaning(self, settings: Mapping[str, Any], why: str, alternative: Mapping[str, Any] | None = None) -> Meaning:
        """The meaning with the doubts so far."""
        return Meaning(settings, why, tuple(self.doubts), alternative or {})

    def show(self, *values: int) -> str:
        """Values as they are written in the configuration, for messages; many are abbreviated."""
        names = [str(self.table.name(value)) for value in values]
        return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])}, … {names[-1]}"


def surrounds(table: ValueTable, *values: int, void: Collection[int] = ()) -> bool:
    """Whether a value, or several ones together, clearly surround the others but void, as a background does."""
    excess = border_excess(table, void)
    return sum(excess[value] for value in values) > _OUTER


def looks_inverted(
    table: ValueTable, background: Sequence[int], other: Sequence[int], void: Collection[int] = ()
) -> bool:
    """Whether the values of an object are more likely those of the background.

    They surround the others but void; or neither do, but they cover most pixels, in fewer regions.
    """
    if surrounds(table, *other, void=void):
        return True
    pixels, regions = (
        [sum(measure(value) for value in values) for values in (background, other)]
        for measure in (lambda value: table.pixels[table.index(value)], table.mean_regions)
    )
    around = surrounds(table, *background, void=void)
    return not around and bool(pixels[0] < pixels[1]) and bool(regions[0] > regions[1])
