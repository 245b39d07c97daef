"""COCO's compressed run lengths (RLE), validated before pycocotools reads them: it reads beyond a damaged text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

from kseg.sizes import Size

__all__ = ["Encoded", "Unusable", "area", "check_counts", "require_total"]

Encoded: TypeAlias = Mapping[str, Any]
"""A mask in COCO's RLE, as pycocotools takes it: ``size`` [height, width] and compressed ``counts``."""

_COUNTS: Final = re.compile(r"(?:[P-o]{0,5}[0-O])+", re.ASCII)
"""Numbers of at most six characters ``0`` … ``o``; the last character of each is below ``P``."""


class Unusable(ValueError):
    """An object cannot be drawn; the text is the reason, by which such objects are counted."""


def check_counts(counts: str, size: Size) -> None:
    """Check that an RLE text is well-formed and that its runs add up to the image. Raises Unusable."""
    if not _COUNTS.fullmatch(counts):
        raise Unusable("a damaged run-length text")
    lengths = _lengths(counts.encode("ascii"))
    if lengths.min() < 0:
        raise Unusable("a damaged run-length text")
    require_total(int(lengths.sum()), size)


def _lengths(counts: bytes) -> npt.NDArray[np.int64]:
    """The run lengths in an RLE text, int64 ``[N]``; pycocotools has no function for it.

    Each character, minus 48, has five bits of a number, lowest first; bit 5 says that more follow, and bit 4 of the
    last one is the sign. From the fourth number on, each is the difference from the last but one (rleToString in
    https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c).
    """
    codes = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    is_last = codes < 32
    ends = np.flatnonzero(is_last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    positions = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    values = np.add.reduceat((codes & 31) << 5 * positions, starts)
    values -= np.where(codes[ends] & 16, np.int64(1) << 5 * (ends - starts + 1), 0)  # the sign: two's complement
    # Undo the differences: runs 1, 3, 5, … and 2, 4, 6, … are cumulative sums; run 0 stands alone.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def require_total(total: int, size: Size) -> None:
    """Check that ``total``, the sum of the runs, is the number of pixels of the image. Raises Unusable."""
    if total != math.prod(size):
        raise Unusable("run lengths that do not add up to the picture")


def area(encoded: Encoded) -> int:
    """Number of pixels of a mask in RLE."""
    return int(coco.area(dict(encoded)))
