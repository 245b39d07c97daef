"""What a check sees, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from kseg.data.inspection.counts import DatasetReport, count_classes
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.suggest import ValueTable, tabulate, unknown_values
from kseg.data.inspection.survey import Examined, Survey
from kseg.data.sample import SPLITS, SplitName
from kseg.data.spec import DataSpec, Fractions
from kseg.labels import LabelMap

__all__ = ["Check", "Context"]


@dataclass(frozen=True)
class Context:
    """A data set that was read.

    Args:
        spec: Its description, as far as it is known.
        survey: What was read.
        labels: What the mask values mean; None where that could not be settled.
    """

    spec: DataSpec
    survey: Survey
    labels: LabelMap | None

    def each(self) -> Iterator[tuple[SplitName, Examined]]:
        """Every sample with its split."""
        for name in SPLITS:
            for one in self.survey.get(name, ()):
                yield name, one

    @cached_property
    def total(self) -> int:
        """How many samples there are."""
        return sum(len(examined) for examined in self.survey.values())

    @cached_property
    def table(self) -> ValueTable:
        """The values of all masks."""
        return tabulate(self.survey)

    @cached_property
    def report(self) -> DatasetReport | None:
        """The counts of classes; None as long as something cannot be read or has no meaning."""
        broken = any(one.problems for _, one in self.each())
        if broken or self.labels is None or len(unknown_values(self.table, self.labels)):
            return None
        return count_classes(self.survey, self.labels)

    @property
    def by_fractions(self) -> bool:
        """Whether the samples were split by chance."""
        return isinstance(self.spec.split, Fractions)

    @property
    def is_stratified(self) -> bool:
        """Whether each split got its share of each class."""
        return isinstance(self.spec.split, Fractions) and self.spec.split.stratify

    def excluding(self, keys: Iterable[str]) -> dict[str, Any]:
        """The setting that leaves samples out, beside those that it leaves out already."""
        return {"data.exclude": [*self.spec.exclude, *keys]}


Check: TypeAlias = Callable[[Context], Iterable[Finding]]
