"""Find the samples of a data set with the reader of its format, split them, and determine the label map."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from kseg.data.dataset import Dataset
from kseg.data.formats.reader import Listing, Reader
from kseg.data.formats.table import READERS
from kseg.data.label_map import resolve_label_map
from kseg.data.pages import pages_line, with_pages
from kseg.data.sample import SPLITS, Sample, SplitName, Splits
from kseg.data.spec import DataSpec, Folders, Fractions, Lists
from kseg.data.splits.cut import cut
from kseg.data.splits.lists import read_lists, require_disjoint
from kseg.errors import ConfigError, DataError
from kseg.images import printable
from kseg.labels import LabelMap, values_line
from kseg.registry import lookup

__all__ = ["Selection", "find_dataset", "find_samples"]

_log = logging.getLogger("kseg")


@dataclass(frozen=True)
class Selection:
    """Samples in their splits, before the label map is determined.

    Args:
        splits: Split → its samples.
        values: On-disk mask value → class, if the format defines it; else empty.
        by_class: The fractions for a split stratified by class, which needs the label map; None for other splits.
        split_by: What decides the split: the setting, or the data set itself, such as a column of a manifest.
        val_from_train: Whether the validation images were chosen from those of training, for lack of others.
    """

    splits: Splits
    values: Mapping[int | str, str]
    by_class: Fractions | None = None
    val_from_train: bool = False
    split_by: Literal["fractions", "folders", "lists", "data"] = "fractions"

    def stratified(self, labels: LabelMap) -> Splits:
        """The final splits, given the label map; reads the masks if the split is stratified."""
        if self.by_class is None:
            return self.splits
        return cut([sample for name in SPLITS for sample in self.splits[name]], self.by_class, labels)

    def validation(self) -> str:
        """How the validation images were chosen from those of training, for messages."""
        val, train = len(self.splits["val"]), len(self.splits["train"])
        return f"{val} of the {val + train} training images, chosen at random, are kept for validation"

    def mask_files(self) -> list[tuple[Path, int]]:
        """The masks that are image files (not objects to be drawn), each with its page."""
        samples = [sample for name in SPLITS for sample in self.splits[name]]
        return [(sample.mask, sample.page or 0) for sample in samples if isinstance(sample.mask, Path)]


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
    if spec.pages is None and (line := pages_line(sample for name in SPLITS for sample in selection.splits[name])):
        _log.info("%s; data.pages: first takes the first of each file only", line)
    if spec.classes is None and not (selection.values or spec.values):
        _log.info("classes inferred from the masks: data.values: %s", values_line(labels.values))
    if selection.val_from_train:
        _log.info("no validation images: %s", selection.validation())
    return Dataset(spec.root, labels, selection.stratified(labels))


def find_samples(spec: DataSpec) -> Selection:
    """The first half of `find_dataset`, which does not open masks; same exceptions."""
    if not spec.root.is_dir():
        raise ConfigError("no such folder", where="data.root", found=printable(spec.root))
    return _with_validation(_selection(spec), spec)


def _selection(spec: DataSpec) -> Selection:
    reader = _Filtered(lookup(READERS, spec.format, kind="format", where="data.format"))
    split = spec.split
    if isinstance(split, Folders) or (isinstance(split, Lists) and spec.format == "lists"):
        return Selection(*_by_part(reader, spec, split), split_by=split.by)
    listing = reader(spec, None)
    if isinstance(split, Lists):
        return Selection(read_lists(listing.samples, split, spec.root), listing.values, split_by=split.by)
    if listing.splits:
        return Selection(_by_column(listing), listing.values, split_by="data")
    # A stratified split needs the label map first; until then the split is only by name.
    unstratified = replace(split, stratify=False, group=None, copies=None) if split.stratify else split
    return Selection(cut(listing.samples, unstratified), listing.values, split if split.stratify else None)


def _with_validation(selection: Selection, spec: DataSpec) -> Selection:
    """The selection; where the data set has no validation images, a part of the training images becomes them."""
    train, split = selection.splits.get("train", ()), spec.split
    if selection.splits.get("val") or len(train) < 2:
        return selection
    share = split.val / (split.train + split.val) if isinstance(split, Fractions) else split.val_fraction
    if not share:
        return selection
    parts = cut(train, Fractions(1.0 - share, share, 0.0, split.seed))
    splits: Splits = {**selection.splits, "train": parts["train"], "val": parts["val"]}
    return replace(selection, splits=splits, val_from_train=True)


@dataclass(frozen=True)
class _Filtered:
    """A reader with ``data.exclude``, ``data.mask_orientation``, ``data.mask_size`` and ``data.pages`` applied."""

    reader: Reader

    def __call__(self, spec: DataSpec, part: str | None) -> Listing:
        listing = self.reader(spec, part)
        prefix = f"{part}/" if part else ""
        files = [sample for sample in listing.samples if not _excluded(spec, sample.key, prefix)]
        pages_of = list(zip(files, with_pages(files, spec.pages), strict=True))
        samples = [
            replace(sample, turned=spec.mask_orientation == "image", scaled=spec.mask_size == "scaled")
            for _, pages in pages_of
            for sample in pages
            if sample.page is None or not _excluded(spec, sample.key, prefix)
        ]
        splits = {
            sample.key: listing.splits[file.key]
            for file, pages in pages_of
            for sample in pages
            if file.key in listing.splits
        }
        return replace(listing, samples=tuple(samples), splits=splits)


def _excluded(spec: DataSpec, key: str, prefix: str) -> bool:
    # Compared as text, too: a key may contain brackets, which a glob reads as a set.
    return any(name in (key, prefix + key) or fnmatchcase(prefix + key, name) for name in spec.exclude)


def _by_part(reader: Reader, spec: DataSpec, split: Folders | Lists) -> tuple[Splits, Mapping[int | str, str]]:
    splits: Splits = {}
    values: dict[int | str, str] = {}
    for name in SPLITS:
        part: str = getattr(split, name)
        listing = reader(spec, part) if part else Listing(())
        _require_same_classes(values, listing.values, name)
        values |= listing.values
        splits[name] = listing.samples
        if isinstance(split, Folders):
            # Prefixed by the folder, since splits often use the same file names.
            splits[name] = tuple(replace(sample, key=f"{part}/{sample.key}") for sample in listing.samples)
    if isinstance(split, Lists):
        require_disjoint(splits)
    return splits, values


def _require_same_classes(values: Mapping[int | str, str], others: Mapping[int | str, str], split: SplitName) -> None:
    """Refuse annotation files that number the same classes differently, as some tools do for each export."""
    conflicts = [value for value, name in others.items() if values.get(value, name) != name]
    if conflicts:
        value = conflicts[0]
        raise DataError(
            f"the annotations of {split} number the classes differently", where="data.annotations",
            expected=f"{value} for {values[value]}, as in the splits before", found=f"{value} for {others[value]}",
            remedy="give each class the same number in every annotation file",
        )  # fmt: skip


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
