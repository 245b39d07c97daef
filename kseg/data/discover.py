"""Find the samples of a data set by its format's reader, split them, and settle what their masks mean."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from kseg.data.classes import make_labels
from kseg.data.readers import READERS, Crowds, Listing, Reader, Source, Unpaired
from kseg.data.samples import SPLITS, Dataset, Sample, SplitName
from kseg.data.split import Folders, Fractions, Lists, Split, Splits, cut, make_split, read_lists, require_apart
from kseg.errors import ConfigError, DataError
from kseg.images import printable
from kseg.labels import LabelMap, Match
from kseg.registry import lookup

__all__ = ["MaskOrientation", "Selection", "find_dataset", "find_samples"]

MaskOrientation = Literal["own", "image"]


@dataclass(frozen=True)
class Selection:
    """Samples in their splits, before it is settled what their masks mean.

    Args:
        root: The data set's folder, absolute.
        splits: The samples of each split.
        values: On-disk mask value → class, where the format tells; else empty.
        by_class: How to split anew by the classes that are in the masks, where that is wanted.
    """

    root: Path
    splits: Splits
    values: Mapping[int | str, str]
    by_class: Fractions | None = None

    def stratified(self, labels: LabelMap) -> Splits:
        """The samples in the splits that hold, now that their classes are known."""
        if self.by_class is None:
            return self.splits
        return cut([sample for name in SPLITS for sample in self.splits[name]], self.by_class, labels)

    def mask_files(self) -> list[Path]:
        """The masks that are files of their own."""
        return [sample.mask for name in SPLITS for sample in self.splits[name] if isinstance(sample.mask, Path)]


def find_dataset(
    *,
    root: Path,
    format: str = "folders",
    images: str = "images",
    masks: str = "masks",
    annotations: str | None = None,
    mask_suffix: str = "",
    classes: Sequence[str] | None = None,
    values: Mapping[int | str, str] | None = None,
    match: Match = "exact",
    threshold: int | None = None,
    colors: Sequence[str] | None = None,
    crowds: Crowds = "ignore",
    split: Split | Mapping[str, Any] = Fractions(),  # noqa: B008 (frozen)
    unpaired: Unpaired = "error",
    exclude: Sequence[str] = (),
    mask_orientation: MaskOrientation = "own",
) -> Dataset:
    """Find the data set.

    Args:
        root: The folder that the other paths are relative to.
        format: The reader, see `kseg.data.readers.READERS`.
        images: A folder, searched at any depth, or a glob (``*/images/*.png``). With `Folders`, ``{split}`` in it
            stands for the split's sub-folder; a folder without it has the sub-folders below itself.
        masks: Likewise. A mask belongs to the picture of the same stem (path below the folder, without suffix); where
            both are globs with as many wildcards, to the picture for which these stand for the same.
        annotations: The file or folder of the annotations, for formats that have such.
        mask_suffix: What a mask's stem has after the picture's: ``_mask``.
        classes: The class names in order. Defaults to what the format or the masks hold.
        values: On-disk mask value or colour → class name or ``ignore``; the key ``other`` stands for all that are not
            listed. Defaults to what the format says, else to value *i* for class *i*.
        match: Whether a value that is not listed is taken for the nearest one.
        threshold: Mask values from this one on count as 255, those below as 0.
        colors: ``#rrggbb`` a class, for pictures.
        crowds: What to do with COCO's crowd regions.
        split: How to split, or its plain settings as `make_split` takes them.
        unpaired: Whether a picture without a mask, or a mask without a picture, is an error or left out with a
            warning.
        exclude: Keys of samples to leave out, or globs for them.
        mask_orientation: Whether masks are turned by their own EXIF orientation or by their picture's.

    Returns:
        The pairs in their splits. No picture is decoded, but to infer the classes and where the split asks for it.

    Raises:
        ConfigError: A folder is missing, or the classes contradict one another.
        UnknownNameError: There is no such format.
        DataError: There are no images; some are unpaired; two share a stem; too few to split.
    """
    selection = find_samples(
        root=root, format=format, images=images, masks=masks, annotations=annotations, mask_suffix=mask_suffix,
        classes=classes, values=values, crowds=crowds, split=split, unpaired=unpaired, exclude=exclude,
        mask_orientation=mask_orientation,
    )  # fmt: skip
    told = selection.values or values
    labels = make_labels(classes, told, colors, selection.mask_files(), match=match, threshold=threshold)
    return Dataset(selection.root, labels, selection.stratified(labels))


def find_samples(
    *,
    root: Path,
    format: str,
    images: str,
    masks: str,
    annotations: str | None,
    mask_suffix: str,
    classes: Sequence[str] | None,
    values: Mapping[int | str, str] | None,
    crowds: Crowds,
    split: Split | Mapping[str, Any],
    unpaired: Unpaired,
    exclude: Sequence[str],
    mask_orientation: MaskOrientation,
) -> Selection:
    """The first half of `find_dataset`, whose arguments it takes: no mask is opened."""
    root = Path(os.path.abspath(root.expanduser()))
    if not root.is_dir():
        raise ConfigError("no such folder", where="data.root", found=printable(root))
    source = Source(
        root=root, images=images, masks=masks, annotations=annotations, mask_suffix=mask_suffix,
        classes=None if classes is None else tuple(classes), values=values, unpaired=unpaired, crowds=crowds,
    )  # fmt: skip
    reader = _Filtered(lookup(READERS, format, kind="format", where="data.format"), exclude, mask_orientation)
    settled = make_split(split) if isinstance(split, Mapping) else split
    if isinstance(settled, Folders) or (isinstance(settled, Lists) and format == "lists"):
        return Selection(root, *_by_part(reader, source, settled))
    listing = reader(source, None)
    if isinstance(settled, Lists):
        return Selection(root, read_lists(listing.samples, settled, root), listing.values)
    if listing.splits:
        return Selection(root, _by_column(listing), listing.values)
    # Where the masks decide, what they mean comes first.
    first = Fractions(settled.train, settled.val, settled.test, settled.seed) if settled.stratify else settled
    return Selection(root, cut(listing.samples, first), listing.values, settled if settled.stratify else None)


@dataclass(frozen=True)
class _Filtered:
    """A reader, less the samples that are left out, and with masks turned as asked."""

    reader: Reader
    exclude: Sequence[str]
    orientation: MaskOrientation

    def __call__(self, source: Source, part: str | None) -> Listing:
        listing = self.reader(source, part)
        lead = f"{part}/" if part else ""
        kept = [sample for sample in listing.samples if not self._excluded(sample.key, lead)]
        if self.orientation == "image":
            kept = [replace(sample, turned=True) for sample in kept]
        return replace(listing, samples=tuple(kept))

    def _excluded(self, key: str, lead: str) -> bool:
        # A key may itself hold a bracket, which a glob would read as a set.
        return any(name in (key, lead + key) or fnmatchcase(lead + key, name) for name in self.exclude)


def _by_part(reader: Reader, source: Source, split: Folders | Lists) -> tuple[Splits, Mapping[int | str, str]]:
    splits: Splits = {}
    values: dict[int | str, str] = {}
    for name in SPLITS:
        part: str = getattr(split, name)
        listing = reader(source, part) if part else Listing(())
        values |= listing.values
        splits[name] = listing.samples
        if isinstance(split, Folders):
            # The folder leads the key, since splits often number their files alike.
            splits[name] = tuple(replace(sample, key=f"{part}/{sample.key}") for sample in listing.samples)
    if isinstance(split, Lists):
        require_apart(splits)
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
