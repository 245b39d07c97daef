"""`Context`: the input of a check, and `Check`: its type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from kseg.data.inspection.counts import DatasetReport, count_classes
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.suggest import ValueTable, tabulate, unknown_values
from kseg.data.inspection.survey import SampleFacts, Survey
from kseg.data.sample import SPLITS, SplitName
from kseg.data.spec import DataSpec, Fractions
from kseg.labels import LabelMap

__all__ = ["Check", "Context"]


@dataclass(frozen=True)
class Context:
    """A surveyed data set, with the counts that several checks need.

    Args:
        spec: The data set.
        survey: The facts about its images and masks.
        labels: The label map; None if the classes are unknown.
    """

    spec: DataSpec
    survey: Survey
    labels: LabelMap | None

    def samples(self) -> Iterator[tuple[SplitName, SampleFacts]]:
        """The facts about every sample, with its split."""
        for name in SPLITS:
            for facts in self.survey.get(name, ()):
                yield name, facts

    @cached_property
    def total(self) -> int:
        """Number of samples in all splits."""
        return sum(len(examined) for examined in self.survey.values())

    @cached_property
    def table(self) -> ValueTable:
        """The values of all masks together."""
        return tabulate(self.survey)

    @cached_property
    def report(self) -> DatasetReport | None:
        """Pixels and images of each class; None if a file cannot be read, or a mask value is not in the label map."""
        broken = any(facts.problems for _, facts in self.samples())
        if broken or self.labels is None or len(unknown_values(self.table, self.labels)):
            return None
        return count_classes(self.survey, self.labels)

    @property
    def by_fractions(self) -> bool:
        """Whether the samples were split at random, by fractions."""
        return isinstance(self.spec.split, Fractions)

    @property
    def is_stratified(self) -> bool:
        """Whether the split is stratified by class."""
        return isinstance(self.spec.split, Fractions) and self.spec.split.stratify

    def excluding(self, keys: Iterable[str]) -> dict[str, Any]:
        """The setting that excludes these samples in addition to those excluded already."""
        return {"data.exclude": [*self.spec.exclude, *keys]}


Check: TypeAlias = Callable[[Context], Iterable[Finding]]
