"""Find the samples of a data set by its format's reader, split them, and settle what their masks mean."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kseg.data.classes import make_labels
from kseg.data.readers import READERS, Crowds, Listing, Reader, Source, Unpaired
from kseg.data.samples import SPLITS, Dataset, Sample, SplitName
from kseg.data.split import Folders, Fractions, Lists, Split, Splits, cut, make_split, read_lists
from kseg.errors import ConfigError, DataError
from kseg.images import printable
from kseg.labels import Match
from kseg.registry import lookup

__all__ = ["find_dataset"]


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

    Returns:
        The pairs in their splits. No picture is decoded, but to infer the classes.

    Raises:
        ConfigError: A folder is missing, or the classes contradict one another.
        UnknownNameError: There is no such format.
        DataError: There are no images; some are unpaired; two share a stem; too few to split.
    """
    root = Path(os.path.abspath(root.expanduser()))
    if not root.is_dir():
        raise ConfigError("no such folder", where="data.root", found=printable(root))
    source = Source(
        root=root, images=images, masks=masks, annotations=annotations, mask_suffix=mask_suffix,
        classes=None if classes is None else tuple(classes), values=values, unpaired=unpaired, crowds=crowds,
    )  # fmt: skip
    reader = lookup(READERS, format, kind="format", where="data.format")
    settled = make_split(split) if isinstance(split, Mapping) else split
    splits, told = _read(reader, source, settled, format)
    files = [sample.mask for name in SPLITS for sample in splits[name] if isinstance(sample.mask, Path)]
    labels = make_labels(classes, values or told, colors, files, match=match, threshold=threshold)
    return Dataset(root, labels, splits)


def _read(reader: Reader, source: Source, split: Split, format: str) -> tuple[Splits, Mapping[int | str, str]]:
    """The samples in their splits, and the values that the format tells."""
    if isinstance(split, Folders) or (isinstance(split, Lists) and format == "lists"):
        return _by_part(reader, source, split)
    listing = reader(source, None)
    if isinstance(split, Lists):
        return read_lists(listing.samples, split, source.root), listing.values
    if listing.splits:
        return _by_column(listing), listing.values
    return cut(listing.samples, split), listing.values


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
    return splits, values


def _by_column(listing: Listing) -> Splits:
    splits: dict[SplitName, list[Sample]] = {name: [] for name in SPLITS}
    for sample in listing.samples:
        splits[listing.splits[sample.key]].append(sample)
    if not splits["train"]:
        raise DataError(
            "no sample is in the split train", where="data.annotations", expected="train, val or test for each sample"
        )
    return {name: tuple(samples) for name, samples in splits.items()}
