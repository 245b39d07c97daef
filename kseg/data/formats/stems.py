"""Pair the images of one folder or glob with the masks of another by their stems."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from kseg.data.formats.layout.path_patterns import names_path
from kseg.data.formats.listing import ImageFiles, list_files, quoted
from kseg.data.formats.reader import SPLIT, in_split
from kseg.data.names import caseless, match_names
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, abbreviate
from kseg.images import printable

__all__ = ["StemPairs", "pair_by_stem"]

_NEARLY_ALL: Final = 0.9


@dataclass(frozen=True)
class StemPairs:
    """The images and masks of a data set, and which belong together.

    A mask belongs to the image with the same stem, after `mask_suffix`. If that leaves masks over, and nearly all masks
    have the full name of an image as their stem (``x.jpg.png`` for ``x.jpg``), they are paired by these names.

    Args:
        images: The images.
        masks: The masks.
        mask_suffix: Suffix of the masks' stems after the images'.

    Raises:
        DataError: Two images, or two masks, have the same stem.
    """

    images: ImageFiles
    masks: ImageFiles
    mask_suffix: str

    @property
    def _by_wildcards(self) -> bool:
        return self.images.wildcards == self.masks.wildcards > 0

    @cached_property
    def image_of(self) -> Mapping[str, Path]:
        """Images by their stem followed by the suffix of the masks."""
        return {stem + self.mask_suffix: file for stem, file in self.images.by_stem(self._by_wildcards).items()}

    @cached_property
    def mask_of(self) -> Mapping[str, Path]:
        """Masks by their stem."""
        return self.masks.by_stem(self._by_wildcards)

    @cached_property
    def matches(self) -> Mapping[str, str]:
        """Name in `image_of` → name in `mask_of`, of the pairs."""
        by_stem = match_names(self.image_of, self.mask_of)
        if len(by_stem) == len(self.mask_of):
            return by_stem
        by_name = self._match_full_names()
        explained = len(by_name) > len(by_stem) and len(by_name) >= _NEARLY_ALL * len(self.mask_of)
        return by_name if explained else by_stem

    def _match_full_names(self) -> Mapping[str, str]:
        length = len(self.mask_suffix)
        names = {
            f"{stem[: len(stem) - length]}{file.suffix}{self.mask_suffix}": stem for stem, file in self.image_of.items()
        }
        return {names[name]: mask for name, mask in match_names(names, self.mask_of).items()}


def pair_by_stem(spec: DataSpec, part: str | None) -> StemPairs:
    """List the files of ``spec.images`` and ``spec.masks`` and pair them.

    Raises:
        ConfigError: A folder is missing, or both are the same.
        DataError: There are no images or no masks, or a link is broken.
    """
    images, masks = (
        _without_unused(list_files(spec.root, in_split(path, part), key=key, setting=_setting(path, part)), spec)
        for path, key in ((spec.images, "data.images"), (spec.masks, "data.masks"))
    )
    return StemPairs(*_disjoin(images, masks, spec.mask_suffix), spec.mask_suffix)


def _without_unused(listed: ImageFiles, spec: DataSpec) -> ImageFiles:
    """The files without those that ``data.unused`` names."""
    if not spec.unused:
        return listed
    below = len(os.path.join(spec.root, ""))
    paths = {file: os.fspath(file)[below:].replace(os.sep, "/") for file in listed.files}
    unused = {file for file, path in paths.items() if any(names_path(name, path) for name in spec.unused)}
    if len(unused) == len(listed.files):
        raise ConfigError(
            f"data.unused names every picture of {listed.where}", where="data.unused",
            found=abbreviate(map(printable, spec.unused)), remedy=f"change data.unused or {listed.where}",
        )  # fmt: skip
    return listed.without(unused)


def _setting(path: str, part: str | None) -> str:
    """The setting that lists the same files, with ``{split}`` where `in_split` would append the part."""
    return path if part is None or SPLIT in path else f"{path}/{SPLIT}"


def _disjoin(images: ImageFiles, masks: ImageFiles, suffix: str) -> tuple[ImageFiles, ImageFiles]:
    """Separate images from masks where both are in the same folder, or one folder is inside the other."""
    if not _overlap(images.folder, masks.folder):
        return images, masks
    common = set(images.files) & set(masks.files)
    if not common:
        return images, masks
    if suffix:
        mask_files = _with_suffix(common, suffix)
        return images.without(mask_files), masks.without(common - mask_files)
    if len(common) == len(images.files) == len(masks.files):
        raise _same_files(images, masks)
    return (images, masks.without(common)) if len(common) == len(images.files) else (images.without(common), masks)


def _overlap(first: Path, second: Path) -> bool:
    paths = [os.path.join(folder, "") for folder in (first, second)]
    return paths[0].startswith(paths[1]) or paths[1].startswith(paths[0])


def _with_suffix(files: set[Path], suffix: str) -> set[Path]:
    """The masks among the files: those with the suffix, except an image (``face_mask.jpg``) with a mask of its own."""
    stem_of = {file: caseless(os.path.splitext(file)[0]) for file in files}
    stems, ending = set(stem_of.values()), caseless(suffix)

    def is_mask(stem: str) -> bool:
        image = stem.removesuffix(ending)
        return image != stem and (image in stems or stem + ending not in stems)

    return {file for file, stem in stem_of.items() if is_mask(stem)}


def _same_files(images: ImageFiles, masks: ImageFiles) -> ConfigError:
    """The error for one folder without a suffix, with globs if the files' suffixes tell images from masks."""
    suffixes = sorted({file.suffix for file in images.files})
    remedy = "name another folder, a glob, or data.mask_suffix"
    if len(suffixes) == 2:
        globs = [listed.glob(f"*{suffix}") for listed, suffix in zip((images, masks), suffixes, strict=True)]
        if all(globs):
            remedy = f"set data.images: {quoted(globs[0] or '')} and data.masks: {quoted(globs[1] or '')}"
    return ConfigError(
        "the images and the masks are the same files", where="data.masks", found=printable(masks.folder), remedy=remedy
    )
