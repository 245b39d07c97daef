"""Read and write splits as text files: one file per split, one sample per line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from kseg.data.sample import SPLITS, Sample, SplitName, Splits
from kseg.data.spec import Lists
from kseg.errors import ConfigError, DataError, OutputError, abbreviate
from kseg.files import make_folder, write_bytes
from kseg.images import printable

__all__ = ["read_lists", "require_disjoint", "require_no_lists", "write_lists"]


def read_lists(samples: Sequence[Sample], lists: Lists, root: Path) -> Splits:
    """Read the splits from their text files.

    Raises:
        ConfigError: A list is missing.
        DataError: A list names an unknown sample, or one that is in another list.
    """
    aliases = _aliases(samples, root)
    splits: Splits = {}
    for name in SPLITS:
        listed: str = getattr(lists, name)
        splits[name] = _read_list(root / listed, aliases, where=f"data.split.{name}") if listed else ()
    require_disjoint(splits)
    return splits


def _aliases(samples: Sequence[Sample], root: Path) -> Mapping[str, Sample]:
    """Every name by which a list may refer to a sample; more specific names have precedence."""
    aliases: dict[str, Sample] = {}
    by_stem: dict[str, list[Sample]] = {}
    for sample in samples:
        for name in (sample.image.stem, sample.image.name):
            by_stem.setdefault(name, []).append(sample)
        relative = os.path.relpath(sample.image, root)
        aliases |= {str(sample.image): sample, relative: sample, sample.key + sample.image.suffix: sample}
    aliases |= {sample.key: sample for sample in samples}
    return {stem: same_stem[0] for stem, same_stem in by_stem.items() if len(same_stem) == 1} | aliases


def _read_list(path: Path, aliases: Mapping[str, Sample], *, where: str) -> tuple[Sample, ...]:
    try:
        lines = path.read_text("utf-8-sig", errors="surrogateescape").splitlines()
    except OSError as error:
        raise ConfigError(
            "the list cannot be read", where=where, expected="a text file", found=f"{printable(path)}: {error.strerror}"
        ) from error
    entries = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    # The whole line first: a file name may contain blanks.
    sample_of = {entry: aliases.get(entry) or aliases.get(entry.split()[0]) for entry in entries}
    unknown = [printable(entry) for entry, sample in sample_of.items() if sample is None]
    if unknown:
        raise DataError(
            f"{len(unknown)} of {len(entries)} lines name no sample", where=printable(path), found=abbreviate(unknown),
            expected=f"names like {abbreviate((printable(key) for key in aliases), 1).split(' and ')[0]}",
        )  # fmt: skip
    return tuple(dict.fromkeys(sample for sample in sample_of.values() if sample is not None))


def require_disjoint(splits: Splits) -> None:
    """Check that no sample is in two splits. Raises DataError."""
    split_of: dict[Sample, SplitName] = {}
    for name, samples in splits.items():
        repeated = [sample for sample in samples if sample in split_of]
        if repeated:
            raise DataError(
                f"{len(repeated)} samples are in the lists {split_of[repeated[0]]} and {name} both", where="data.split",
                found=abbreviate(printable(sample.key) for sample in repeated), remedy="keep each in one list",
            )  # fmt: skip
        split_of |= dict.fromkeys(samples, name)


def require_no_lists(folder: Path) -> None:
    """Check that the folder has no files that `write_lists` would overwrite. Raises OutputError."""
    existing = [file.name for file in _files(folder).values() if file.exists()]
    if existing:
        raise OutputError(
            "the lists exist already", where=printable(folder), found=abbreviate(existing),
            remedy="name another folder with --out, or give --overwrite",
        )  # fmt: skip


def _files(folder: Path) -> dict[SplitName, Path]:
    return {name: folder.absolute() / f"{name}.txt" for name in SPLITS}


def write_lists(
    folder: Path, splits: Splits, root: Path, *, masks: bool = False, overwrite: bool = False
) -> dict[SplitName, Path]:
    """Write ``train.txt``, ``val.txt`` and ``test.txt``, one image per line, relative to ``root``.

    Args:
        folder: The folder to write to; created if needed.
        splits: Split → its samples; an empty split gets no file.
        root: The data set's folder.
        masks: Whether to write each image's mask after it, if it is a file.
        overwrite: Whether to replace existing lists, and remove those of empty splits.

    Returns:
        Split → the file written, absolute.

    Raises:
        OutputError: A list exists already, or the folder cannot be written.
        DataError: A file name cannot be written to a list.
    """
    if not overwrite:
        require_no_lists(folder)
    files = _files(folder)
    texts = {name: "".join(f"{_line(sample, root, masks)}\n" for sample in splits[name]) for name in SPLITS}
    make_folder(folder)
    for name, file in files.items():
        if texts[name]:
            # Bytes of file names that are not UTF-8 are written unchanged.
            write_bytes(file, texts[name].encode("utf-8", "surrogateescape"))
        else:
            file.unlink(missing_ok=True)
    return {name: file for name, file in files.items() if texts[name]}


def _line(sample: Sample, root: Path, masks: bool) -> str:
    files = [sample.image, *([sample.mask] if masks and isinstance(sample.mask, Path) else [])]
    line = " ".join(os.path.relpath(file, root) for file in files)
    if line.startswith("#") or line != line.strip() or len(line.splitlines()) != 1:
        raise DataError(
            "the file name cannot be written to a list", where=printable(sample.image),
            expected="no line break, no blank at either end, and no # at the beginning", remedy="rename the file",
        )  # fmt: skip
    return line
