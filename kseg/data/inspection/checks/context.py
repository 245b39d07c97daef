"""`Context`: the input of a check, and `Check`: its type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypedDict

import numpy as np

from kseg.data.formats.legend.find import Legend, find_legend
from kseg.data.inspection.counts import DatasetReport, count_classes
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.survey import SampleFacts, Survey
from kseg.data.inspection.value_table import ValueTable, tabulate, unknown_values
from kseg.data.sample import SPLITS, SplitName
from kseg.data.spec import DataSpec, Fractions
from kseg.data.truth import read_values
from kseg.labels import LabelMap, format_color, unpack_color

__all__ = ["MOST_DROPPED", "Check", "Context", "Dropping"]

_PALETTES: Final = 20
"""Palette masks whose colours are read."""


MOST_DROPPED: Final = 0.05
"""Fraction of all samples up to which a fix may leave them out unasked."""


class Dropping(TypedDict, total=False):
    """A setting that leaves samples out, as an argument of `Finding`: certain or asked about."""

    fix: Mapping[str, Any]
    guess: Mapping[str, Any]


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

    @cached_property
    def legend(self) -> Legend | None:
        """The file beside the masks that says what their values mean. Raises DataError if it is malformed."""
        folders = {mask.parent for _, facts in self.samples() if isinstance(mask := facts.sample.mask, Path)}
        return find_legend(self.spec.root, sorted(folders)) if folders else None

    @cached_property
    def palette(self) -> frozenset[str]:
        """The colours of palette masks, as ``#rrggbb``, from a few of them; empty if there are none."""
        masks = [(facts.sample, facts.mask.header) for _, facts in self.samples() if facts.mask is not None]
        samples = [sample for sample, header in masks if header is not None and header.mode == "P"]
        packed = {int(color) for sample in samples[:_PALETTES] for color in np.unique(read_values(sample, colors=True))}
        return frozenset(format_color(unpack_color(color)) for color in packed)

    @property
    def basis(self) -> Literal["told", "default", "inferred"]:
        """Where the meaning of the mask values comes from.

        ``told``: the configuration, or a format that defines it. ``default``: classes are configured, so value i is
        class i. ``inferred``: neither is.
        """
        if self.spec.values or self.spec.threshold is not None or self.spec.defines_values:
            return "told"
        return "inferred" if self.spec.classes is None else "default"

    @property
    def by_fractions(self) -> bool:
        """Whether the samples were split at random, by fractions."""
        return isinstance(self.spec.split, Fractions)

    @property
    def is_stratified(self) -> bool:
        """Whether the split is stratified by class."""
        return isinstance(self.spec.split, Fractions) and self.spec.split.stratify

    def dropping(self, keys: Sequence[str]) -> Dropping:
        """The setting that leaves these samples out, as a `Finding`'s fix.

        As a guess, if they are many: then something else is wrong, which should be mended instead.
        """
        if len(set(keys)) > MOST_DROPPED * self.total:
            return {"guess": self.excluding(keys)}
        return {"fix": self.excluding(keys)}

    def excluding(self, keys: Iterable[str]) -> dict[str, Any]:
        """The setting that excludes these samples in addition to those excluded already."""
        return {"data.exclude": [*self.spec.exclude, *keys]}


Check: TypeAlias = Callable[[Context], Iterable[Finding]]
