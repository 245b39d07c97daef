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
"""In masks with more values only flat areas are measured: the values are shades, not regions."""
_SPECK: Final = 0.0002
"""Regions with a smaller share of the mask do not count as regions."""
_THIN: Final = 0.03
"""A border is thin if no pixel of it is farther from other values than this share of the mask's shorter side."""
_THINNEST: Final = 2.5
"""The same in pixels, for small masks."""
_LEVEL: Final = 8
"""An area is flat where its 3 × 3 pixels differ by at most this much, the noise of JPEG."""


@dataclass(frozen=True, eq=False)
class Shapes:
    """The shapes of the regions of each value of a mask. With too many values all but ``flat`` are 0.

    Args:
        contacts: Number of neighbouring pixels, below and to the right, of two different values: int64 ``[V, V]``,
            symmetric, zero on the diagonal.
        padding: Number of pixels of each value in rows and columns at one, two or three edges that hold nothing else:
            int64 ``[V]``.
        regions: Number of connected regions of each value, without specks, at least 1: int64 ``[V]``.
        core: Number of pixels of each value, without the padding, that are too far from other values to be part of a
            thin border: int64 ``[V]``.
        flat: Number of pixels of each value in flat areas, as opposed to smoothed edges: int64 ``[V]``.
    """

    contacts: Counts
    padding: Counts
    regions: Counts
    core: Counts
    flat: Counts


def measure_shapes(indices: npt.NDArray[np.intp], values: Counts, *, colored: bool) -> Shapes:
    """Measure a mask.

    Args:
        indices: For each pixel the index of its value, ``[H, W]``.
        values: The values, or packed colours: int64 ``[V]``.
        colored: Whether the values are packed colours.
    """
    count = len(values)
    flat = np.bincount(indices[_is_flat(values[indices], colored)], minlength=count).astype(np.int64)
    if count > _MOST_VALUES:
        zeros = np.zeros(count, np.int64)
        return Shapes(np.zeros((count, count), np.int64), zeros, zeros, zeros, flat)
    regions = np.array([_count_regions(indices == value) for value in range(count)], np.int64)
    filled = _padding(indices)
    padding, core = (
        np.bincount(indices[part], minlength=count).astype(np.int64) for part in (filled, _core(indices) & ~filled)
    )
    return Shapes(_contacts(indices, count), padding, regions, core, flat)


def _is_flat(mask: Counts, colored: bool) -> npt.NDArray[np.bool_]:
    channels = [mask >> 16, mask >> 8 & 255, mask & 255] if colored else [mask]
    flat = np.ones(mask.shape, bool)
    for channel in channels:
        plane = channel.astype(np.uint16)
        square = np.ones((3, 3), np.uint8)
        flat &= cv2.dilate(plane, square) - cv2.erode(plane, square) <= _LEVEL
    return flat


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


def _padding(indices: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """An object with free space on all sides is no content between padding: with four such edges, there is none."""
    filled = np.zeros(indices.shape, bool)
    turns = ((indices, filled), (indices[::-1], filled[::-1]), (indices.T, filled.T), (indices.T[::-1], filled.T[::-1]))
    edges = 0
    for turned, lines in turns:
        uniform = (turned == turned[0, 0]).all(axis=1)
        width = 0 if uniform.all() else int(np.argmin(uniform))
        lines[:width] = True
        edges += width > 0
    return filled if edges < len(turns) else np.zeros_like(filled)


def _core(indices: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    # The distance to a pixel with a neighbour of another value, which is that to the other value itself minus one.
    square = np.ones((3, 3), np.uint8)
    plane = indices.astype(np.uint8)
    inner = (cv2.dilate(plane, square) == cv2.erode(plane, square)).astype(np.uint8)
    distance = cv2.distanceTransform(inner, cv2.DIST_L2, 3) if not inner.all() else np.full(indices.shape, np.inf)
    far: npt.NDArray[np.bool_] = distance + 1 > max(_THINNEST, _THIN * min(indices.shape))
    return far
