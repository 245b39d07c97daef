"""Find the files that annotations and lists name: by paths of another machine, or with another suffix than here."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from pathlib import Path

from kseg.errors import DataError
from kseg.images import IMAGE_SUFFIXES, printable

__all__ = ["Finder", "sample_keys"]


class Finder:
    """Finds files below some folders by the longest tail of a path that is there.

    ``/SegNet/CamVid/train/1.png`` is ``train/1.png`` below the root, or ``train/1.jpg`` where that is the only picture
    of this stem.

    Args:
        bases: The folders, in the order in which they are searched.
        absolute: Whether absolute paths that lead elsewhere are taken as they are. Not for paths of annotation files,
            which come from others.
    """

    def __init__(self, *bases: Path, absolute: bool = False) -> None:
        self._bases = tuple(dict.fromkeys(Path(os.path.abspath(base)) for base in bases))
        self._absolute = absolute
        self._folders: dict[str, tuple[set[str], dict[str, list[str]]]] = {}

    def find(self, name: str, *, where: str) -> Path | None:
        """The file that a path means, or None.

        Raises:
            DataError: The path leads out of the data set by ``..``.
        """
        tidy = posixpath.normpath(name.strip().replace("\\", "/"))
        if tidy.split("/")[0] == "..":
            raise DataError(
                "the path leads out of the data set", where=where, expected="a path below the data set's folder",
                found=printable(name),
            )  # fmt: skip
        if self._absolute and tidy.startswith("/"):
            exact = self._in(posixpath.dirname(tidy), posixpath.basename(tidy))
            if exact is not None:
                return exact
        parts = [part for part in tidy.split("/") if part and not part.endswith(":")]
        for start in range(len(parts)):
            for base in self._bases:
                found = self._in(os.path.join(base, *parts[start:-1]), parts[-1])
                if found is not None:
                    return found
        return None

    def _in(self, folder: str, name: str) -> Path | None:
        names, stems = self._names(folder)
        if name in names:
            return Path(folder, name)
        stem, suffix = posixpath.splitext(name)
        # Without a suffix the whole name may be the stem; 0001.x is not 0001.jpg.
        same = stems.get(stem if suffix.lower() in IMAGE_SUFFIXES else name, ())
        return Path(folder, same[0]) if len(same) == 1 else None

    def _names(self, folder: str) -> tuple[set[str], dict[str, list[str]]]:
        """The files of a folder, and its pictures by their stems; read once."""
        if folder not in self._folders:
            names: set[str] = set()
            stems: dict[str, list[str]] = {}
            try:
                with os.scandir(folder) as entries:
                    names = {entry.name for entry in entries if not entry.is_dir()}
            except (OSError, ValueError):  # no such folder, or a name that no folder can have
                pass
            for name in names:
                stem, suffix = os.path.splitext(name)
                if suffix.lower() in IMAGE_SUFFIXES and not name.startswith("."):
                    stems.setdefault(stem, []).append(name)
            self._folders[folder] = names, stems
        return self._folders[folder]


def sample_keys(files: Iterable[Path], *bases: Path) -> dict[Path, str]:
    """The key of each picture: its path below the first of the folders that holds it, with ``/`` and without suffix.

    Pictures elsewhere are named by what they do not share of their paths.
    """
    files = list(files)
    keys: dict[Path, str] = {}
    outside = []
    for file in files:
        base = next((base for base in bases if file.is_relative_to(base)), None)
        if base is None:
            outside.append(file)
        else:
            keys[file] = file.relative_to(base).with_suffix("").as_posix()
    if outside:
        shared = Path(os.path.commonpath([file.parent for file in outside]))
        keys |= {file: file.relative_to(shared).with_suffix("").as_posix() for file in outside}
    return keys
