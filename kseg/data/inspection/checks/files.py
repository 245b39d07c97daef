"""Findings about files: unreadable ones, wrong suffixes, sizes that differ, and how images are stored."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from kseg.data.inspection.checks.context import Context, Dropping
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.survey import ImageFacts, MaskFacts, SampleFacts
from kseg.data.objects import Objects
from kseg.data.pages import pages_line
from kseg.data.spec import Fractions
from kseg.data.truth import LARGEST_DEVIATION, deviation
from kseg.errors import abbreviate
from kseg.images import printable
from kseg.sizes import format_size

__all__ = ["alpha", "gray", "misnamed", "pages", "sizes", "suffixes", "unreadable"]

_JPEG: Final = {".jpg", ".jpeg", ".jpe", ".jfif"}
_SUFFIXES: Final = {
    "JPEG": _JPEG, "MPO": _JPEG, "PNG": {".png"}, "GIF": {".gif"}, "BMP": {".bmp"},
    "DIB": {".bmp"}, "TIFF": {".tif", ".tiff"}, "WEBP": {".webp"},
}  # fmt: skip
_GRAY_MODES: Final = frozenset({"L", "LA", "1", "I;16", "I;16B", "I", "F"})
_ALPHA_MODES: Final = frozenset({"RGBA", "LA", "PA"})


def unreadable(context: Context) -> Iterator[Finding]:
    """Images and masks that cannot be read."""
    broken = [facts for _, facts in context.samples() if facts.problems]
    if not broken:
        return
    keys = tuple(facts.sample.key for facts in broken)
    reasons = [str(problem) for facts in broken for problem in facts.problems]
    hidden = f"; and {len(reasons) - 5} more" if len(reasons) > 5 else ""
    yield Finding(
        code="unreadable", severity="error", what=f"{len(broken)} of {context.total} samples cannot be read",
        why="a training would fail in the middle of an epoch", count=len(broken), total=context.total, files=keys,
        found="; ".join(reasons[:5]) + hidden, advice="repair or remove these files", **context.dropping(keys),
    )  # fmt: skip


def misnamed(context: Context) -> Iterator[Finding]:
    """Files whose format is not the one of their suffix."""
    wrong: list[tuple[SampleFacts, Path, str]] = []
    for _, facts in context.samples():
        files = [(facts.sample.image, facts.image.header if facts.image else None)]
        if isinstance(facts.sample.mask, Path):
            files.append((facts.sample.mask, facts.mask.header if facts.mask else None))
        for file, header in files:
            if header and file.suffix.lower() not in _SUFFIXES.get(header.format, {file.suffix.lower()}):
                wrong.append((facts, file, header.format))
    if wrong:
        yield Finding(
            code="misnamed", severity="note",
            what=f"{len(wrong)} files have another format than their suffix says",
            why="programs that rely on the suffix fail on them; kseg reads the format from the file",
            count=len(wrong), total=context.total,
            files=tuple(dict.fromkeys(facts.sample.key for facts, _, _ in wrong)),
            found=abbreviate(f"{printable(file.name)} is a {kind}" for _, file, kind in wrong),
            advice="nothing to set; rename them for other programs",
        )  # fmt: skip


def sizes(context: Context) -> Iterator[Finding]:
    """Masks whose size differs from their image's: those that only have to be scaled, and the others."""
    mismatched = [
        facts for _, facts in context.samples() if facts.image and facts.mask and facts.image.size != facts.mask.size
    ]
    scalable = [facts for facts in mismatched if _is_scalable(facts)]
    if scalable:
        yield _scalable(context, scalable)
    others = [facts for facts in mismatched if not _is_scalable(facts)]
    if others:
        yield _mismatched(context, others)


def _scalable(context: Context, scalable: Sequence[SampleFacts]) -> Finding:
    largest = max(_deviation(facts) for facts in scalable)
    return Finding(
        code="mask-scale", severity="error",
        what=f"{len(scalable)} of {context.total} masks have another size than their images, but the same shape "
        f"(largest deviation {largest:.1%})",
        why="they align with the images only after they are resized, which coarsens their edges",
        count=len(scalable), total=context.total, files=_keys(scalable),
        expected="the size of the image, height × width, as a viewer shows it",
        found=_sizes(scalable),
        fix={"data.mask_size": "scaled"},
    )  # fmt: skip


