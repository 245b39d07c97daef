"""Settings that would pair the images and masks that the present ones do not; each is tried before it is proposed."""

from __future__ import annotations

import glob
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import islice
from typing import Any, Final

from kseg.data.formats.listing import ImageFiles, quoted
from kseg.data.formats.stems import StemPairs, pair_by_stem
from kseg.data.spec import DataSpec
from kseg.errors import KsegError
from kseg.images import printable

__all__ = ["propose_settings"]

_IMAGES_TRIED: Final = 5
_MASKS_TRIED: Final = 200
_CANDIDATES: Final = 3


def propose_settings(pairs: StemPairs, spec: DataSpec, part: str | None) -> str | None:
    """The remedy that pairs most images, if it pairs more than the present settings and at least half of them.

    Args:
        pairs: What the present settings pair.
        spec: The present settings.
        part: The part of the data set that is read, as for a reader.

    Returns:
        ``set data.mask_suffix: _mask``, or globs for ``data.images`` and ``data.masks``; None if neither helps.
    """
    best, remedy = max(len(pairs.matches), (len(pairs.images.files) - 1) // 2), None
    for changed in (*_suffixes(pairs), *_globs(pairs)):
        paired = _count(replace(spec, **changed), part)
        if paired > best:
            best, remedy = paired, _text(changed)
        if paired == len(pairs.images.files):
            break
    wildcards = pairs.images.wildcards, pairs.masks.wildcards
    if remedy is None and all(wildcards) and wildcards[0] != wildcards[1]:
        return "use as many wildcards in data.masks as in data.images: files are paired by the text that these match"
    total = len(pairs.images.files)
    return f"{remedy}, which pairs {best} of {total}" if remedy and best < total else remedy


def _count(spec: DataSpec, part: str | None) -> int:
    try:
        return len(pair_by_stem(spec, part).matches)
    except KsegError:
        return 0


def _text(changed: dict[str, str]) -> str:
    values = {
        key: printable(value) if re.fullmatch(r"[._]\w+", value) else quoted(value) for key, value in changed.items()
    }
    return "set " + " and ".join(f"data.{key}: {value}" for key, value in values.items())


def _unpaired(pairs: StemPairs) -> tuple[list[str], list[str]]:
    """The stems of images (without the suffix of masks) and masks that are not paired, sorted."""
    length = len(pairs.mask_suffix)
    images = sorted(name[: len(name) - length] for name in pairs.image_of.keys() - pairs.matches.keys())
    return images, sorted(pairs.mask_of.keys() - set(pairs.matches.values()))


# --- a suffix ---------------------------------------------------------------------------------------------------------


def _suffixes(pairs: StemPairs) -> Iterator[dict[str, Any]]:
    images, masks = _unpaired(pairs)
    endings = Counter(
        mask[len(image) :]
        for image in images[:_IMAGES_TRIED]
        for mask in _starting_with(image, masks)
        if not _cuts_number(mask, len(image))
    )  # fmt: skip
    for suffix, _ in sorted(endings.most_common(), key=lambda item: (-item[1], len(item[0])))[:_CANDIDATES]:
        yield {"mask_suffix": suffix}


def _starting_with(stem: str, masks: Sequence[str]) -> Iterator[str]:
    first = bisect_left(masks, stem)
    return (mask for mask in islice(masks, first, first + _MASKS_TRIED) if mask.startswith(stem) and mask != stem)


# --- globs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Frame:
    """The text before and after the part of a file's stem that an image and its mask have in common."""

    before: str
    after: str

    def core(self, stem: str) -> str | None:
        """The part of a stem inside the frame, with the folder; None if the frame does not fit."""
        folder, slash, name = stem.rpartition("/")
        end = len(name) - len(self.after)
        framed = name.startswith(self.before) and name.endswith(self.after) and end >= len(self.before)
        return folder + slash + name[len(self.before) : end] if framed else None

    def glob(self, listed: ImageFiles) -> str | None:
        """The setting that lists the files with this frame."""
        suffixes = {file.suffix for file in listed.files}
        ending = glob.escape(suffixes.pop()) if len(suffixes) == 1 else ".*"
        return listed.glob(f"{glob.escape(self.before)}*{glob.escape(self.after)}{ending}")


def _globs(pairs: StemPairs) -> Iterator[dict[str, Any]]:
    images, masks = _unpaired(pairs)
    stems = ((image, mask) for image in images[:_IMAGES_TRIED] for mask in masks[:_MASKS_TRIED])
    frames = Counter(frame for frame in (_frames(*pair) for pair in stems) if frame is not None)
    tried = [frame for frame, _ in frames.most_common(4 * _CANDIDATES)]
    for image_frame, mask_frame in sorted(tried, key=lambda frames: -_common(frames, images, masks))[:_CANDIDATES]:
        settings = image_frame.glob(pairs.images), mask_frame.glob(pairs.masks)
        if all(settings):
            yield {"images": settings[0], "masks": settings[1], **({"mask_suffix": ""} if pairs.mask_suffix else {})}


def _frames(image: str, mask: str) -> tuple[_Frame, _Frame] | None:
    """The frames of two stems around their longest common text; None if it is only a part of a number."""
    image, mask = image.rpartition("/")[2], mask.rpartition("/")[2]
    match = SequenceMatcher(None, image, mask, autojunk=False).find_longest_match()
    common = image[match.a : match.a + match.size]
    core = common.strip("_-. ")
    start = common.find(core)
    places = [(stem, at + start, at + start + len(core)) for stem, at in ((image, match.a), (mask, match.b))]
    if not core or any(_cuts_number(stem, at) for stem, first, end in places for at in (first, end)):
        return None
    image_frame, mask_frame = (_Frame(stem[:first], stem[end:]) for stem, first, end in places)
    return image_frame, mask_frame


def _cuts_number(stem: str, at: int) -> bool:
    """Whether there are digits on both sides of a place in a stem: 1 and 12 have nothing in common."""
    return stem[:at][-1:].isdigit() and stem[at:][:1].isdigit()


def _common(frames: tuple[_Frame, _Frame], images: Iterable[str], masks: Iterable[str]) -> int:
    """Number of images that have a mask within these frames."""
    cores = {frames[0].core(stem) for stem in images} & {frames[1].core(stem) for stem in masks}
    return len(cores - {None})
