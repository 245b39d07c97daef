"""List the image files of a folder or glob, and the stems by which they are paired."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import IMAGE_SUFFIXES, printable

__all__ = ["ImageFiles", "list_files"]

_WILDCARD = re.compile(r"(\*\*/|\*+|\?|\[[^\]]*\])")


@dataclass(frozen=True)
class ImageFiles:
    """The image files of a folder or glob.

    Args:
        folder: The folder; of a glob, the part before the first wildcard.
        files: The files, sorted by path.
        pattern: The glob below the folder, without its suffix; None for a folder.
        where: The configuration key, for messages.
    """

    folder: Path
    files: tuple[Path, ...]
    pattern: str | None
    where: str

    @property
    def wildcards(self) -> int:
        """Number of wildcards in the glob, without its suffix; 0 for a folder."""
        return len(_WILDCARD.findall(self.pattern)) if self.pattern is not None else 0

    def key(self, file: Path) -> str:
        """The key of a file: its path below the folder, with ``/`` and without suffix."""
        return file.relative_to(self.folder).with_suffix("").as_posix()

    def without(self, files: Set[Path]) -> ImageFiles:
        """A copy without these files."""
        return replace(self, files=tuple(file for file in self.files if file not in files))

    def by_stem(self, by_wildcards: bool) -> dict[str, Path]:
        """The files by the stem that pairs images with masks.

        Args:
            by_wildcards: The stem is the text that the glob's wildcards match, instead of the file's key.

        Raises:
            DataError: Two files have the same stem.
        """
        expression = _expression(self.pattern or "") if by_wildcards else None
        stems: dict[str, list[Path]] = {}
        for file in self.files:
            match = expression.fullmatch(self.key(file)) if expression else None
            stems.setdefault("/".join(match.groups()) if match else self.key(file), []).append(file)
        duplicates = [
            f"{printable(files[0])} and {printable(files[1].name)}" for files in stems.values() if len(files) > 1
        ]
        if duplicates:
            raise DataError(
                f"{len(duplicates)} stems occur twice", where=self.where, found=abbreviate(duplicates),
                expected="one file per stem", remedy=f"remove one of each, or name the suffix: {self.where}: …/*.png",
            )  # fmt: skip
        return {stem: files[0] for stem, files in stems.items()}


def list_files(root: Path, spec: str, *, key: str) -> ImageFiles:
    """Find the image files of a folder (recursively) or glob.

    Args:
        root: What ``spec`` is relative to.
        spec: The folder or glob.
        key: The configuration key, for messages.

    Raises:
        ConfigError: The folder does not exist.
        DataError: It contains no image files.
    """
    path = Path(os.path.normpath(root / spec))
    if path.is_dir():
        listed = ImageFiles(path, tuple(sorted(_walk(path))), None, key)
    elif glob.has_magic(spec):
        listed = _glob(root, spec, key)
    else:
        folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []
        raise ConfigError(
            "no such folder", where=key, found=printable(path),
            remedy=f"{printable(root)} has the folders {abbreviate(map(printable, folders), 8)}; "
            "kseg data check guesses layouts" if folders else None,
        )  # fmt: skip
    if not listed.files:
        raise DataError(
            "no images found", where=f"{key}: {printable(path)}",
            expected=f"files with the suffix {', '.join(sorted(IMAGE_SUFFIXES))}",
        )  # fmt: skip
    return listed


def _walk(folder: Path) -> Iterator[Path]:
    visited: set[str] = set()
    # Data sets are often assembled from symbolic links. Each real folder is visited once, since links can form cycles.
    for parent, folders, names in os.walk(folder, followlinks=True):
        real_path = os.path.realpath(parent)
        if real_path in visited:
            folders.clear()
            continue
        visited.add(real_path)
        # Hidden files are skipped: macOS leaves a ._x.jpg beside each x.jpg.
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if _is_image(name) and not name.startswith("."))


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _glob(root: Path, spec: str, key: str) -> ImageFiles:
    parts = PurePath(spec).parts
    plain = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    folder = root.joinpath(*parts[:plain])
    paths = glob.glob(os.path.join(glob.escape(os.fspath(folder)), *parts[plain:]), recursive=True)
    files = sorted(Path(path) for path in paths if _is_image(path) and os.path.isfile(path))
    pattern = os.path.join(*parts[plain:-1], os.path.splitext(parts[-1])[0])
    return ImageFiles(folder, tuple(files), pattern, key)


def _expression(pattern: str) -> re.Pattern[str]:
    """A glob as a regular expression, with a group for each wildcard."""
    translated = []
    for piece in _WILDCARD.split(pattern):
        if piece == "**/":
            translated.append(r"((?:[^/]+/)*)")
        elif piece.startswith("*"):
            translated.append(r"([^/]*)")
        elif piece == "?":
            translated.append(r"([^/])")
        elif piece.startswith("["):
            inside = re.sub(r"([\\\[^])", r"\\\1", piece[1:-1])
            translated.append(f"([^{inside[1:]}])" if inside.startswith("!") else f"([{inside}])")
        else:
            translated.append(re.escape(piece))
    return re.compile("".join(translated))
