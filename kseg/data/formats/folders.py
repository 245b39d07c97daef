"""``folders``: a folder or glob of pictures, and another of masks with the same stems."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from kseg.data.formats.listing import Found, list_files
from kseg.data.formats.reader import Listing, in_split
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec, Unpaired
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable

__all__ = ["read"]

_log = logging.getLogger("kseg")


def read(spec: DataSpec, part: str | None) -> Listing:
    """The pairs of ``spec.images`` and ``spec.masks``.

    Raises:
        ConfigError: A folder is missing, or both are the same.
        DataError: There are no images; some are unpaired; two share a stem.
    """
    found = list_files(spec.root, in_split(spec.images, part), key="data.images")
    truth = list_files(spec.root, in_split(spec.masks, part), key="data.masks")
    suffix = spec.mask_suffix
    return Listing(tuple(_pair(*_disjoin(found, truth, suffix), mask_suffix=suffix, unpaired=spec.unpaired)))


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
    return abbreviate(printable(os.path.relpath(file, found.folder)) for file in sorted(files))


def _suffix_hint(lonely: Sequence[Path], orphans: Sequence[Path]) -> str | None:
    """``set data.mask_suffix: _mask``, where that would pair the first picture."""
    stems = [file.stem for file in lonely[:1]]
    ends = {mask.stem[len(stem) :] for stem in stems for mask in orphans if mask.stem.startswith(stem)}
    return f"set data.mask_suffix: {printable(min(ends, key=len))}" if ends else None
