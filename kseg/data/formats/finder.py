"""Find files that annotations and lists name, although the paths are of another machine or the suffix differs."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from pathlib import Path

from kseg.errors import DataError
from kseg.images import IMAGE_SUFFIXES, printable

__all__ = ["Finder", "sample_keys"]


class Finder:
    """Finds files below some folders by the longest trailing part of a path that exists there.

    ``/SegNet/CamVid/train/1.png`` is found as ``train/1.png`` below the root, or as ``train/1.jpg`` if that is the only
    image with this stem.

    Args:
        bases: The folders, in the order in which they are searched.
        absolute: Whether absolute paths outside the folders are followed. False for annotation files, whose paths come
            from elsewhere.
    """

    def __init__(self, *bases: Path, absolute: bool = False) -> None:
        self._bases = tuple(dict.fromkeys(Path(os.path.abspath(base)) for base in bases))
        self._absolute = absolute
        self._folders: dict[str, tuple[set[str], dict[str, list[str]]]] = {}

    def find(self, name: str, *, where: str) -> Path | None:
        """The file that a path refers to, or None.

        Args:
            name: The path, with ``/`` or ``\\``.
            where: The place that names it, for messages.

        Raises:
            DataError: The path begins with ``..``, which leads out of the data set.
        """
        normalized = posixpath.normpath(name.strip().replace("\\", "/"))
        if normalized.split("/")[0] == "..":
            raise DataError(
                "the path leads out of the data set", where=where, expected="a path below the data set's folder",
                found=printable(name),
            )  # fmt: skip
        if self._absolute and normalized.startswith("/"):
            file = self._in(posixpath.dirname(normalized), posixpath.basename(normalized))
            if file is not None:
                return file
        parts = [part for part in normalized.split("/") if part and not part.endswith(":")]
        for start in range(len(parts)):
            for base in self._bases:
                file = self._in(os.path.join(base, *parts[start:-1]), parts[-1])
                if file is not None:
                    return file
        return None

    def _in(self, folder: str, name: str) -> Path | None:
        """The file of this name in a folder, else the only image with its stem."""
        names, stems = self._names(folder)
        if name in names:
            return Path(folder, name)
        stem, suffix = posixpath.splitext(name)
        # A name without an image suffix is itself the stem: 0001.x is found as 0001.x.jpg, not as 0001.jpg.
        candidates = stems.get(stem if suffix.lower() in IMAGE_SUFFIXES else name, ())
        return Path(folder, candidates[0]) if len(candidates) == 1 else None

    def _names(self, folder: str) -> tuple[set[str], dict[str, list[str]]]:
        """The names of the files in a folder, and of its images by stem; each folder is read once."""
        if folder not in self._folders:
            names: set[str] = set()
            stems: dict[str, list[str]] = {}
            try:
                with os.scandir(folder) as entries:
                    names = {entry.name for entry in entries if not entry.is_dir()}
            except (OSError, ValueError):  # no such folder, or an invalid name
                pass
            for name in names:
                stem, suffix = os.path.splitext(name)
                if suffix.lower() in IMAGE_SUFFIXES and not name.startswith("."):
                    stems.setdefault(stem, []).append(name)
            self._folders[folder] = names, stems
        return self._folders[folder]


def sample_keys(files: Iterable[Path], *bases: Path) -> dict[Path, str]:
    """The key of each image: its path below the first of ``bases`` that contains it, with ``/`` and without suffix.

    The keys of images outside all of them are relative to their common parent folder.
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
