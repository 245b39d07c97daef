"""Splits as text files, one a split, with one sample a line: read, and written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from kseg.data.sample import SPLITS, Sample, SplitName, Splits
from kseg.data.spec import Lists
from kseg.errors import ConfigError, DataError, OutputError, abbreviate
from kseg.files import make_folder, write_bytes
from kseg.images import printable

__all__ = ["read_lists", "require_apart", "require_no_lists", "write_lists"]


def read_lists(samples: Sequence[Sample], lists: Lists, root: Path) -> Splits:
    """The splits that the text files name.

    Raises:
        ConfigError: A list is missing.
        DataError: A list names a sample that there is not, or one that another list has.
    """
    aliases = _aliases(samples, root)
    splits: Splits = {}
    for name in SPLITS:
        listed: str = getattr(lists, name)
        splits[name] = _read_list(root / listed, aliases, where=f"data.split.{name}") if listed else ()
    require_apart(splits)
    return splits


def _aliases(samples: Sequence[Sample], root: Path) -> Mapping[str, Sample]:
    """Every way in which a list may name a sample; the more exact ways win."""
    aliases: dict[str, Sample] = {}
    stems: dict[str, list[Sample]] = {}
    for sample in samples:
        for name in (sample.image.stem, sample.image.name):
            stems.setdefault(name, []).append(sample)
        relative = os.path.relpath(sample.image, root)
        aliases |= {str(sample.image): sample, relative: sample, sample.key + sample.image.suffix: sample}
    aliases |= {sample.key: sample for sample in samples}
    return {stem: found[0] for stem, found in stems.items() if len(found) == 1} | aliases


def _read_list(path: Path, aliases: Mapping[str, Sample], *, where: str) -> tuple[Sample, ...]:
    try:
        lines = path.read_text("utf-8-sig", errors="surrogateescape").splitlines()
    except OSError as error:
        raise ConfigError(
            "the list cannot be read", where=where, expected="a text file", found=f"{printable(path)}: {error.strerror}"
        ) from error
    entries = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    # The whole line first: a file name may hold blanks.
    found = {entry: aliases.get(entry) or aliases.get(entry.split()[0]) for entry in entries}
    unknown = [printable(entry) for entry, sample in found.items() if sample is None]
    if unknown:
        raise DataError(
            f"{len(unknown)} of {len(entries)} lines name no sample", where=printable(path), found=abbreviate(unknown),
            expected=f"names like {abbreviate((printable(key) for key in aliases), 1).split(' and ')[0]}",
        )  # fmt: skip
    return tuple(dict.fromkeys(sample for sample in found.values() if sample is not None))


def require_apart(splits: Splits) -> None:
    """See that no sample is in two splits. Raises DataError."""
    seen: dict[Sample, SplitName] = {}
    for name, samples in splits.items():
        shared = [sample for sample in samples if sample in seen]
        if shared:
            raise DataError(
                f"{len(shared)} samples are in the lists {seen[shared[0]]} and {name} both", where="data.split",
                found=abbreviate(printable(sample.key) for sample in shared), remedy="keep each in one list",
            )  # fmt: skip
        seen |= dict.fromkeys(samples, name)


def require_no_lists(folder: Path) -> None:
    """See that the folder has none of the files that `write_lists` writes. Raises OutputError."""
    there = [file.name for file in _files(folder).values() if file.exists()]
    if there:
        raise OutputError(
            "there are lists already", where=printable(folder), found=abbreviate(there),
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
