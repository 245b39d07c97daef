"""`Tree`: the folders and files of a data set, from which its layout is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kseg.images import IMAGE_SUFFIXES

__all__ = ["Tree", "is_hidden", "is_picture", "join", "visible_folders"]


def is_hidden(name: str) -> bool:
    """Whether a file or folder is one that systems leave behind: ``._x.jpg``, ``.git``, ``__MACOSX``."""
    return name.startswith(".") or name == "__MACOSX"


def is_picture(name: str) -> bool:
    """Whether a file counts as an image, by its suffix."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def join(folder: str, name: str) -> str:
    """``folder/name``, or ``name`` in the root."""
    return f"{folder}/{name}" if folder else name


def visible_folders(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below and including ``folder`` with the names of its files, sorted, without hidden ones.

    Links are followed, for data sets are often assembled from them; each real folder is visited once, since links can
    form cycles.
    """
    visited: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real_path = os.path.realpath(parent)
        if real_path in visited:
            folders.clear()
            continue
        visited.add(real_path)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        yield Path(parent), sorted(name for name in names if not is_hidden(name))


@dataclass(frozen=True)
class Tree:
    """The files of a data set.

    Args:
        root: Its folder.
        files: Folder below the root, as ``a/b`` ("" is the root) → the names of its files, without hidden ones.
    """

    root: Path
    files: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, root: Path) -> Tree:
        """List the files of a folder at any depth."""
        files = {
            "" if parent == root else parent.relative_to(root).as_posix(): tuple(names)
            for parent, names in visible_folders(root)
        }
        return cls(root, files)

    @cached_property
    def pictures(self) -> Mapping[str, tuple[str, ...]]:
        """Folder → the names of its images, for the folders that have any."""
        images = {folder: tuple(filter(is_picture, names)) for folder, names in self.files.items()}
        return {folder: names for folder, names in images.items() if names}

    @cached_property
    def stems(self) -> Mapping[str, frozenset[str]]:
        """Folder → the stems of its images, for the folders that have any."""
        return {
            folder: frozenset(os.path.splitext(name)[0] for name in names) for folder, names in self.pictures.items()
        }

    def named(self, *suffixes: str) -> list[str]:
        """The files with one of these suffixes (lower case), as paths below the root."""
        return [
            join(folder, name) for folder, names in self.files.items() for name in names
            if name.lower().endswith(suffixes)
        ]  # fmt: skip

    def path(self, relative: str) -> Path:
        """The path of a file or folder of the tree."""
        return self.root / relative if relative else self.root
