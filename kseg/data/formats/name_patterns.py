"""How the file names of masks differ from those of their images: by a suffix, a prefix, or the type of the file."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass
from typing import Any, Final

from kseg.data.formats.folder_roles import is_mask_name

__all__ = ["Decoration", "decoration_between", "decorations_within"]

_LOSSY: Final = (".jpg", ".jpeg", ".jfif")
_FIRST: Final = 20
"""Stems from which a decoration is derived; it is then tried on all."""


@dataclass(frozen=True)
class Decoration:
    """How the names of masks differ from those of their images.

    Args:
        suffix: What follows the image's stem in the mask's: `DataSpec.mask_suffix`.
        images: The pattern of the images' names, for a prefix or a file type of their own; "" for all.
        masks: The same of the masks.
    """

    suffix: str = ""
    images: str = ""
    masks: str = ""

    def apply(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The settings of images and masks with this decoration."""
        named = {key: _below(settings[key], getattr(self, key)) for key in ("images", "masks")}
        return {**settings, **named, **({"mask_suffix": self.suffix} if self.suffix else {})}


def _below(folder: str, pattern: str) -> str:
    if not pattern:
        return folder
    return pattern if folder == "." else f"{folder}/{pattern}"


def decoration_between(images: Set[str], masks: Set[str]) -> tuple[Decoration | None, int]:
    """The decoration that pairs the stems of two folders, and the number of pairs; None if none does."""
    same = len(images & masks)
    if same:
        return Decoration(), same
    candidates = Counter(
        mask[len(image) :] for image in sorted(images)[:_FIRST] for mask in masks if mask.startswith(image)
    )
    for suffix, _ in candidates.most_common(3):
        count = sum(image + suffix in masks for image in images)
        if 2 * count >= min(len(images), len(masks)):
            return Decoration(suffix=suffix), count
    return _prefixed(images, masks)


def _prefixed(images: Set[str], masks: Set[str]) -> tuple[Decoration | None, int]:
    """Names such as ``IMG_1`` and ``mask_1``: what is equal within each folder, before the number."""
    first, second = _prefix(images), _prefix(masks)
    cores = {stem[len(first) :] for stem in images} & {stem[len(second) :] for stem in masks}
    if not cores or (not first and not second):
        return None, 0
    return Decoration(images=f"{first}*" if first else "*", masks=f"{second}*" if second else "*"), len(cores)


def _prefix(stems: Set[str]) -> str:
    """What all stems begin with, without the digits at its end."""
    first, last = min(stems), max(stems)  # what these have in common, all have
    length = next((i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return re.sub(r"\d+$", "", first[:length])


def decorations_within(names: tuple[str, ...]) -> tuple[Decoration | None, int]:
    """The decoration that separates the images of one folder from their masks, and the number of pairs."""
    split = [os.path.splitext(name) for name in names]
    stems = {stem for stem, _ in split}
    suffixes = Counter(
        longer[len(stem) :]
        for stem, longer in zip(sorted(stems), sorted(stems)[1:], strict=False) if longer.startswith(stem)
    )  # fmt: skip
    for suffix, _ in suffixes.most_common(3):
        count = sum(stem + suffix in stems for stem in stems if not stem.endswith(suffix))
        if is_mask_name(suffix) and count:
            return Decoration(suffix=suffix), count
    by_type = _by_type([(stem, kind) for stem, kind in split])
    return by_type if by_type[0] is not None else _by_prefix(stems)


def _by_type(names: list[tuple[str, str]]) -> tuple[Decoration | None, int]:
    """``cat.jpg`` is an image and ``cat.png`` its mask."""
    kinds = {kind for _, kind in names}
    lossy, lossless = {kind for kind in kinds if kind.lower() in _LOSSY}, {k for k in kinds if k.lower() == ".png"}
    if len(lossy) != 1 or len(lossless) != 1:
        return None, 0
    image, mask = lossy.pop(), lossless.pop()
    count = len({stem for stem, kind in names if kind == image} & {stem for stem, kind in names if kind == mask})
    return (Decoration(images=f"*{image}", masks=f"*{mask}"), count) if count else (None, 0)


def _by_prefix(stems: Set[str]) -> tuple[Decoration | None, int]:
    """``image_1`` and ``mask_1``, or ``1_image`` and ``1_mask``, in one folder."""
    masks = {stem for stem in stems if is_mask_name(stem)}
    images = set(stems) - masks
    if not masks or not images:
        return None, 0
    for ends in (False, True):
        turned = [{stem[::-1] if ends else stem for stem in group} for group in (images, masks)]
        decoration, count = _prefixed(*turned)
        if decoration and decoration.images != "*":
            patterns = (decoration.images, decoration.masks)
            first, second = (pattern[::-1] if ends else pattern for pattern in patterns)
            return Decoration(images=f"{first}", masks=f"{second}"), count
    return None, 0
