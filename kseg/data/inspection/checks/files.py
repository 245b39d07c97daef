"""Findings about files: unreadable ones, wrong suffixes, sizes that differ, and how images are stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from kseg.data.inspection.checks.context import Context
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.survey import SampleFacts
from kseg.data.objects import Objects
from kseg.errors import abbreviate
from kseg.images import printable

__all__ = ["alpha", "gray", "misnamed", "sizes", "suffixes", "unreadable"]

_SUFFIXES: Final = {
    "JPEG": {".jpg", ".jpeg"}, "MPO": {".jpg", ".jpeg"}, "PNG": {".png"}, "GIF": {".gif"}, "BMP": {".bmp"},
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
        found="; ".join(reasons[:5]) + hidden, fix=context.excluding(keys), advice="repair or remove these files",
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
    """Masks whose size differs from their image's."""
    mismatched = [
        facts for _, facts in context.samples() if facts.image and facts.mask and facts.image.size != facts.mask.size
    ]
    if not mismatched:
        return
    turned = [facts for facts in mismatched if _turned(facts)]
    keys = tuple(facts.sample.key for facts in mismatched)
    drawn_on_stored = len(turned) == len(mismatched) and context.spec.mask_orientation == "own"
    yield Finding(
        code="exif" if turned else "size-mismatch", severity="error",
        what=f"{len(mismatched)} of {context.total} masks have another size than their images",
        why="the masks would not align with the images", count=len(mismatched), total=context.total, files=keys,
        expected="the size of the image, height × width, as a viewer shows it",
        found=abbreviate(
            f"{printable(facts.sample.key)} (image {_image_size(facts)}, mask {_mask_size(facts)})"
            for facts in mismatched
        ),
        fix={"data.mask_orientation": "image"} if drawn_on_stored else context.excluding(keys),
        advice="an EXIF orientation seems to apply to one of the two: rotate the pixels, and remove the orientation"
        if turned else "draw the masks on these very images, or check data.masks",
    )  # fmt: skip


def _turned(facts: SampleFacts) -> bool:
    """Whether the mask fits the image as stored, before its EXIF orientation."""
    return (
        facts.image is not None and facts.mask is not None and facts.image.header.orientation >= 5
        and facts.mask.size == facts.image.size[::-1]
    )  # fmt: skip


def _image_size(facts: SampleFacts) -> str:
    return "×".join(map(str, facts.image.size)) if facts.image else "none"


def _mask_size(facts: SampleFacts) -> str:
    return "×".join(map(str, facts.mask.size)) if facts.mask else "none"


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
