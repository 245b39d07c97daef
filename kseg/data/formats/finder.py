"""Find files that annotations and lists name, although the paths are of another machine or the suffix differs."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kseg.data.names import NameIndex, is_hidden
from kseg.errors import DataError
from kseg.images import IMAGE_SUFFIXES, printable

__all__ = ["Finder", "sample_keys"]


class Finder:
    """Finds files below some folders by the longest trailing part of a path that exists there.

    ``/SegNet/CamVid/train/1.png`` is found as ``train/1.png`` below the root, or as ``train/1.jpg`` if that is the only
    image with this stem. If there is no such file, other spellings count (`NameIndex`): an ``é`` in another Unicode
    form, then other case. Hidden files are never found.

    Args:
        bases: The folders, in the order in which they are searched.
        absolute: Whether absolute paths outside the folders are followed. False for annotation files, whose paths come
            from elsewhere.
    """

    def __init__(self, *bases: Path, absolute: bool = False) -> None:
        self._bases = tuple(dict.fromkeys(os.path.abspath(base) for base in bases))
        self._absolute = absolute
        self._folders: dict[str, _Folder] = {}

    def find(self, name: str, *, where: str) -> Path | None:
        """The file that a path refers to, or None.

        Args:
            name: The path, with ``/`` or ``\\``; a file whose own name has a ``\\`` is found, too.
            where: The place that names it, for messages.

        Raises:
            DataError: The path begins with ``..``, which leads out of the data set.
        """
        # A file name may contain any of what is first taken for blanks around it, or for Windows' separator.
        spellings = dict.fromkeys((name, name.strip(), name.strip().replace("\\", "/")))
        paths = [posixpath.normpath(text) for text in spellings]
        if paths[-1].split("/")[0] == "..":
            raise DataError(
                "the path leads out of the data set", where=where, expected="a path below the data set's folder",
                found=printable(name),
            )  # fmt: skip
        inside = dict.fromkeys(path for path in paths if path.split("/")[0] != "..")
        attempts = ((path, exact) for exact in (True, False) for path in inside)
        return next((file for path, exact in attempts if (file := self._find(path, exact)) is not None), None)

    def _find(self, path: str, exact: bool) -> Path | None:
        if self._absolute and path.startswith("/"):
            file = self._in(posixpath.dirname(path), (), posixpath.basename(path), exact)
            if file is not None:
                return file
        parts = [part for part in path.split("/") if part and not part.endswith(":")]
        for start in range(len(parts)):
            for base in self._bases:
                file = self._in(base, parts[start:-1], parts[-1], exact)
                if file is not None:
                    return file
        return None

    def _in(self, base: str, folders: Sequence[str], name: str, exact: bool) -> Path | None:
        """The file of this name in ``base/folders``, else the only image with its stem."""
        folder = os.path.join(base, *folders) if exact else self._spelled(base, folders)
        if folder is None or any(map(is_hidden, folders)):
            return None
        file = self._folder(folder).file(name, exact)
        return Path(os.path.join(folder, file)) if file is not None else None

    def _spelled(self, base: str, folders: Sequence[str]) -> str | None:
        """The path of a folder as it is spelled on disk."""
        path = base
        for name in folders:
            spelling = self._folder(path).folders.find(name)
            if spelling is None:
                return None
            path = os.path.join(path, spelling)
        return path

    def _folder(self, path: str) -> _Folder:
        """The folder of this path; each is read once."""
        if path not in self._folders:
            self._folders[path] = _read_folder(path)
        return self._folders[path]


@dataclass(frozen=True)
class _Folder:
    """Names in a folder, without hidden ones.

    Args:
        files: Each file.
        stems: The names of the images by their stem.
        folders: Each folder.
    """

    files: NameIndex[str]
    stems: NameIndex[list[str]]
    folders: NameIndex[str]

    def file(self, name: str, exact: bool) -> str | None:
        """The file of this name, else the only image with its stem; other spellings count unless ``exact``."""
        file = self.files.get(name) if exact else self.files.find(name)
        if file is not None:
            return file
        stem, suffix = posixpath.splitext(name)
        # A name without an image suffix is itself the stem: 0001.x is found as 0001.x.jpg, not as 0001.jpg.
        stem = stem if suffix.lower() in IMAGE_SUFFIXES else name
        images = (self.stems.get(stem) if exact else self.stems.find(stem)) or ()
        return images[0] if len(images) == 1 else None


def _read_folder(path: str) -> _Folder:
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if not is_hidden(entry.name):
                    (folders if entry.is_dir() else files).append(entry.name)
    except (OSError, ValueError):  # no such folder, or an invalid name
        pass
    stems: dict[str, list[str]] = {}
    for name in files:
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in IMAGE_SUFFIXES:
            stems.setdefault(stem, []).append(name)
    return _Folder(NameIndex(dict(zip(files, files, strict=True))), NameIndex(stems),
                   NameIndex(dict(zip(folders, folders, strict=True))))  # fmt: skip


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
