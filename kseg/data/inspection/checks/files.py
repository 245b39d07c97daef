"""Findings about files: what cannot be read, what is not what it is called, what does not fit together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kseg.data.inspection.checks.context import Context
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.survey import Examined
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
    """Pictures and masks that cannot be decoded."""
    broken = [one for _, one in context.each() if one.problems]
    if not broken:
        return
    keys = tuple(one.sample.key for one in broken)
    reasons = [str(problem) for one in broken for problem in one.problems]
    more = f"; and {len(reasons) - 5} more" if len(reasons) > 5 else ""
    yield Finding(
        code="unreadable", severity="error", what=f"{len(broken)} of {context.total} samples cannot be read",
        why="a training would end in the middle of an epoch", count=len(broken), total=context.total, files=keys,
        found="; ".join(reasons[:5]) + more, fix=context.excluding(keys), advice="mend or remove these files",
    )  # fmt: skip


def misnamed(context: Context) -> Iterator[Finding]:
    """Files whose suffix says another format than they hold."""
    wrong: list[tuple[Examined, Path, str]] = []
    for _, one in context.each():
        files = [(one.sample.image, one.image.header if one.image else None)]
        if isinstance(one.sample.mask, Path):
            files.append((one.sample.mask, one.mask.header if one.mask else None))
        for file, header in files:
            if header and file.suffix.lower() not in _SUFFIXES.get(header.format, {file.suffix.lower()}):
                wrong.append((one, file, header.format))
    if wrong:
        yield Finding(
            code="misnamed", severity="note", what=f"{len(wrong)} files hold another format than their names say",
            why="programs that trust the name fail on them; kseg reads what the file holds",
            count=len(wrong), total=context.total, files=tuple(dict.fromkeys(one.sample.key for one, _, _ in wrong)),
            found=abbreviate(f"{printable(file.name)} is a {kind}" for _, file, kind in wrong),
            advice="nothing to set; rename them for other programs",
        )  # fmt: skip


def sizes(context: Context) -> Iterator[Finding]:
    """Masks of another size than their pictures."""
    wrong = [one for _, one in context.each() if one.image and one.mask and one.image.size != one.mask.size]
    if not wrong:
        return
    turned = [one for one in wrong if _turned(one)]
    keys = tuple(one.sample.key for one in wrong)
    drawn_on_stored = len(turned) == len(wrong) and context.spec.mask_orientation == "own"
    yield Finding(
        code="exif" if turned else "size-mismatch", severity="error",
        what=f"{len(wrong)} of {context.total} masks have another size than their images",
        why="masks would lie beside what they mark", count=len(wrong), total=context.total, files=keys,
        expected="the size of the image, height × width, as a viewer shows it",
        found=abbreviate(f"{printable(one.sample.key)} (image {_image_size(one)}, mask {_mask_size(one)})" for one in wrong),
        fix={"data.mask_orientation": "image"} if drawn_on_stored else context.excluding(keys),
        advice="an EXIF orientation seems to turn one of the two only: turn the pixels, and remove the orientation"
        if turned else "draw the masks on these very images, or check data.masks",
    )  # fmt: skip


def _turned(one: Examined) -> bool:
    """Whether the mask fits the picture as it is stored."""
    return (
        one.image is not None and one.mask is not None and one.image.header.orientation >= 5
        and one.mask.size == one.image.size[::-1]
    )  # fmt: skip


def _image_size(one: Examined) -> str:
    return "×".join(map(str, one.image.size)) if one.image else "none"


def _mask_size(one: Examined) -> str:
    return "×".join(map(str, one.mask.size)) if one.mask else "none"


def gray(context: Context) -> Iterator[Finding]:
    """Pictures of a single channel."""
    keys = tuple(one.sample.key for _, one in context.each() if one.image and one.image.header.mode in _GRAY_MODES)
    if keys:
        yield Finding(
            code="gray-images", severity="note",
            what=f"{len(keys)} of {context.total} images are stored in a single grey channel",
            why="networks take three channels: the grey is repeated in all of them, in training and prediction alike",
            count=len(keys), total=context.total, files=keys, advice="nothing to set",
        )  # fmt: skip


def alpha(context: Context) -> Iterator[Finding]:
    """Pictures with an alpha channel, all opaque, or they would not have been read."""
    keys = tuple(one.sample.key for _, one in context.each() if one.image and one.image.header.mode in _ALPHA_MODES)
    if keys:
        yield Finding(
            code="rgba-images", severity="note",
            what=f"{len(keys)} of {context.total} images have an alpha channel, opaque everywhere",
            why="it tells nothing and is dropped", count=len(keys), total=context.total, files=keys,
            advice="nothing to set",
        )  # fmt: skip


def suffixes(context: Context) -> Iterator[Finding]:
    """Masks of another file type than their pictures."""
    kinds = {
        (one.sample.image.suffix.lower(), one.sample.mask.suffix.lower())
        for _, one in context.each()
        if isinstance(one.sample.mask, Path) and not isinstance(one.sample.mask, Objects)
    }
    other = sorted({f"{image} and {mask}" for image, mask in kinds if image != mask})
    if other:
        yield Finding(
            code="suffixes", severity="note", what=f"images and masks have different suffixes: {abbreviate(other)}",
            why="lists that name one kind do not find the other; kseg pairs them by stem",
            count=context.total, total=context.total, advice="nothing to set",
        )  # fmt: skip
