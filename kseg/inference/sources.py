"""Which pictures are meant, and under which name the result of each is written."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kseg.errors import OutputError, UsageError, some
from kseg.images import IMAGE_SUFFIXES

__all__ = ["Source", "Target", "find_sources", "name_targets"]


@dataclass(frozen=True)
class Source:
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

    source: Source
    stem: str
    mask: Path
    overlay: Path | None
    prob: Path | None

    def files(self) -> list[Path]:
        """All of them."""
        return [path for path in (self.mask, self.overlay, self.prob) if path is not None]


def find_sources(sources: Sequence[str], *, exclude: Collection[Path] = ()) -> list[Source]:
    """The pictures that files, folders (searched at any depth) and patterns name, each once, in order.

    Args:
        sources: As the user gave them.
        exclude: Resolved paths that a folder or pattern does not stand for: what an earlier prediction wrote. A file
            that is named itself is meant, whatever it is.

    Raises:
        UsageError: One of them matches nothing.
    """
    found: dict[Path, Source] = {}
    for text in sources:
        matches = [s for s in _matches(text) if Path(text) == s.image or s.image.resolve() not in exclude]
        if not matches:
            raise _nothing(text)
        for source in matches:
            found.setdefault(source.image.resolve(), source)
    return list(found.values())


def _matches(text: str) -> Iterator[Source]:
    path = Path(text)
    if path.is_dir():
        yield from _in_folder(path)
    elif path.exists():
        yield Source(path, PurePosixPath(path.name))
    elif glob.has_magic(text):
        root = _fixed_part(path)
        for match in sorted(Path(p) for p in glob.glob(text, recursive=True)):
            if _is_picture(match):
                yield Source(match, PurePosixPath(match.relative_to(root).as_posix()))


def _in_folder(folder: Path) -> Iterator[Source]:
    for path in sorted(folder.rglob("*")):
        if _is_picture(path):
            yield Source(path, PurePosixPath(path.relative_to(folder).as_posix()))


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


def name_targets(sources: Sequence[Source], out: Path, *, overlay: bool, prob: str | None) -> list[Target]:
    """Give every source its own files in the output folder, below the folders that it was found in.

    Sources whose files would be the same (``a.jpg`` and ``a.png``, or ``a.jpg`` of two folders) are told apart by
    their suffix and then by a number.

    Args:
        sources: The pictures.
        out: The output folder.
        overlay: Whether overlays are written.
        prob: The suffix of the score files, or None without them.

    Raises:
        OutputError: A file would be written over one of the sources.
    """
    stems = Counter(_fold(source.name.with_suffix("")) for source in sources)
    taken: set[str] = set()
    targets = []
    for source in sources:
        for stem in _stems(source.name, alone=stems[_fold(source.name.with_suffix(""))] == 1):
            target = _target(source, stem, out, overlay, prob)
            names = {_fold(path) for path in target.files()}
            if not names & taken:
                break
        taken |= names
        targets.append(target)
    _spare_sources(targets)
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


def _target(source: Source, stem: str, out: Path, overlay: bool, prob: str | None) -> Target:
    return Target(
        source=source,
        stem=stem,
        mask=out / f"{stem}.png",
        overlay=out / f"{stem}_overlay.jpg" if overlay else None,
        prob=out / f"{stem}_prob{prob}" if prob else None,
    )


def _spare_sources(targets: Sequence[Target]) -> None:
    images = {target.source.image.resolve() for target in targets}
    hit = [path for target in targets for path in target.files() if path.resolve() in images]
    if hit:
        raise OutputError(
            f"{len(hit)} results would be written over the images themselves", found=some(hit),
            remedy="choose another --out",
        )  # fmt: skip
