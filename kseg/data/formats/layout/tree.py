"""`Tree`: the folders and files of a data set, from which its layout is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from kseg.data.formats.walk import is_picture, visible_folders
from kseg.provenance import is_marked

__all__ = ["Tree", "is_below", "join"]

_OF_A_RUN: Final = frozenset({"args.yaml", "env.json"})
"""Files that only the folder of a training has: see `kseg.run_folder`."""
_MARKED: Final = (".png", ".jpg", ".jpeg")
"""Pictures in which kseg writes its mark."""


def join(folder: str, name: str) -> str:
    """``folder/name``, or ``name`` in the root."""
    return f"{folder}/{name}" if folder else name


@dataclass(frozen=True)
class Tree:
    """The files of a data set.

    Args:
        root: Its folder.
        files: Folder below the root, as ``a/b`` ("" is the root) → the names of its files, without hidden ones.
        runs: Folders of trainings, whose files are in ``files`` no more.
        chosen: Folders whose pictures count even if kseg wrote them, since the user names them.
    """

    root: Path
    files: Mapping[str, tuple[str, ...]]
    runs: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()

    @classmethod
    def of(cls, root: Path, *, chosen: tuple[str, ...] = ()) -> Tree:
        """List the files of a folder at any depth.

        Args:
            root: The folder.
            chosen: Folders below it whose pictures count even if kseg wrote them.
        """
        prefix = len(os.path.join(root, ""))
        every = {
            os.fspath(parent)[prefix:].replace(os.sep, "/"): tuple(names) for parent, names in visible_folders(root)
        }
        runs = tuple(sorted(folder for folder, names in every.items() if folder and set(names) >= _OF_A_RUN))
        files = {folder: every[folder] for folder in sorted(every) if not any(is_below(folder, run) for run in runs)}
        return cls(root, files, runs, chosen)

    @cached_property
    def pictures(self) -> Mapping[str, tuple[str, ...]]:
        """Folder → the names of its images, for the folders that have any; without those that kseg wrote."""
        own = self.own_pictures
        images = {
            folder: tuple(name for name in names if is_picture(name) and join(folder, name) not in own)
            for folder, names in self.files.items()
        }
        return {folder: names for folder, names in images.items() if names}

    @cached_property
    def own_pictures(self) -> frozenset[str]:
        """The pictures that kseg wrote, such as predictions and overlays."""
        files = [
            join(folder, name) for folder, names in self.files.items()
            if not any(is_below(folder, chosen) for chosen in self.chosen)
            for name in names if name.lower().endswith(_MARKED)
        ]  # fmt: skip
        return frozenset(file for file in files if is_marked(os.path.join(self.root, file)))

    @cached_property
    def own_folders(self) -> frozenset[str]:
        """The folders with pictures that kseg wrote, and those of trainings."""
        return frozenset({os.path.dirname(file) for file in self.own_pictures} | {*self.runs})

    @cached_property
    def stems(self) -> Mapping[str, frozenset[str]]:
        """Folder → the stems of its images, for the folders that have any."""
        return {
            folder: frozenset(os.path.splitext(name)[0] for name in names) for folder, names in self.pictures.items()
        }

    @cached_property
    def all_stems(self) -> frozenset[str]:
        """The stems of all images."""
        return frozenset().union(*self.stems.values())

    def named(self, *suffixes: str) -> list[str]:
        """The files with one of these suffixes (lower case), as paths below the root."""
        return [
            join(folder, name) for folder, names in self.files.items() for name in names
            if name.lower().endswith(suffixes)
        ]  # fmt: skip

    def path(self, relative: str) -> Path:
        """The path of a file or folder of the tree."""
        return self.root / relative if relative else self.root


def is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder or inside it; everything is inside "", the root."""
    return not folder or path == folder or path.startswith(f"{folder}/")
