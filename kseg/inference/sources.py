"""Which pictures are meant, and under which name the result of each is written."""

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
        image: Where it lies.
        name: Its path below the folder (or the pattern's fixed part) that it was found in, suffix included.
    """

    image: Path
    name: PurePosixPath


@dataclass(frozen=True)
class Target:
    """A picture and the files that its prediction becomes, as paths below the output folder."""

    picture: Picture
    stem: str
    mask: Path
    overlay: Path | None
    prob: Path | None

    def files(self) -> list[Path]:
        """All of them."""
        return [path for path in (self.mask, self.overlay, self.prob) if path is not None]


def find_pictures(sources: Sequence[str], *, exclude: Collection[Path] = ()) -> list[Picture]:
    """The pictures that files, folders (searched at any depth) and patterns name, each once, in order.

    Args:
        sources: As the user gave them.
        exclude: Resolved paths that a folder or pattern does not stand for: what an earlier prediction wrote. A file
            that is named itself is meant, whatever it is.

    Raises:
        UsageError: One of them matches nothing.
    """
    pictures: dict[Path, Picture] = {}
    for text in sources:
        matches = [s for s in _matches(text) if Path(text) == s.image or s.image.resolve() not in exclude]
        if not matches:
            raise _nothing(text)
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
    """The folders of a pattern before its first wildcard."""
    parts = pattern.parts[:-1]
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return Path(*parts[:fixed])


def _nothing(text: str) -> UsageError:
    if Path(text).is_dir():
        return UsageError(
            "no images in the folder", where=text, expected=f"files ending in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    if glob.has_magic(text):
        return UsageError("no image matches the pattern", where=text)
    return UsageError("no such file or folder", where=text)


def name_targets(pictures: Sequence[Picture], out: Path, *, overlay: bool, prob: str | None) -> list[Target]:
    """Give every picture its own files in the output folder, below the folders that it was found in.

    Sources whose files would be the same (``a.jpg`` and ``a.png``, or ``a.jpg`` of two folders) are told apart by
    their suffix and then by a number.

    Args:
        pictures: What is predicted.
        out: The output folder.
        overlay: Whether overlays are written.
        prob: The suffix of the score files, or None without them.

    Raises:
        OutputError: A file would be written over one of the pictures.
    """
    stems = Counter(_fold(picture.name.with_suffix("")) for picture in pictures)
    taken: set[str] = set()
    targets = []
    for picture in pictures:
        for stem in _stems(picture.name, alone=stems[_fold(picture.name.with_suffix(""))] == 1):
            target = _target(picture, stem, out, overlay, prob)
            names = {_fold(path) for path in target.files()}
            if not names & taken:
                break
        taken |= names
        targets.append(target)
    _require_apart(targets)
    return targets


def _fold(path: PurePosixPath | Path) -> str:
    # Some file systems take A.png and a.png for one.
    return path.as_posix().casefold()


def _stems(name: PurePosixPath, *, alone: bool) -> Iterator[str]:
    if alone:
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


def _require_apart(targets: Sequence[Target]) -> None:
    images = {target.picture.image.resolve() for target in targets}
    hit = [path for target in targets for path in target.files() if path.resolve() in images]
    if hit:
        raise OutputError(
            f"{len(hit)} results would be written over the images themselves", found=abbreviate(hit),
            remedy="choose another --out",
        )  # fmt: skip
