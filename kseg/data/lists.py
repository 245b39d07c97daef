"""Write a split down: one text file a split, as ``data.split: {by: lists}`` reads them."""

from __future__ import annotations

import os
from pathlib import Path

from kseg.data.samples import SPLITS, Sample, SplitName
from kseg.data.split import Splits
from kseg.errors import DataError, OutputError, some
from kseg.files import make_folder, write_bytes
from kseg.images import printable

__all__ = ["require_no_lists", "write_lists"]


def require_no_lists(folder: Path) -> None:
    """See that the folder has none of the files that `write_lists` writes. Raises OutputError."""
    there = [file.name for file in _files(folder).values() if file.exists()]
    if there:
        raise OutputError(
            "there are lists already", where=printable(folder), found=some(there),
            remedy="name another folder with --out, or give --overwrite",
        )  # fmt: skip


def _files(folder: Path) -> dict[SplitName, Path]:
    return {name: folder.absolute() / f"{name}.txt" for name in SPLITS}


def write_lists(
    folder: Path, splits: Splits, root: Path, *, masks: bool = False, overwrite: bool = False
) -> dict[SplitName, Path]:
    """Write ``train.txt``, ``val.txt`` and ``test.txt``, one picture a line, relative to the data set's folder.

    Args:
        folder: Where to; made where it is not there.
        splits: The samples of each split; an empty split gets no file.
        root: The data set's folder.
        masks: Name each picture's mask behind it, where that is a file.
        overwrite: Replace lists that are there, and remove those of splits that are empty now.

    Returns:
        The files written, absolute.

    Raises:
        OutputError: A list is there already, or the folder cannot be written.
        DataError: A file's name cannot stand in a list.
    """
    if not overwrite:
        require_no_lists(folder)
    files = _files(folder)
    texts = {name: "".join(f"{_line(sample, root, masks)}\n" for sample in splits[name]) for name in SPLITS}
    make_folder(folder)
    for name, file in files.items():
        if texts[name]:
            # File names may hold bytes that are not UTF-8: they are written as they are.
            write_bytes(file, texts[name].encode("utf-8", "surrogateescape"))
        else:
            file.unlink(missing_ok=True)
    return {name: file for name, file in files.items() if texts[name]}


def _line(sample: Sample, root: Path, masks: bool) -> str:
    files = [sample.image, *([sample.mask] if masks and isinstance(sample.mask, Path) else [])]
    line = " ".join(os.path.relpath(file, root) for file in files)
    if line.startswith("#") or line != line.strip() or len(line.splitlines()) != 1:
        raise DataError(
            "the name cannot stand in a list", where=printable(sample.image),
            expected="no line break, no blank at an end, and no # at the beginning", remedy="rename the file",
        )  # fmt: skip
    return line
