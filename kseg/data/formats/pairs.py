"""Rows that name an image and its mask, from lists and manifests → samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kseg.data.formats.common import report_unpaired
from kseg.data.formats.finder import Finder, sample_keys
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec
from kseg.errors import DataError, abbreviate
from kseg.images import printable

__all__ = ["Row", "pair_rows"]


@dataclass(frozen=True)
class Row:
    """A row: its number, from 1, and the paths of image and mask; "" where there is none."""

    number: int
    image: str
    mask: str


def pair_rows(rows: Sequence[Row], file: Path, spec: DataSpec) -> dict[Sample, Row]:
    """The samples of the rows, in their order, with the row of each.

    Raises:
        DataError: An image occurs in two rows; or files or masks are missing and ``data.unpaired`` is ``error``.
    """
    where = printable(file)
    finder = Finder(spec.root, file.parent, absolute=True)
    row_and_mask: dict[Path, tuple[Row, Path]] = {}
    missing, without_mask, duplicates = [], [], []
    for row in rows:
        image = finder.find(row.image, where=f"{where} row {row.number}")
        mask = finder.find(row.mask, where=f"{where} row {row.number}") if row.mask else None
        not_found = [name for name, path in ((row.image, image), (row.mask, mask)) if name and path is None]
        if not_found:
            missing.append(f"{printable(not_found[0])} (row {row.number})")
        elif image is None or mask is None:
            without_mask.append(f"{printable(row.image)} (row {row.number})")
        elif image in row_and_mask:
            duplicates.append(f"{printable(row.image)} (rows {row_and_mask[image][0].number} and {row.number})")
        else:
            row_and_mask[image] = row, mask
    if duplicates:
        raise DataError(
            f"{len(duplicates)} images occur twice", where=where, found=abbreviate(duplicates), expected="each once"
        )
    problems = []
    if missing:
        problems.append(f"{len(missing)} of {len(rows)} rows name files that are missing: {abbreviate(missing)}")
    if without_mask:
        problems.append(f"{len(without_mask)} of {len(rows)} rows name no mask: {abbreviate(without_mask)}")
    report_unpaired(
        problems,
        where=where,
        expected=f"files below {printable(spec.root)}",
        unpaired=spec.unpaired,
        count=len(missing) + len(without_mask),
        remaining=len(row_and_mask),
    )
    return _samples(row_and_mask, where, spec)


def _samples(row_and_mask: dict[Path, tuple[Row, Path]], where: str, spec: DataSpec) -> dict[Sample, Row]:
    keys = sample_keys(row_and_mask, spec.root / spec.images, spec.root)
    image_of: dict[str, Path] = {}
    for image, key in keys.items():
        if image_of.setdefault(key, image) != image:
            raise DataError(
                "two images differ only in their suffix", where=where,
                found=f"{printable(image_of[key])} and {printable(image.name)}",
            )  # fmt: skip
    return {Sample(keys[image], image, mask): row for image, (row, mask) in row_and_mask.items()}
