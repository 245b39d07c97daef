"""Find the pictures to predict, and name the files that are written for each."""

from __future__ import annotations

import glob
import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from kseg.errors import ImageError, OutputError, UsageError, abbreviate
from kseg.files import expand_home
from kseg.images import IMAGE_SUFFIXES, page_count, printable
from kseg.provenance import Origin, is_marked

__all__ = ["COMMAND", "Picture", "Target", "find_pictures", "name_targets"]

logger = logging.getLogger("kseg")

COMMAND: Final = "kseg predict"
"""Who writes predictions, as their files say."""


@dataclass(frozen=True)
class Picture:
    """A picture to predict.

    Args:
        image: Its path.
        name: Its path relative to the source folder (or to the part of a pattern before the first wildcard). Of a page
            of a TIFF file of several pages: with the page, from 1, as in ``stack_page3.tif``.
        page: The page, from 0.
    """

    image: Path
    name: PurePosixPath
    page: int = 0


@dataclass(frozen=True)
class Target:
    """A picture and the files of its prediction.

    Args:
        picture: The picture.
        stem: The path of the mask relative to the output folder, without its suffix.
        mask: The mask, a PNG.
        overlay: The overlay, a JPEG; None if it is not written.
        prob: The scores, a PNG or NPZ; None if they are not written.
    """

    picture: Picture
    stem: str
    mask: Path
    overlay: Path | None
    prob: Path | None

    def files(self) -> list[Path]:
        """The paths of all files that are written."""
        return [path for path in (self.mask, self.overlay, self.prob) if path is not None]

    def origin(self) -> Origin:
        """The mark of these files."""
        return Origin.of(COMMAND, self.picture.image)


def find_pictures(sources: Sequence[str]) -> list[Picture]:
    """Find the pictures that the sources name, each once, in the order of the sources; of TIFF files every page.

    Masks, overlays and other pictures that kseg wrote are skipped in folders and patterns, and counted in the log. A
    file that is itself a source is never skipped.

    Args:
        sources: Files, folders (searched at any depth) and patterns (``photos/*.jpg``).

    Raises:
        UsageError: A source matches no picture, or kseg wrote all pictures.
    """
    pictures: dict[Path, Picture] = {}
    skipped: dict[Path, Path] = {}
    for source in sources:
        text = str(expand_home(source))
        matches = list(_matches(text))
        own = {picture.image for picture in matches if not _is_named(text) and is_marked(picture.image)}
        if not matches:
            raise _no_match(text)
        for picture in matches:
            if picture.image not in own:
                pictures.setdefault(picture.image.resolve(), picture)
        skipped |= {image.resolve(): image for image in own}
    if not pictures:
        raise _only_own(sources, skipped.values())
    _log_skipped([image for path, image in skipped.items() if path not in pictures])
    return [page for picture in pictures.values() for page in _pages(picture)]


def _pages(picture: Picture) -> Iterator[Picture]:
    """The pages of the picture; itself if it has one, or cannot be read, which is reported on reading it."""
    try:
        count = page_count(picture.image)
    except ImageError:
        count = 1
    if count == 1:
        yield picture
        return
    name, digits = picture.name, len(str(count))
    for page in range(count):
        yield replace(picture, name=name.with_stem(f"{name.stem}_page{page + 1:0{digits}d}"), page=page)


def _is_named(text: str) -> bool:
    """Whether a source is the file itself, rather than a folder or pattern that contains it."""
    return Path(text).exists() and not Path(text).is_dir()


def _log_skipped(paths: Collection[Path]) -> None:
    if paths:
        logger.info(
            "skipped %d pictures that kseg itself wrote (%s); name such a file to predict it",
            len(paths), abbreviate(map(printable, sorted(paths)), 3),
        )  # fmt: skip


