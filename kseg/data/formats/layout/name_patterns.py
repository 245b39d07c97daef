"""How the names of masks differ from those of their images: by a suffix, other text around, or their file type."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final

from kseg.data.formats.layout.folder_roles import Role, role_of_name
from kseg.data.formats.layout.path_patterns import common_end, common_start
from kseg.data.formats.walk import is_picture
from kseg.data.names import caseless

__all__ = ["Decoration", "Side", "decoration_between", "sides_of"]

_LOSSY: Final = (".jpg", ".jpeg", ".jpe", ".jfif")
_FIRST: Final = 20
"""Stems from which a decoration is derived; it is then tried on all."""
_SEPARATORS: Final = "_. -"
_BOUNDARY: Final = re.compile(rf"(?=[{_SEPARATORS}])|(?<=\d)(?=[A-Za-z])")
"""Where a suffix may begin: ``x_mask``, ``12m``."""


@dataclass(frozen=True)
class Decoration:
    """How the names of masks differ from those of their images.

    Args:
        suffix: What follows the image's stem in the mask's: `DataSpec.mask_suffix`.
        images: The pattern of the images' names, where these have text of their own around the common part; else "".
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


# --- two folders ------------------------------------------------------------------------------------------------------


def decoration_between(images: Collection[str], masks: Collection[str]) -> tuple[Decoration | None, int]:
    """The decoration that pairs the files of two folders, and the number of pairs; None if none does.

    Args:
        images: The names of the images.
        masks: The names of the masks.
    """
    image_stems, mask_stems = ({caseless(_stem(name)) for name in names} for names in (images, masks))
    same = len(image_stems & mask_stems), len({caseless(name) for name in images} & mask_stems)
    fewest = (min(len(images), len(masks)) + 1) // 2
    if max(same) >= fewest:
        return Decoration(), max(same)
    best: tuple[Decoration | None, int] = (Decoration(), max(same)) if max(same) else (None, 0)
    image_stems, mask_stems = ({_stem(name) for name in names} for names in (images, masks))
    for suffix in _suffixes_between(image_stems, mask_stems):
        count = sum(stem + suffix in mask_stems for stem in image_stems)
        best = max(best, (Decoration(suffix=suffix), count), key=lambda candidate: candidate[1])
    if best[1] >= fewest:
        return best
    framed = _framed(images, masks)
    return framed if framed[1] > best[1] else best


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


def _suffixes_between(images: Collection[str], masks: Collection[str]) -> Iterator[str]:
    candidates = Counter(
        mask[len(image) :]
        for image in sorted(images)[:_FIRST]
        for mask in masks
        if mask.startswith(image) and len(mask) > len(image) and not _cuts_number(mask, len(image))
    )
    yield from (suffix for suffix, _ in candidates.most_common(3) if not is_picture(f"x{suffix}"))


def _cuts_number(stem: str, at: int) -> bool:
    return stem[:at][-1:].isdigit() and stem[at:][:1].isdigit()


def _framed(images: Collection[str], masks: Collection[str]) -> tuple[Decoration | None, int]:
    """Names such as ``IMG_1`` and ``mask_1``, or ``1_image`` and ``1_mask``: equal but for what all have in common."""
    frames = _frames(images, masks)
    cores = [{frame.core(name) for name in names} - {""} for frame, names in zip(frames, (images, masks), strict=True)]
    count = len(cores[0] & cores[1])
    if not count or frames[0].texts == frames[1].texts:
        return None, 0
    return Decoration(images=frames[0].pattern, masks=frames[1].pattern), count


@dataclass(frozen=True)
class _Frame:
    """The text before and after the part by which files are paired, and the file type, "" if there are several."""

    before: str
    after: str
    kind: str

    @property
    def texts(self) -> tuple[str, str]:
        return self.before, self.after

    @property
    def pattern(self) -> str:
        kind = glob.escape(self.kind) if self.kind else ".*"
        return f"{glob.escape(self.before)}*{glob.escape(self.after)}{kind}"

    def core(self, name: str) -> str:
        """The part of a name inside the frame; "" if there is none."""
        stem = _stem(name)
        return stem[len(self.before) : len(stem) - len(self.after)]


