"""The pages of TIFF files as samples of their own, or the first page of each file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kseg.data.sample import Sample
from kseg.data.spec import Pages
from kseg.errors import DataError, ImageError, abbreviate
from kseg.images import page_count, printable
from kseg.parallel import parallel_map

__all__ = ["pages_line", "with_pages"]

_DIGITS = 4
"""The least number of digits of a page in a sample's key."""


def with_pages(samples: Sequence[Sample], pages: Pages | None) -> list[tuple[Sample, ...]]:
    """For each sample itself, or the samples of its pages if its image and its mask are TIFF files of several pages.

    Args:
        samples: The samples, a file each.
        pages: ``each``: every page is a sample; ``first``: the first page of every file is; None: as ``each``.

    Raises:
        DataError: An image and its mask have different numbers of pages, and ``pages`` is not ``first``.
    """
    if pages == "first":
        return [(sample,) for sample in samples]
    files = list(dict.fromkeys(file for sample in samples for file in sample.files))
    counts = dict(zip(files, parallel_map(_count, files), strict=True))
    _require_same_counts(samples, counts)
    return [_pages(sample, counts[sample.image]) for sample in samples]


def pages_line(samples: Iterable[Sample]) -> str | None:
    """How many files, pages and samples there are, as a sentence; None if no sample is a page."""
    images = [sample.image for sample in samples if sample.page is not None]
    if not images:
        return None
    count = len(set(images))
    return f"{count} TIFF {'file has' if count == 1 else 'files have'} {len(images)} pages, and each page is a sample"


def _count(file: Path) -> int:
    try:
        return page_count(file)
    except ImageError:
        return 1  # the error is reported on reading the file


def _pages(sample: Sample, count: int) -> tuple[Sample, ...]:
    if count == 1:
        return (sample,)
    digits = max(_DIGITS, len(str(count)))
    return tuple(
        replace(sample, key=f"{sample.key}/{page + 1:0{digits}d}", page=page) for page in range(count)
    )  # fmt: skip


def _require_same_counts(samples: Sequence[Sample], counts: Mapping[Path, int]) -> None:
    several = [sample for sample in samples if any(counts[file] > 1 for file in sample.files)]
    different = [
        sample for sample in several if sample.mask is not None and counts[sample.image] != _mask_count(sample, counts)
    ]
    if different:
        raise DataError(
            f"{len(different)} of the {len(several)} images of several pages have a mask with another number of pages",
            where="data.pages", expected="a TIFF file with as many pages as its image for each mask",
            found=abbreviate(_found(sample, counts) for sample in different),
            remedy="set data.pages: first, which takes the first page of each file, or give every page its mask",
        )  # fmt: skip


def _mask_count(sample: Sample, counts: Mapping[Path, int]) -> int:
    return counts[sample.mask] if isinstance(sample.mask, Path) else 1


def _found(sample: Sample, counts: Mapping[Path, int]) -> str:
    mask = printable(sample.mask) if isinstance(sample.mask, Path) else "its annotation"
    return f"{printable(sample.image)} has {counts[sample.image]}, {mask} {_mask_count(sample, counts)}"
