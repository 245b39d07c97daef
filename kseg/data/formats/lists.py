"""``lists``: a text file a split, each line a picture, or a picture and its mask, as CamVid and VOC are published.

::

    /SegNet/CamVid/train/0001TP_006690.png /SegNet/CamVid/trainannot/0001TP_006690.png;
    images/my cat.jpg,masks/my cat.png
    Abyssinian_101 1 1 1

Blanks, tabs, commas and semicolons separate; blank lines and lines that begin with ``#`` do not count. Where a line
names no mask, the picture's is found as in folders.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from kseg.data.formats import folders
from kseg.data.formats.common import report_lonely
from kseg.data.formats.document import read_lines
from kseg.data.formats.finder import Finder
from kseg.data.formats.pairs import Row, pair_rows
from kseg.data.formats.reader import Listing
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import IMAGE_SUFFIXES, printable

__all__ = ["read"]

_SUFFIX: Final = "(?:" + "|".join(re.escape(suffix) for suffix in sorted(IMAGE_SUFFIXES)) + ")"
# File names may hold blanks and commas, so that only a suffix tells where a path ends.
_PAIR: Final = re.compile(rf"(.+?{_SUFFIX})[\s,;]+(\S.*?{_SUFFIX})(?:[\s,;].*)?", re.IGNORECASE)


def read(spec: DataSpec, part: str | None) -> Listing:
    """The samples of one list.

    Args:
        spec: ``annotations`` is the list where there are no parts.
        part: The list's path, relative to the root.

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
        raise DataError("the list is empty", where=printable(path), expected="one image a line")
    rows = [_row(number, line) for number, line in entries.items()]
    if any(row.mask for row in rows):
        return Listing(tuple(pair_rows(rows, path, spec)))
    return Listing(_named(rows, path, spec))


def _row(number: int, line: str) -> Row:
    pair = _PAIR.fullmatch(line)
    return Row(number, pair[1], pair[2]) if pair else Row(number, line.rstrip(" \t,;"), "")


def _named(rows: Sequence[Row], path: Path, spec: DataSpec) -> tuple[Sample, ...]:
    """The samples of the folders that the rows name."""
    samples = folders.read(spec, None).samples
    by_image = {sample.image: sample for sample in samples}
    by_name = _names(samples)
    finder = Finder(spec.root, spec.root / spec.images, path.parent, absolute=True)
    found: dict[Sample, Row] = {}
    missing, doubled = [], []
    for row in rows:
        sample = _sample(row, by_name, by_image, finder, printable(path))
        if sample is None:
            missing.append(f"{printable(row.image)} (row {row.number})")
        elif sample in found:
            doubled.append(f"{printable(row.image)} (rows {found[sample].number} and {row.number})")
        else:
            found[sample] = row
    if doubled:
        raise DataError(f"{len(doubled)} images stand twice", where=printable(path), found=abbreviate(doubled))
    report_lonely(
        [f"{len(missing)} of {len(rows)} rows name no image: {abbreviate(missing)}"] if missing else [],
        where=printable(path), expected=f"names like {printable(next(iter(samples)).key)}", unpaired=spec.unpaired,
        left=len(found),
    )  # fmt: skip
    return tuple(found)


def _names(samples: Sequence[Sample]) -> Mapping[str, Sample]:
    """Samples by their keys, and by their stems where these are unique."""
    stems: dict[str, list[Sample]] = {}
    for sample in samples:
        stems.setdefault(sample.image.stem, []).append(sample)
    unique = {stem: found[0] for stem, found in stems.items() if len(found) == 1}
    return unique | {sample.key: sample for sample in samples}


def _sample(
    row: Row, by_name: Mapping[str, Sample], by_image: Mapping[Path, Sample], finder: Finder, where: str
) -> Sample | None:
    """What a line means: all of it, since a file name may hold blanks, else its first word."""
    for name in dict.fromkeys((row.image, re.split(r"[\s,;]", row.image, maxsplit=1)[0])):
        stem = re.sub(rf"{_SUFFIX}$", "", name, flags=re.IGNORECASE)
        file = finder.find(name, where=f"{where} row {row.number}") if name else None
        sample = by_name.get(name) or (by_image.get(file) if file else None) or by_name.get(stem)
        if sample is not None:
            return sample
    return None
