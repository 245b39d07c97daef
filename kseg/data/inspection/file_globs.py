"""Folders and globs that name some files of a folder and none that are read."""

from __future__ import annotations

import glob
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from kseg.data.formats.layout.tree import Tree, is_below, join

__all__ = ["short_globs"]

_MOST: Final = 3
"""Up to this number of files in a folder, each is named."""
_SEPARATORS: Final = "_-. "


def short_globs(tree: Tree, files: Sequence[str], read: Collection[str]) -> list[str]:
    """Few folders, globs and files that match all of ``files`` and, where there is such a choice, none of ``read``.

    Args:
        tree: All files.
        files: Files below the root.
        read: The files that are read.
    """
    read_folders = {os.path.dirname(file) for file in read}
    by_folder: dict[str, list[str]] = defaultdict(list)
    for file in files:
        by_folder[_topmost_unread(os.path.dirname(file), read_folders)].append(file)
    return [name for folder, same in sorted(by_folder.items()) for name in _names(folder, same, read_folders, tree)]


def _topmost_unread(folder: str, read_folders: Collection[str]) -> str:
    """The outermost folder around a folder in which nothing is read; the folder itself if something is."""
    parts = folder.split("/")
    around = ["/".join(parts[: i + 1]) for i in range(len(parts))]
    unread = (outer for outer in around if outer and not any(is_below(other, outer) for other in read_folders))
    return next(unread, folder)


def _names(folder: str, files: Sequence[str], read_folders: Collection[str], tree: Tree) -> list[str]:
    if folder and not any(is_below(other, folder) for other in read_folders):
        return [_escaped(folder)]
    names = [os.path.basename(file) for file in files]
    if len(names) <= _MOST:
        return [_escaped(join(folder, name)) for name in names]
    others = set(tree.files[folder]) - set(names)
    patterns = _cover(names, others)
    if not patterns:
        return [_escaped(join(folder, name)) for name in names]
    return [join(glob.escape(folder), pattern) for pattern in patterns]


def _escaped(path: str) -> str:
    """The path; as a glob where it would otherwise be taken for another one."""
    return glob.escape(path) if any(char in path for char in "*?[") else path


def _cover(names: Sequence[str], others: Collection[str]) -> list[str]:
    """Globs that match all names and no other; none if they would be many."""
    patterns: list[str] = []
    remaining = list(names)
    while remaining and len(patterns) < _MOST:
        pattern = max(
            (glob_ for glob_ in _patterns(remaining[0]) if not any(fnmatchcase(other, glob_) for other in others)),
            key=lambda pattern: sum(fnmatchcase(name, pattern) for name in remaining), default=None,
        )  # fmt: skip
        if pattern is None:
            return []
        patterns.append(pattern)
        remaining = [name for name in remaining if not fnmatchcase(name, pattern)]
    return [] if remaining else patterns


def _patterns(name: str) -> Iterator[str]:
    """The globs of names with the same file type, the same end or the same beginning, up to a separator."""
    stem, kind = os.path.splitext(name)
    yield f"*{glob.escape(kind)}"
    for i, char in enumerate(stem):
        if char in _SEPARATORS:
            yield f"*{glob.escape(stem[i:] + kind)}"
            yield f"{glob.escape(stem[: i + 1])}*"
    yield glob.escape(name)
