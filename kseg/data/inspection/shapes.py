"""The shapes of the regions of each value in a mask, by which void borders, padding and instances are recognised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Shapes", "measure_shapes"]

Counts = npt.NDArray[np.int64]

_MOST_VALUES: Final = 64
"""Masks with more values are not measured: their values are shades, not regions."""
_SPECK: Final = 0.0002
"""Regions with a smaller share of the mask do not count as regions."""


@dataclass(frozen=True, eq=False)
class Shapes:
    """The shapes of the regions of each value of a mask.

    Args:
        contacts: Number of neighbouring pixels, below and to the right, of two different values: int64 ``[V, V]``,
            symmetric, zero on the diagonal.
        padding: Number of pixels of each value in rows and columns at the mask's edges that hold nothing else: int64
            ``[V]``.
        regions: Number of connected regions of each value, without specks, at least 1: int64 ``[V]``.
    """

    contacts: Counts
    padding: Counts
    regions: Counts


def measure_shapes(indices: npt.NDArray[np.intp], count: int) -> Shapes | None:
    """Measure a mask.

    Args:
        indices: For each pixel the index of its value, ``[H, W]``.
        count: V, the number of values.

    Returns:
        The shapes; None if there are too many values.
    """
    if count > _MOST_VALUES:
        return None
    regions = [_count_regions(indices == value) for value in range(count)]
    return Shapes(_contacts(indices, count), _padding(indices, count), np.array(regions, np.int64))


def _contacts(indices: npt.NDArray[np.intp], count: int) -> Counts:
    below = indices[:-1] * count + indices[1:]
    beside = indices[:, :-1] * count + indices[:, 1:]
    pairs = np.bincount(np.concatenate([below.ravel(), beside.ravel()]), minlength=count * count)
    table = pairs.reshape(count, count)
    contacts: Counts = (table + table.T).astype(np.int64)
    np.fill_diagonal(contacts, 0)
    return contacts


def _count_regions(inside: npt.NDArray[np.bool_]) -> int:
    _, _, statistics, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    return max(1, int((statistics[1:, cv2.CC_STAT_AREA] >= _SPECK * inside.size).sum()))


def _padding(indices: npt.NDArray[np.intp], count: int) -> Counts:
    filled = np.zeros(indices.shape, bool)
    for turned, lines in ((indices, filled), (indices[::-1], filled[::-1]), (indices.T, filled.T),
                          (indices.T[::-1], filled.T[::-1])):  # fmt: skip
        uniform = (turned == turned[0, 0]).all(axis=1)
        lines[: len(uniform) if uniform.all() else int(np.argmin(uniform))] = True
    return np.bincount(indices[filled], minlength=count).astype(np.int64)
