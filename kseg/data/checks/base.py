"""What a check sees, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from kseg.data.findings import Finding
from kseg.data.report import DatasetReport, count_classes
from kseg.data.samples import SPLITS, SplitName
from kseg.data.suggest import ValueTable, tabulate, unknown_values
from kseg.data.survey import Examined, Survey
from kseg.labels import LabelMap

__all__ = ["Check", "Context"]


@dataclass(frozen=True)
class Context:
    """A data set that was read.

    Args:
        root: Its folder.
        found: What was read.
        labels: What the mask values mean; None where that could not be settled.
        settings: The configuration's ``data``, as plain values, as far as it is known.
    """

    root: Path
    found: Survey
    labels: LabelMap | None
    settings: Mapping[str, Any]

    def each(self) -> Iterator[tuple[SplitName, Examined]]:
        """Every sample with its split."""
        for name in SPLITS:
            for one in self.found.get(name, ()):
                yield name, one

    @cached_property
    def total(self) -> int:
        """How many samples there are."""
        return sum(len(examined) for examined in self.found.values())

    @cached_property
    def table(self) -> ValueTable:
        """The values of all masks."""
        return tabulate(self.found)

    @cached_property
    def report(self) -> DatasetReport | None:
        """The counts of classes; None as long as something cannot be read or has no meaning."""
        broken = any(one.problems for _, one in self.each())
        if broken or self.labels is None or len(unknown_values(self.table, self.labels)):
            return None
        return count_classes(self.found, self.labels)

    @property
    def by_fractions(self) -> bool:
        """Whether the samples were split by chance."""
        split = self.settings.get("split") or {"by": "fractions"}
        return isinstance(split, Mapping) and split.get("by") == "fractions"

    def excluding(self, keys: Iterable[str]) -> dict[str, Any]:
        """The setting that leaves samples out, beside those that it leaves out already."""
        return {"data.exclude": [*self.settings.get("exclude", ()), *keys]}


Check: TypeAlias = Callable[[Context], Iterable[Finding]]
