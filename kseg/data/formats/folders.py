"""``folders``: a folder or glob of images, and one of masks with the same stems."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from kseg.data.formats.common import report_unpaired
from kseg.data.formats.listing import ImageFiles, list_files
from kseg.data.formats.reader import Listing, in_split
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec, Unpaired
from kseg.errors import ConfigError, abbreviate
from kseg.images import printable

__all__ = ["read"]


def read(spec: DataSpec, part: str | None) -> Listing:
    """Pair the files of ``spec.images`` and ``spec.masks``.

    Raises:
        ConfigError: A folder is missing, or both are the same.
        DataError: There are no images; some are unpaired; two share a stem.
    """
    images = list_files(spec.root, in_split(spec.images, part), key="data.images")
    masks = list_files(spec.root, in_split(spec.masks, part), key="data.masks")
    suffix = spec.mask_suffix
    return Listing(tuple(_pair(*_disjoin(images, masks, suffix), mask_suffix=suffix, unpaired=spec.unpaired)))


def _disjoin(images: ImageFiles, masks: ImageFiles, suffix: str) -> tuple[ImageFiles, ImageFiles]:
    """Separate images from masks where both are in the same folder, or one folder is inside the other."""
    common = set(images.files) & set(masks.files)
    if not common:
        return images, masks
    if suffix:
        mask_files = {file for file in common if file.stem.endswith(suffix)}
        return images.without(mask_files), masks.without(common - mask_files)
    if len(common) == len(images.files) == len(masks.files):
        raise ConfigError(
            "the images and the masks are the same files", where="data.masks", found=printable(masks.folder),
            remedy="name another folder, a glob, or data.mask_suffix",
        )  # fmt: skip
    return (images, masks.without(common)) if len(common) == len(images.files) else (images.without(common), masks)


def _pair(images: ImageFiles, masks: ImageFiles, *, mask_suffix: str, unpaired: Unpaired) -> list[Sample]:
    by_wildcards = images.wildcards == masks.wildcards > 0
    image_of = {stem + mask_suffix: file for stem, file in images.by_stem(by_wildcards).items()}
    mask_of = masks.by_stem(by_wildcards)
    unpaired_images = [file for stem, file in image_of.items() if stem not in mask_of]
    unpaired_masks = [file for stem, file in mask_of.items() if stem not in image_of]
    _report_unpaired(images, masks, unpaired_images, unpaired_masks, unpaired)
    return [
        Sample(images.key(file), file, mask_of[stem]) for stem, file in sorted(image_of.items()) if stem in mask_of
    ]  # fmt: skip


def _report_unpaired(
    images: ImageFiles, masks: ImageFiles, bare: Sequence[Path], orphans: Sequence[Path], unpaired: Unpaired
) -> None:
    """Report images without a mask (``bare``) and masks without an image (``orphans``)."""
    problems = []
    if bare:
        problems.append(f"{len(bare)} of {len(images.files)} images have no mask ({_names(images, bare)})")
    if orphans:
        problems.append(f"{len(orphans)} of {len(masks.files)} masks have no image ({_names(masks, orphans)})")
    report_unpaired(
        problems, where=printable(masks.folder), expected="a mask of the same stem for each image", unpaired=unpaired,
        remaining=len(images.files) - len(bare), remedy=lambda: _suffix_hint(bare, orphans),
    )  # fmt: skip


def _names(listed: ImageFiles, files: Sequence[Path]) -> str:
    return abbreviate(printable(os.path.relpath(file, listed.folder)) for file in sorted(files))


def _suffix_hint(bare: Sequence[Path], orphans: Sequence[Path]) -> str | None:
    """``set data.mask_suffix: _mask``, if that suffix would pair the first image; else None."""
    stems = [file.stem for file in bare[:1]]
    ends = {mask.stem[len(stem) :] for stem in stems for mask in orphans if mask.stem.startswith(stem)}
    return f"set data.mask_suffix: {printable(min(ends, key=len))}" if ends else None