def _frames(images: Collection[str], masks: Collection[str]) -> tuple[_Frame, _Frame]:
    """The frames of images and masks, without text that both have."""
    frames = _frame(images), _frame(masks)
    before, after = (frames[0].before == frames[1].before, frames[0].after == frames[1].after)
    first, second = (
        replace(frame, before="" if before else frame.before, after="" if after else frame.after) for frame in frames
    )
    return first, second


def _frame(names: Collection[str]) -> _Frame:
    """What the stems begin and end with, cut at a separator, else at a digit."""
    stems = [_stem(name) for name in names]
    before = common_start(stems)
    before = re.sub(rf"[^{_SEPARATORS}]*$" if re.search(rf"[{_SEPARATORS}]", before) else r"\d+$", "", before)
    after = common_end([stem[len(before) :] for stem in stems])
    after = re.sub(rf"^[^{_SEPARATORS}]*" if re.search(rf"[{_SEPARATORS}]", after) else r"^\d+", "", after)
    kinds = {os.path.splitext(name)[1] for name in names}
    return _Frame(before, after, kinds.pop() if len(kinds) == 1 else "")


# --- one folder -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Side:
    """Images and masks side by side in a folder.

    Args:
        decoration: How their names differ.
        images: The names of the images.
        masks: The names of the masks, each of which has an image.
        role: What the names say that the masks are.
    """

    decoration: Decoration
    images: tuple[str, ...]
    masks: tuple[str, ...]
    role: Role


def sides_of(names: Collection[str]) -> list[Side]:
    """The ways in which the pictures of one folder are images and their masks, by their names."""
    return [*_by_suffix(names), *_by_type(names), *_by_words(names)]


def _by_suffix(names: Collection[str]) -> Iterator[Side]:
    """``x.jpg`` and ``x_mask.png``; also ``x.jpg.png``."""
    stems = {_stem(name) for name in names}
    suffixes = Counter(
        stem[match.start() :]
        for stem in stems for match in _BOUNDARY.finditer(stem, 1) if stem[: match.start()] in stems
    )  # fmt: skip
    for suffix, _ in suffixes.most_common(5):
        masks = [name for name in names if _stem(name).endswith(suffix) and _stem(name)[: -len(suffix)] in stems]
        images = [name for name in names if _stem(name) + suffix in stems and name not in masks]
        role: Role = "mask" if is_picture(f"x{suffix}") else role_of_name(suffix)
        yield Side(Decoration(suffix=suffix), tuple(images), tuple(masks), role)


def _by_type(names: Collection[str]) -> Iterator[Side]:
    """``cat.jpg`` is an image and ``cat.png`` its mask."""
    kinds = {os.path.splitext(name)[1] for name in names}
    lossy, lossless = [kind for kind in kinds if kind.lower() in _LOSSY], [k for k in kinds if k.lower() == ".png"]
    if len(lossy) != 1 or len(lossless) != 1:
        return
    images, masks = (
        {_stem(name): name for name in names if name.endswith(kind)} for kind in (lossy[0], lossless[0])
    )  # fmt: skip
    common = sorted(images.keys() & masks.keys())
    if common:
        decoration = Decoration(images=f"*{lossy[0]}", masks=f"*{lossless[0]}")
        yield Side(decoration, tuple(images[stem] for stem in common), tuple(masks[stem] for stem in common), "")


def _by_words(names: Collection[str]) -> Iterator[Side]:
    """``image_1`` and ``mask_1``, or ``1_image`` and ``1_mask``."""
    roles = {name: role_of_name(_stem(name)) for name in names}
    masks = [name for name in names if roles[name] == "mask"]
    images = [name for name in names if roles[name] == "image"] or [name for name in names if not roles[name]]
    if not masks or not images:
        return
    decoration, _ = _framed(images, masks)
    if decoration is None or any(fnmatchcase(name, decoration.images) for name in masks):
        return
    frames = _frames(images, masks)
    cores = {frames[0].core(name) for name in images}
    paired = [name for name in masks if frames[1].core(name) in cores]
    partners = {frames[1].core(name) for name in paired}
    yield Side(decoration, tuple(name for name in images if frames[0].core(name) in partners), tuple(paired), "mask")
