"""Read and write splits as text files: one file per split, one sample per line.

A path that a line cannot hold as it is (with a line break, blanks at an end, or ``#`` at the beginning) is written as a
JSON string: ``"images/two\\nlines.png"``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from kseg.data.names import NameIndex, quote_line, unquote_line
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
    aliases = NameIndex(_aliases(samples, root))
    splits: Splits = {}
    for name in SPLITS:
        listed: str = getattr(lists, name)
        splits[name] = _read_list(root / listed, aliases, where=f"data.split.{name}") if listed else ()
    require_disjoint(splits)
    return splits


def _aliases(samples: Sequence[Sample], root: Path) -> Mapping[str, tuple[Sample, ...]]:
    """Every name by which a list may refer to samples; more specific names have precedence.

    A name of a file stands for all of its pages, a key for a single one.
    """
    pages_of: dict[Path, list[Sample]] = {}
    by_stem: dict[str, set[Path]] = {}
    for sample in samples:
        pages_of.setdefault(sample.image, []).append(sample)
        for name in (sample.image.stem, sample.image.name):
            by_stem.setdefault(name, set()).add(sample.image)
    pages = {image: tuple(same_file) for image, same_file in pages_of.items()}
    aliases = {stem: pages[image] for stem, (image, *others) in by_stem.items() if not others}
    aliases |= {_file_key(same_file[0]) + image.suffix: same_file for image, same_file in pages.items()}
    aliases |= {_file_key(same_file[0]): same_file for same_file in pages.values()}
    aliases |= {sample.key: (sample,) for sample in samples}
    # What write_lists writes comes first.
    aliases |= {path: pages[image] for image in pages for path in (str(image), _relative(image, root))}
    return aliases


def _file_key(sample: Sample) -> str:
    """The key of the sample's file, to which that of a page adds its number."""
    return sample.key if sample.page is None else sample.key.rpartition("/")[0]


def _relative(file: Path, root: Path) -> str:
    return os.path.relpath(file, root)


def _read_list(path: Path, aliases: NameIndex[tuple[Sample, ...]], *, where: str) -> tuple[Sample, ...]:
    try:
        lines = path.read_text("utf-8-sig", errors="surrogateescape").splitlines()
    except OSError as error:
        raise ConfigError(
            "the list cannot be read", where=where, expected="a text file", found=f"{printable(path)}: {error.strerror}"
        ) from error
    entries = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    samples_of = {entry: _listed(entry, aliases) for entry in entries}
    unknown = [printable(entry) for entry, samples in samples_of.items() if not samples]
    if unknown:
        raise DataError(
            f"{len(unknown)} of {len(entries)} lines name no sample", where=printable(path), found=abbreviate(unknown),
            expected=f"names like {printable(next(iter(aliases), ''))}",
        )  # fmt: skip
    return tuple(dict.fromkeys(sample for samples in samples_of.values() for sample in samples))


def _listed(entry: str, aliases: NameIndex[tuple[Sample, ...]]) -> tuple[Sample, ...]:
    """The samples that a line names, by all of its text (a file name may contain blanks), else by its first word."""
    names = dict.fromkeys((entry, *unquote_line(entry)[:1], entry.split()[0]))
    return next((samples for name in names if (samples := aliases.find(name))), ())


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
    """Write ``train.txt``, ``val.txt`` and ``test.txt``: per line an image, relative to ``root``, or a page's key.

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
        DataError: ``masks`` is set, and a sample is a page of a file.
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
    if sample.page is not None and masks:
        raise DataError(
            "the pages of a file cannot be written to a list of images and masks", where=printable(sample.image),
            remedy="split the file into a file a page",
        )  # fmt: skip
    if sample.page is not None:
        return quote_line(sample.key)
    files = [sample.image, *([sample.mask] if masks and isinstance(sample.mask, Path) else [])]
    return quote_line(*(_relative(file, root) for file in files))
