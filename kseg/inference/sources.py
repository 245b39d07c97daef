"""Find the pictures to predict, and name the files that are written for each."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kseg.errors import OutputError, UsageError, abbreviate
from kseg.images import IMAGE_SUFFIXES

__all__ = ["Picture", "Target", "find_pictures", "name_targets"]


@dataclass(frozen=True)
class Picture:
    """A picture to predict.

    Args:
        image: Its path.
        name: Its path relative to the source folder (or to the part of a pattern before the first wildcard).
    """

    image: Path
    name: PurePosixPath


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


def find_pictures(sources: Sequence[str], *, exclude: Collection[Path] = ()) -> list[Picture]:
    """Find the pictures that the sources name, each once, in the order of the sources.

    Args:
        sources: Files, folders (searched at any depth) and patterns (``photos/*.jpg``).
        exclude: Resolved paths that folders and patterns skip, such as files of an earlier prediction. A file that is
            itself a source is never skipped.

    Raises:
        UsageError: A source matches no picture.
    """
    pictures: dict[Path, Picture] = {}
    for text in sources:
        matches = [p for p in _matches(text) if Path(text) == p.image or p.image.resolve() not in exclude]
        if not matches:
            raise _no_match(text)
        for picture in matches:
            pictures.setdefault(picture.image.resolve(), picture)
    return list(pictures.values())


def _matches(text: str) -> Iterator[Picture]:
    path = Path(text)
    if path.is_dir():
        yield from _in_folder(path)
    elif path.exists():
        yield Picture(path, PurePosixPath(path.name))
    elif glob.has_magic(text):
        root = _fixed_part(path)
        for match in sorted(Path(p) for p in glob.glob(text, recursive=True)):
            if _is_picture(match):
                yield Picture(match, PurePosixPath(match.relative_to(root).as_posix()))


def _in_folder(folder: Path) -> Iterator[Picture]:
    for path in sorted(folder.rglob("*")):
        if _is_picture(path):
            yield Picture(path, PurePosixPath(path.relative_to(folder).as_posix()))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _fixed_part(pattern: Path) -> Path:
    """The folder part of a pattern before its first wildcard."""
    parts = pattern.parts[:-1]
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return Path(*parts[:fixed])


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
