"""Find the samples of a data set with the reader of its format, split them, and determine the label map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from kseg.data.dataset import Dataset
from kseg.data.formats.reader import Listing, Reader
from kseg.data.formats.table import READERS
from kseg.data.label_map import resolve_label_map
from kseg.data.sample import SPLITS, Sample, SplitName, Splits
from kseg.data.spec import DataSpec, Folders, Fractions, Lists
from kseg.data.splits.cut import cut
from kseg.data.splits.lists import read_lists, require_disjoint
from kseg.errors import ConfigError, DataError
from kseg.images import printable
from kseg.labels import LabelMap
from kseg.registry import lookup

__all__ = ["Selection", "find_dataset", "find_samples"]


@dataclass(frozen=True)
class Selection:
    """Samples in their splits, before the label map is determined.

    Args:
        splits: Split → its samples.
        values: On-disk mask value → class, if the format defines it; else empty.
        by_class: The fractions for a split stratified by class, which needs the label map; None for other splits.
    """

    splits: Splits
    values: Mapping[int | str, str]
    by_class: Fractions | None = None

    def stratified(self, labels: LabelMap) -> Splits:
        """The final splits, given the label map; reads the masks if the split is stratified."""
        if self.by_class is None:
            return self.splits
        return cut([sample for name in SPLITS for sample in self.splits[name]], self.by_class, labels)

    def mask_files(self) -> list[Path]:
        """The masks that are image files (not objects to be drawn)."""
        return [sample.mask for name in SPLITS for sample in self.splits[name] if isinstance(sample.mask, Path)]


def find_dataset(spec: DataSpec) -> Dataset:
    """Find the samples of a data set and split them.

    Images and masks are only decoded to infer the classes, for a stratified split, and to find copies.

    Raises:
        ConfigError: A folder is missing, or the classes contradict one another.
        UnknownNameError: There is no such format.
        DataError: There are no images, some are unpaired, two share a stem, or there are too few to split.
    """
    selection = find_samples(spec)
    labels = resolve_label_map(spec, selection.values, selection.mask_files())
    return Dataset(spec.root, labels, selection.stratified(labels))


def find_samples(spec: DataSpec) -> Selection:
    """The first half of `find_dataset`, which does not open masks; same exceptions."""
    if not spec.root.is_dir():
        raise ConfigError("no such folder", where="data.root", found=printable(spec.root))
    reader = _Filtered(lookup(READERS, spec.format, kind="format", where="data.format"))
    split = spec.split
    if isinstance(split, Folders) or (isinstance(split, Lists) and spec.format == "lists"):
        return Selection(*_by_part(reader, spec, split))
    listing = reader(spec, None)
    if isinstance(split, Lists):
        return Selection(read_lists(listing.samples, split, spec.root), listing.values)
    if listing.splits:
        return Selection(_by_column(listing), listing.values)
    # A stratified split needs the label map first; until then the split is only by name.
    unstratified = replace(split, stratify=False, group=None, copies=None) if split.stratify else split
    return Selection(cut(listing.samples, unstratified), listing.values, split if split.stratify else None)


@dataclass(frozen=True)
class _Filtered:
    """A reader without the samples of ``data.exclude``, and with ``data.mask_orientation`` applied."""

    reader: Reader

    def __call__(self, spec: DataSpec, part: str | None) -> Listing:
        listing = self.reader(spec, part)
        prefix = f"{part}/" if part else ""
        samples = [sample for sample in listing.samples if not _excluded(spec, sample.key, prefix)]
        if spec.mask_orientation == "image":
            samples = [replace(sample, turned=True) for sample in samples]
        return replace(listing, samples=tuple(samples))


def _excluded(spec: DataSpec, key: str, prefix: str) -> bool:
    # Compared as text, too: a key may contain brackets, which a glob reads as a set.
    return any(name in (key, prefix + key) or fnmatchcase(prefix + key, name) for name in spec.exclude)


def _by_part(reader: Reader, spec: DataSpec, split: Folders | Lists) -> tuple[Splits, Mapping[int | str, str]]:
    splits: Splits = {}
    values: dict[int | str, str] = {}
    for name in SPLITS:
        part: str = getattr(split, name)
        listing = reader(spec, part) if part else Listing(())
        values |= listing.values
        splits[name] = listing.samples
        if isinstance(split, Folders):
            # Prefixed by the folder, since splits often use the same file names.
            splits[name] = tuple(replace(sample, key=f"{part}/{sample.key}") for sample in listing.samples)
    if isinstance(split, Lists):
        require_disjoint(splits)
    return splits, values


def _by_column(listing: Listing) -> Splits:
    splits: dict[SplitName, list[Sample]] = {name: [] for name in SPLITS}
    for sample in listing.samples:
        if sample.key in listing.splits:
            splits[listing.splits[sample.key]].append(sample)
    if not any(splits.values()):
        raise DataError(
            "no sample is in a split", where="data.annotations", expected="train, val or test for each sample"
        )
    return {name: tuple(samples) for name, samples in splits.items()}