def _mismatched(context: Context, mismatched: Sequence[SampleFacts]) -> Finding:
    turned = [facts for facts in mismatched if _turned(facts)]
    drawn_on_stored = len(turned) == len(mismatched) and context.spec.mask_orientation == "own"
    setting: Dropping = {"fix": {"data.mask_orientation": "image"}}
    return Finding(
        code="exif" if turned else "size-mismatch", severity="error",
        what=f"{len(mismatched)} of {context.total} masks have another size than their images",
        why="the masks would not align with the images", count=len(mismatched), total=context.total,
        files=_keys(mismatched), expected="the size of the image, height × width, as a viewer shows it",
        found=_sizes(mismatched),
        advice="an EXIF orientation seems to apply to one of the two: rotate the pixels, and remove the orientation"
        if turned else "draw the masks on these very images, or check data.masks",
        **(setting if drawn_on_stored else context.dropping(_keys(mismatched))),
    )  # fmt: skip


def _is_scalable(facts: SampleFacts) -> bool:
    return _deviation(facts) <= LARGEST_DEVIATION and not _turned(facts)


def _deviation(facts: SampleFacts) -> float:
    return deviation(facts.mask.size, facts.image.size) if facts.mask and facts.image else math.inf


def _turned(facts: SampleFacts) -> bool:
    """Whether the mask has the shape of the image as stored, before its EXIF orientation, and not that of the other."""
    if facts.image is None or facts.mask is None or facts.image.header.orientation < 5:
        return False
    as_stored = facts.image.size[::-1]
    return facts.mask.size == as_stored or deviation(facts.mask.size, as_stored) <= LARGEST_DEVIATION < _deviation(
        facts
    )


def _keys(samples: Iterable[SampleFacts]) -> tuple[str, ...]:
    return tuple(facts.sample.key for facts in samples)


def _sizes(samples: Iterable[SampleFacts]) -> str:
    return abbreviate(
        f"{printable(facts.sample.key)} (image {_size(facts.image)}, mask {_size(facts.mask)})" for facts in samples
    )


def _size(facts: ImageFacts | MaskFacts | None) -> str:
    return format_size(facts.size) if facts else "none"


def pages(context: Context) -> Iterator[Finding]:
    """Samples that are the pages of TIFF files."""
    samples = [facts.sample for _, facts in context.samples() if facts.sample.page is not None]
    line = pages_line(samples)
    if line:
        loose = isinstance(split := context.spec.split, Fractions) and split.group is None
        yield Finding(
            code="pages", severity="note", what=line,
            why="where the pages are not pictures of their own, data.pages: first takes the first of each file only",
            count=len(samples), total=context.total, files=tuple(sample.key for sample in samples),
            advice="the pages of a file are split at random: if neighbours look alike, keep them together with "
            "data.split.group: '^(.*)/[0-9]+$'" if loose else "nothing to set",
        )  # fmt: skip


def gray(context: Context) -> Iterator[Finding]:
    """Images with a single grey channel."""
    yield from _stored_as(
        context, _GRAY_MODES, code="gray-images", what="are stored in a single grey channel",
        why="networks take three channels: the grey channel is repeated, in training and prediction alike",
    )  # fmt: skip


def alpha(context: Context) -> Iterator[Finding]:
    """Images with an alpha channel; they are opaque, else they could not be read."""
    yield from _stored_as(
        context, _ALPHA_MODES, code="rgba-images", what="have an alpha channel, opaque everywhere",
        why="it has no information and is dropped",
    )  # fmt: skip


def _stored_as(context: Context, modes: Collection[str], *, code: str, what: str, why: str) -> Iterator[Finding]:
    """A note on the images whose mode, as Pillow names it, is one of these."""
    keys = tuple(facts.sample.key for _, facts in context.samples() if facts.image and facts.image.header.mode in modes)
    if keys:
        yield Finding(
            code=code, severity="note", what=f"{len(keys)} of {context.total} images {what}", why=why,
            count=len(keys), total=context.total, files=keys, advice="nothing to set",
        )  # fmt: skip


def suffixes(context: Context) -> Iterator[Finding]:
    """Masks whose suffix differs from their image's."""
    kinds = {
        (facts.sample.image.suffix.lower(), facts.sample.mask.suffix.lower())
        for _, facts in context.samples()
        if isinstance(facts.sample.mask, Path) and not isinstance(facts.sample.mask, Objects)
    }
    other = sorted({f"{image} and {mask}" for image, mask in kinds if image != mask})
    if other:
        yield Finding(
            code="suffixes", severity="note", what=f"images and masks have different suffixes: {abbreviate(other)}",
            why="programs that expect the same suffix do not find the masks; kseg pairs files by stem",
            count=context.total, total=context.total, advice="nothing to set",
        )  # fmt: skip
