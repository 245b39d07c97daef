"""Walk through the folders of a data set: each once, links followed, hidden names left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from kseg.data.names import is_hidden
from kseg.images import IMAGE_SUFFIXES

__all__ = ["is_picture", "visible_files", "visible_folders"]


def is_picture(name: str | os.PathLike[str]) -> bool:
    """Whether a file counts as an image, by its suffix."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def visible_folders(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below and including ``folder`` with the names of its files, as of `visible_files`."""
    for parent, files in visible_files(os.fspath(folder)):
        yield Path(parent), [file.name for file in files]


def visible_files(folder: str) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
    """Every folder below and including ``folder`` with its files, sorted, without hidden ones; also broken links.

    Links are followed, for data sets are often assembled from them. Each real folder is visited once, since links can
    form cycles; links come last, so that a folder is always listed by its own path, if that is below ``folder``.
    """
    visited: set[str] = set()
    pending, links = [folder], list[str]()
    while pending or links:
        parent = pending.pop() if pending else links.pop(0)
        real_path = os.path.realpath(parent)
        if real_path in visited:
            continue
        visited.add(real_path)
        files = []
        for entry in _entries(parent):
            if not entry.is_dir():
                files.append(entry)
            elif entry.is_symlink():
                links.append(entry.path)
            else:
                pending.append(entry.path)
        yield parent, files[::-1]


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder and not hidden (macOS leaves a ``._x.jpg`` beside each ``x.jpg``); nothing if unreadable.

    In the reverse order of names, so that the first folder is on top of a stack.
    """
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not is_hidden(entry.name)]
    except OSError:
        return []
    return sorted(visible, key=lambda entry: entry.name, reverse=True)
