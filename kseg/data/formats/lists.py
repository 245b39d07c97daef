"""``lists``: a text file per split, each line an image, or an image and its mask, as in CamVid and VOC.

::

    /SegNet/CamVid/train/0001TP_006690.png /SegNet/CamVid/trainannot/0001TP_006690.png;
    images/my cat.jpg,masks/my cat.png
    Abyssinian_101 1 1 1

Separators are blanks, tabs, commas and semicolons; paths may be JSON strings: ``"my cat.jpg" "my cat.png"``. Blank
lines and lines that begin with ``#`` are ignored. If no line names a mask, masks are found as in the format
``folders``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from kseg.data.formats import folders
from kseg.data.formats.common import report_unpaired
from kseg.data.formats.document import read_lines
from kseg.data.formats.finder import Finder
from kseg.data.formats.pairs import Row, pair_rows
from kseg.data.formats.reader import Listing
from kseg.data.names import NameIndex, unquote_line
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import IMAGE_SUFFIXES, printable

__all__ = ["read"]

_SUFFIX: Final = "(?:" + "|".join(re.escape(suffix) for suffix in sorted(IMAGE_SUFFIXES)) + ")"
# File names may contain blanks and commas, so a path ends at an image suffix.
_PAIR: Final = re.compile(rf"(.+?{_SUFFIX})[\s,;]+(\S.*?{_SUFFIX})(?:[\s,;].*)?", re.IGNORECASE)


def read(spec: DataSpec, part: str | None) -> Listing:
    """Read the samples of one list.

    Args:
        spec: ``annotations`` is the path of the list if ``part`` is None.
        part: The path of the list, relative to the root.

    Raises:
        ConfigError: There is no such list.
        DataError: It is empty; it names files that are missing, or a picture twice; pictures have no mask.
    """
    name = part or spec.annotations
    if name is None:
        raise ConfigError(
            "no list is named",
            where="data.split",
            expected="{by: lists, train: train.txt, val: val.txt, test: test.txt}",
        )
    path = Path(os.path.normpath(spec.root / name))
    if not path.is_file():
        raise ConfigError("no such list", where="data.split", expected="a text file", found=printable(path))
    lines = {number: line.strip() for number, line in enumerate(read_lines(path), 1)}
    entries = {number: line for number, line in lines.items() if line and not line.startswith("#")}
    if not entries:
        raise DataError("the list is empty", where=printable(path), expected="one image per line")
    rows = [_row(number, line) for number, line in entries.items()]
    if any(row.mask for row in rows):
        return Listing(tuple(pair_rows(rows, path, spec)))
    return Listing(_named(rows, path, spec))


def _row(number: int, line: str) -> Row:
    quoted = unquote_line(line)
    if quoted and len(quoted) <= 2:
        return Row(number, quoted[0], "".join(quoted[1:]))
    pair = _PAIR.fullmatch(line)
    return Row(number, pair[1], pair[2]) if pair else Row(number, line.rstrip(" \t,;"), "")


def _named(rows: Sequence[Row], path: Path, spec: DataSpec) -> tuple[Sample, ...]:
    """The samples of ``spec``'s folders that the rows name, in the order of the rows."""
    samples = folders.read(spec, None).samples
    by_image = {sample.image: sample for sample in samples}
    by_name = _names(samples)
    finder = Finder(spec.root, spec.root / spec.images, path.parent, absolute=True)
    row_of: dict[Sample, Row] = {}
    missing, duplicates = [], []
    for row in rows:
        sample = _sample(row, spec.root, by_name, by_image, finder, printable(path))
        if sample is None:
            missing.append(f"{printable(row.image)} (row {row.number})")
        elif sample in row_of:
            duplicates.append(f"{printable(row.image)} (rows {row_of[sample].number} and {row.number})")
        else:
            row_of[sample] = row
    if duplicates:
        raise DataError(f"{len(duplicates)} images occur twice", where=printable(path), found=abbreviate(duplicates))
    report_unpaired(
        [f"{len(missing)} of {len(rows)} rows name no image: {abbreviate(missing)}"] if missing else [],
        where=printable(path), expected=f"names like {printable(next(iter(samples)).key)}", unpaired=spec.unpaired,
        count=len(missing), remaining=len(row_of),
    )  # fmt: skip
    return tuple(row_of)


def _names(samples: Sequence[Sample]) -> NameIndex[Sample]:
    """Samples by key, and by stem where that is unique."""
    stems: dict[str, list[Sample]] = {}
    for sample in samples:
        stems.setdefault(sample.image.stem, []).append(sample)
    unique = {stem: same_stem[0] for stem, same_stem in stems.items() if len(same_stem) == 1}
    return NameIndex(unique | {sample.key: sample for sample in samples})


def _sample(
    row: Row, root: Path, by_name: NameIndex[Sample], by_image: Mapping[Path, Sample], finder: Finder, where: str
) -> Sample | None:
    """The sample that a line names, by all of its text (a file name may contain blanks), else by its first word."""
    for name in dict.fromkeys((row.image, re.split(r"[\s,;]", row.image, maxsplit=1)[0])):
        stem = re.sub(rf"{_SUFFIX}$", "", name, flags=re.IGNORECASE)
        file = finder.find(name, where=f"{where} row {row.number}") if name else None
        samples = (by_image.get(root / name), by_name.get(name), by_image.get(file) if file else None)
        sample = next(filter(None, samples), None) or by_name.find(stem)
        if sample is not None:
            return sample
    return None
