"""Masks as COCO's run lengths, checked before pycocotools reads them: it reads past the end of a damaged text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from kseg.sizes import Size

__all__ = ["Encoded", "Unusable", "area", "check_counts", "require_total"]

Encoded: TypeAlias = Mapping[str, Any]
"""A mask as pycocotools holds it: ``size`` and compressed ``counts``."""

_COUNTS: Final = re.compile(r"(?:[P-o]{0,5}[0-O])+", re.ASCII)
"""Numbers of at most six characters, each character of six bits but the last with the bit for *more*."""


class Unusable(ValueError):
    """An object that cannot be drawn; the text says why, so that it can be counted."""


def check_counts(counts: str, size: Size) -> None:
    """See that a compressed run-length text is whole and covers the picture. Raises Unusable."""
    if not _COUNTS.fullmatch(counts):
        raise Unusable("a damaged run-length text")
    lengths = _lengths(counts.encode("ascii"))
    if lengths.min() < 0:
        raise Unusable("a damaged run-length text")
    require_total(int(lengths.sum()), size)


def _lengths(counts: bytes) -> npt.NDArray[np.int64]:
    """The runs of a text, which pycocotools offers no way to see: little-endian groups of five bits, as differences."""
    codes = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    last = codes < 32
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    places = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    values = np.add.reduceat((codes & 31) << 5 * places, starts)
    values -= np.where(codes[ends] & 16, np.int64(1) << 5 * (ends - starts + 1), 0)  # two's complement
    values[1::2] = np.cumsum(values[1::2])  # from the fourth run on, the difference from the last but one
    values[2::2] = np.cumsum(values[2::2])
    return values


def require_total(total: int, size: Size) -> None:
    """See that runs of so many pixels in all cover the picture. Raises Unusable."""
    if total != math.prod(size):
        raise Unusable("run lengths that do not add up to the picture")


def area(encoded: Encoded) -> int:
    """How many pixels it covers."""
    from pycocotools import mask as coco

    return int(coco.area(dict(encoded)))
