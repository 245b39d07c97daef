"""``manifest``: a table with the columns image, mask and optionally split; separated by commas, semicolons or tabs.

::

    image,mask,split
    photos/cat.jpg,truth/cat.png,train

Paths are relative to the root or to the table's folder, or absolute. Further columns are ignored.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kseg.data.formats.document import read_text
from kseg.data.formats.pairs import Row, pair_rows
from kseg.data.formats.reader import Listing, in_split
from kseg.data.sample import SplitName
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable

__all__ = ["read"]

_USUAL: Final = ("manifest.csv", "manifest.tsv")
_SPLITS: Final[dict[str, SplitName]] = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_COLUMNS: Final = ("image", "mask", "split")


def read(spec: DataSpec, part: str | None) -> Listing:
    """Read the rows of a manifest, with their splits.

    Raises:
        ConfigError: There is no such table.
        DataError: It lacks a column, has no rows, or names missing files, a picture twice, or an unknown split.
    """
    path = _path(spec, part)
    table = _table(path)
    samples = pair_rows([row for row, _ in table], path, spec)
    if all(split is None for _, split in table):
        return Listing(tuple(samples))
    split_of = _splits(table, path)
    return Listing(tuple(samples), splits={sample.key: split_of[row.number] for sample, row in samples.items()})


def _path(spec: DataSpec, part: str | None) -> Path:
    names = _USUAL if spec.annotations is None else (in_split(spec.annotations, part),)
    existing = [spec.root / name for name in names if (spec.root / name).is_file()]
    if not existing:
        raise ConfigError(
            "no such manifest", where="data.annotations", expected="a CSV or TSV file with columns image, mask, split",
            found=f"no {abbreviate(printable(spec.root / name) for name in names)}",
        )  # fmt: skip
    return existing[0]


def _table(path: Path) -> list[tuple[Row, str | None]]:
    """The rows, each with its split; None if there is no such column."""
    lines = list(_lines(path))
    if not lines:
        raise DataError("the manifest is empty", where=printable(path), expected="a header: image,mask,split")
    header = [cell.strip().lower() for cell in lines[0][1]]
    for column in _COLUMNS:
        if header.count(column) > 1 or (column != "split" and column not in header):
            raise DataError(
                f"{'no' if column not in header else 'more than one'} column {column!r}", where=printable(path),
                expected="a header with image, mask and optionally split", found=abbreviate(map(printable, header), 10),
            )  # fmt: skip
    index = {column: header.index(column) for column in _COLUMNS if column in header}
    rows = [(number, [cell.strip() for cell in cells]) for number, cells in lines[1:]]
    if not rows:
        raise DataError("the manifest has no rows", where=printable(path), expected="one image per row")
    short = [f"row {number}" for number, cells in rows if len(cells) <= max(index.values())]
    if short:
        raise DataError(
            f"{len(short)} of {len(rows)} rows have too few columns", where=printable(path), found=abbreviate(short),
            expected=f"{len(header)} columns",
        )  # fmt: skip
    without_image = [f"row {number}" for number, cells in rows if not cells[index["image"]]]
    if without_image:
        raise DataError(
            f"{len(without_image)} of {len(rows)} rows name no image",
            where=printable(path),
            found=abbreviate(without_image),
        )
    return [
        (Row(number, cells[index["image"]], cells[index["mask"]]), cells[index["split"]] if "split" in index else None)
        for number, cells in rows
    ]  # fmt: skip


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that is not blank."""
    content = read_text(path)
    header = content.lstrip().partition("\n")[0]
    # The column names contain none of these characters, so the most frequent one is the separator.
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
    rows = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield rows.line_num, cells
    except csv.Error as error:
        raise DataError("malformed table", where=f"{printable(path)} line {rows.line_num}", found=str(error)) from error


def _splits(table: Sequence[tuple[Row, str | None]], path: Path) -> dict[int, SplitName]:
    """Row number → split."""
    split_of = {row.number: _SPLITS.get((split or "").lower()) for row, split in table}
    unknown = [f"{printable(split or '')!r} (row {row.number})" for row, split in table if not split_of[row.number]]
    if unknown:
        raise DataError(
            f"{len(unknown)} of {len(table)} rows are not in a known split", where=printable(path),
            expected="train, val or test", found=abbreviate(unknown),
        )  # fmt: skip
    return {number: name for number, name in split_of.items() if name is not None}
