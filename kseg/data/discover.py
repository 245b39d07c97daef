"""Find the pictures and masks of a data set, pair them, and split the pairs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from kseg.data.classes import make_labels
from kseg.data.listing import Found, list_files
from kseg.data.samples import SPLITS, Dataset, Sample
from kseg.data.split import Folders, Fractions, Split, Splits, cut, read_lists
from kseg.errors import ConfigError, DataError, some
from kseg.images import printable

__all__ = ["Unpaired", "find_dataset"]

Unpaired = Literal["error", "skip"]

_log = logging.getLogger("kseg")
_SPLIT = "{split}"


def find_dataset(
    *,
    root: Path,
    images: str = "images",
    masks: str = "masks",
    mask_suffix: str = "",
    classes: Sequence[str] | None = None,
    values: Mapping[int | str, str] | None = None,
    colors: Sequence[str] | None = None,
    split: Split = Fractions(),  # noqa: B008 (frozen)
    unpaired: Unpaired = "error",
) -> Dataset:
    """Find the data set.

    Args:
        root: The folder that the other paths are relative to.
        images: A folder, searched at any depth, or a glob (``*/images/*.png``). With `Folders`, ``{split}`` in it
            stands for the split's sub-folder; a folder without it has the sub-folders below itself.
        masks: Likewise. A mask belongs to the picture of the same stem (path below the folder, without suffix); where
            both are globs with as many wildcards, to the picture for which these stand for the same.
        mask_suffix: What a mask's stem has after the picture's: ``_mask``.
        classes: The class names in order. Defaults to what the masks hold.
        values: On-disk mask value → class name or ``ignore``; the key ``other`` stands for all that are not listed.
            Defaults to value *i* for class *i*.
        colors: ``#rrggbb`` a class.
        split: How to split.
        unpaired: Whether a picture without a mask, or a mask without a picture, is an error or left out with a
            warning.

    Returns:
        The pairs in their splits. No file is opened, but to infer the classes.

    Raises:
        ConfigError: A folder is missing, or the classes contradict one another.
        DataError: There are no images; some are unpaired; two share a stem; too few to split.
    """
    root = Path(os.path.abspath(root.expanduser()))
    if not root.is_dir():
        raise ConfigError("no such folder", where="data.root", found=printable(root))

    def pairs(folder: str | None) -> list[Sample]:
        found = list_files(root, _in_split(images, folder), key="data.images")
        truth = list_files(root, _in_split(masks, folder), key="data.masks")
        return _pair(*_disjoin(found, truth, mask_suffix), mask_suffix=mask_suffix, unpaired=unpaired)

    if isinstance(split, Folders):
        splits = _from_folders(split, pairs)
    else:
        samples = pairs(None)
        splits = cut(samples, split) if isinstance(split, Fractions) else read_lists(samples, split, root)
    used = [sample for name in SPLITS for sample in splits[name]]
    labels = make_labels(classes, values, colors, [sample.mask for sample in used if sample.mask is not None])
    return Dataset(root, labels, splits)


def _in_split(spec: str, folder: str | None) -> str:
    if folder is None:
        return spec
    return spec.replace(_SPLIT, folder) if _SPLIT in spec else f"{spec}/{folder}"


def _from_folders(split: Folders, pairs: Callable[[str], list[Sample]]) -> Splits:
    splits: Splits = {}
    for name in SPLITS:
        folder: str = getattr(split, name)
        # The folder leads the key, since splits often number their files alike.
        splits[name] = tuple(replace(s, key=f"{folder}/{s.key}") for s in pairs(folder)) if folder else ()
    return splits


def _disjoin(images: Found, masks: Found, suffix: str) -> tuple[Found, Found]:
    """Tell pictures from masks where they lie in the same folder, or one folder lies in the other."""
    both = set(images.files) & set(masks.files)
    if not both:
        return images, masks
    if suffix:
        of_masks = {file for file in both if file.stem.endswith(suffix)}
        return images.without(of_masks), masks.without(both - of_masks)
    if len(both) == len(images.files) == len(masks.files):
        raise ConfigError(
            "the images and the masks are the same files", where="data.masks", found=printable(masks.folder),
            remedy="name another folder, a glob, or data.mask_suffix",
        )  # fmt: skip
    return (images, masks.without(both)) if len(both) == len(images.files) else (images.without(both), masks)


def _pair(images: Found, masks: Found, *, mask_suffix: str, unpaired: Unpaired) -> list[Sample]:
    by_wildcards = images.wildcards == masks.wildcards > 0
    pictures = {stem + mask_suffix: file for stem, file in images.by_stem(by_wildcards).items()}
    truth = masks.by_stem(by_wildcards)
    lonely = [file for stem, file in pictures.items() if stem not in truth]
    orphans = [file for stem, file in truth.items() if stem not in pictures]
    if lonely or orphans:
        _report_unpaired(images, masks, lonely, orphans, unpaired)
    return [
        Sample(images.key(file), file, truth[stem]) for stem, file in sorted(pictures.items()) if stem in truth
    ]  # fmt: skip


def _report_unpaired(
    images: Found, masks: Found, lonely: Sequence[Path], orphans: Sequence[Path], unpaired: Unpaired
) -> None:
    told = []
    if lonely:
        told.append(f"{len(lonely)} of {len(images.files)} images have no mask ({_names(images, lonely)})")
    if orphans:
        told.append(f"{len(orphans)} of {len(masks.files)} masks have no image ({_names(masks, orphans)})")
    if unpaired == "skip" and len(lonely) < len(images.files):
        _log.warning("%s; left out", "; ".join(told))
        return
    raise DataError(
        "; ".join(told), where=printable(masks.folder), expected="a mask of the same stem for each image",
        remedy=_suffix_hint(lonely, orphans) or "add or remove files, or set data.unpaired: skip",
    )  # fmt: skip


def _names(found: Found, files: Sequence[Path]) -> str:
    return some(printable(os.path.relpath(file, found.folder)) for file in sorted(files))


def _suffix_hint(lonely: Sequence[Path], orphans: Sequence[Path]) -> str | None:
    """``set data.mask_suffix: _mask``, where that would pair the first picture."""
    stems = [file.stem for file in lonely[:1]]
    ends = {mask.stem[len(stem) :] for stem in stems for mask in orphans if mask.stem.startswith(stem)}
    return f"set data.mask_suffix: {printable(min(ends, key=len))}" if ends else None