def _matches(text: str) -> Iterator[Picture]:
    path = Path(text)
    if _is_named(text):
        yield Picture(path, PurePosixPath(path.name))
    elif path.is_dir():
        yield from _in_folder(path)
    elif glob.has_magic(text):
        root = _fixed_part(path)
        for match in sorted(Path(p) for p in glob.glob(text, recursive=True)):
            if _is_picture(match):
                yield Picture(match, PurePosixPath(match.relative_to(root).as_posix()))


def _in_folder(folder: Path) -> Iterator[Picture]:
    for path in sorted(folder.rglob("*")):
        name = PurePosixPath(path.relative_to(folder).as_posix())
        if _is_picture(path) and not any(part.startswith(".") for part in name.parts):  # as .ipynb_checkpoints
            yield Picture(path, name)


def _is_picture(path: Path) -> bool:
    # macOS leaves a ._x.jpg beside each x.jpg.
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _fixed_part(pattern: Path) -> Path:
    """The folder part of a pattern before its first wildcard."""
    parts = pattern.parts[:-1]
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return Path(*parts[:fixed])


def _only_own(sources: Sequence[str], paths: Collection[Path]) -> UsageError:
    return UsageError(
        "kseg itself wrote all pictures here", where=abbreviate(sources), expected="photographs",
        found=abbreviate(map(printable, sorted(paths)), 3), remedy="name a file to predict it",
    )  # fmt: skip


def _no_match(text: str) -> UsageError:
    if Path(text).is_dir():
        return UsageError(
            "no images in the folder", where=text, expected=f"files ending in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    if glob.has_magic(text):
        return UsageError("no image matches the pattern", where=text)
    return UsageError("no such file or folder", where=text)


def name_targets(pictures: Sequence[Picture], out: Path, *, overlay: bool, prob: str | None) -> list[Target]:
    """Name the files of each picture, so that no two pictures share one.

    The names repeat the folders below the source. Pictures of the same name (``a.jpg`` and ``a.png``, or ``a.jpg`` of
    two folders) also keep their suffix (``a.jpg.png``), and then get a number (``a_2.png``).

    Args:
        pictures: The pictures to predict.
        out: The output folder.
        overlay: Whether overlays are written.
        prob: The suffix of the score files, ``.png`` or ``.npz``; None if they are not written.

    Raises:
        OutputError: A file would overwrite one of the pictures.
    """
    stems = Counter(_casefold(picture.name.with_suffix("")) for picture in pictures)
    used_names: set[str] = set()
    targets = []
    for picture in pictures:
        for stem in _stems(picture.name, unique=stems[_casefold(picture.name.with_suffix(""))] == 1):
            target = _target(picture, stem, out, overlay, prob)
            names = {_casefold(path) for path in target.files()}
            if not names & used_names:
                break
        used_names |= names
        targets.append(target)
    _require_no_image_overwritten(targets)
    return targets


def _casefold(path: PurePosixPath | Path) -> str:
    # Some file systems take A.png and a.png for the same file.
    return path.as_posix().casefold()


def _stems(name: PurePosixPath, *, unique: bool) -> Iterator[str]:
    """The candidates for the name of a picture's files, best first, without end."""
    if unique:
        yield str(name.with_suffix(""))
    yield str(name)
    number = 2
    while True:
        yield f"{name.with_suffix('')}_{number}"
        number += 1


def _target(picture: Picture, stem: str, out: Path, overlay: bool, prob: str | None) -> Target:
    return Target(
        picture=picture,
        stem=stem,
        mask=out / f"{stem}.png",
        overlay=out / f"{stem}_overlay.jpg" if overlay else None,
        prob=out / f"{stem}_prob{prob}" if prob else None,
    )


def _require_no_image_overwritten(targets: Sequence[Target]) -> None:
    images = {target.picture.image.resolve() for target in targets}
    overwritten = [path for target in targets for path in target.files() if path.resolve() in images]
    if overwritten:
        raise OutputError(
            f"{len(overwritten)} results would be written over the images themselves", found=abbreviate(overwritten),
            remedy="choose another --out",
        )  # fmt: skip
