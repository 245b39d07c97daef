"""Rows that name a picture and its mask, as lists and manifests have them → samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kseg.data.formats.common import report_lonely
from kseg.data.formats.finder import Finder, sample_keys
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec
from kseg.errors import DataError, abbreviate
from kseg.images import printable

__all__ = ["Row", "pair_rows"]


@dataclass(frozen=True)
class Row:
    """A row's number from 1 on, and its two paths; an empty one is not given."""

    number: int
    image: str
    mask: str


def pair_rows(rows: Sequence[Row], file: Path, spec: DataSpec) -> dict[Sample, Row]:
    """The samples of the rows, in their order.

    Raises:
        DataError: A picture stands in two rows; files are missing, or masks not given, and may not be left out.
    """
    where = printable(file)
    finder = Finder(spec.root, file.parent, absolute=True)
    found: dict[Path, tuple[Row, Path]] = {}
    missing, bare, doubled = [], [], []
    for row in rows:
        image = finder.find(row.image, where=f"{where} row {row.number}")
        mask = finder.find(row.mask, where=f"{where} row {row.number}") if row.mask else None
        lost = [name for name, there in ((row.image, image), (row.mask, mask)) if name and there is None]
        if lost:
            missing.append(f"{printable(lost[0])} (row {row.number})")
        elif image is None or mask is None:
            bare.append(f"{printable(row.image)} (row {row.number})")
        elif image in found:
            doubled.append(f"{printable(row.image)} (rows {found[image][0].number} and {row.number})")
        else:
            found[image] = row, mask
    if doubled:
        raise DataError(
            f"{len(doubled)} images stand twice", where=where, found=abbreviate(doubled), expected="each once"
        )
    told = []
    if missing:
        told.append(f"{len(missing)} of {len(rows)} rows name files that are missing: {abbreviate(missing)}")
    if bare:
        told.append(f"{len(bare)} of {len(rows)} rows name no mask: {abbreviate(bare)}")
    report_lonely(
        told, where=where, expected=f"files below {printable(spec.root)}", unpaired=spec.unpaired, left=len(found)
    )
    return _samples(found, where, spec)


def _samples(found: dict[Path, tuple[Row, Path]], where: str, spec: DataSpec) -> dict[Sample, Row]:
    keys = sample_keys(found, spec.root / spec.images, spec.root)
    first: dict[str, Path] = {}
    for image, key in keys.items():
        if first.setdefault(key, image) != image:
            raise DataError(
                "two images differ in their suffix only", where=where,
                found=f"{printable(first[key])} and {printable(image.name)}",
            )  # fmt: skip
    return {Sample(keys[image], image, mask): row for image, (row, mask) in found.items()}
