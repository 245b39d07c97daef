"""Outlines and run lengths as other people's files give them → pixels, checked before pycocotools sees them.

pycocotools reads past the end of a damaged run-length text, takes four numbers for a box, leaves pixels unset where the
runs are too short, and asks for gigabytes to walk along an edge at 1e9. None of it may reach it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kseg.data.run_lengths import Encoded, Unusable, area, check_counts, require_total
from kseg.sizes import Size

__all__ = ["draw_mask", "draw_polygons", "draw_runs"]

_FARTHEST: Final = 1e12
_LARGEST: Final = 2.0**1023
_MARGIN: Final = 16.0
_MOST_STEPS: Final = 20_000_000
"""How far pycocotools may walk, in fifths of a pixel: 4 million pixels of outline, and some 400 MB."""

Points = npt.NDArray[np.float64]


def draw_polygons(parts: Sequence[object], size: Size) -> tuple[Encoded | None, list[str]]:
    """The pixels inside polygons, and what is wrong with those that had to be left out.

    Args:
        parts: Each ``[x0, y0, x1, y1, …]`` in pixels. Parts outside the picture are cut off.
        size: Height and width of the picture.

    Returns:
        The pixels, as pycocotools draws them, or None where no part is usable; and a reason for each part that is not.
    """
    from pycocotools import mask as coco

    usable, reasons = [], []
    for part in parts:
        try:
            usable.append(_usable(part, size))
        except Unusable as reason:
            reasons.append(str(reason))
    usable = [numbers for numbers in usable if len(numbers) >= 6]  # pycocotools takes four numbers for a box
    if not usable:
        return None, reasons or ["no pixel inside the picture"]
    drawn = coco.frPyObjects(usable, *size)
    encoded: Encoded = drawn[0] if len(drawn) == 1 else coco.merge(drawn)
    return (encoded, reasons) if area(encoded) else (None, reasons or ["no pixel inside the picture"])


def _usable(part: object, size: Size) -> list[float]:
    """One polygon, as pycocotools can draw it. Plain lists: most polygons are too short for NumPy to be faster."""
    if not isinstance(part, list) or not set(map(type, part)) <= {int, float}:
        raise Unusable("a coordinate that is no number")
    if len(part) % 2:
        raise Unusable("an odd number of coordinates")
    if len(part) < 6:
        raise Unusable("fewer than 3 points")
    low, high = min(part), max(part)
    if low <= -_LARGEST or high >= _LARGEST:
        raise Unusable("a coordinate that is not finite")
    if max(-low, high) > _FARTHEST:
        raise Unusable(f"a coordinate beyond {_FARTHEST:g}")
    if math.isnan(sum(part)):
        raise Unusable("a coordinate that is not finite")
    numbers: list[float] = part
    height, width = size
    if low < -_MARGIN - min(size) or max(part[::2]) > 2 * width + _MARGIN or max(part[1::2]) > 2 * height + _MARGIN:
        numbers = _clip(np.array(part, np.float64).reshape(-1, 2), size).ravel().tolist()
    if 5 * (3 * max(size) + 2 * _MARGIN) * len(numbers) > 2 * _MOST_STEPS:  # otherwise no outline can be that long
        points = np.array(numbers, np.float64).reshape(-1, 2)
        if 5 * np.abs(np.diff(points, axis=0, append=points[:1])).max(axis=1).sum() > _MOST_STEPS:
            raise Unusable("an outline of millions of pixels")
    return numbers


def _clip(points: Points, size: Size) -> Points:
    """Cut off what lies farther outside than the picture is large; what is nearer, pycocotools cuts off by itself."""
    height, width = size
    limits = ((0, -width - _MARGIN, 2 * width + _MARGIN), (1, -height - _MARGIN, 2 * height + _MARGIN))
    for axis, low, high in limits:
        if points.size:
            points = _half_plane(_half_plane(points, axis, low, 1.0), axis, high, -1.0)
    return points


def _half_plane(points: Points, axis: int, limit: float, sign: float) -> Points:
    """Sutherland and Hodgman's cut of a polygon along one line."""
    kept: list[Points] = []
    inside = sign * (points[:, axis] - limit) >= 0
    for i, point in enumerate(points):
        before = points[i - 1]
        if inside[i] != inside[i - 1]:
            share = (limit - before[axis]) / (point[axis] - before[axis])
            cut = before + share * (point - before)
            cut[axis] = limit
            kept.append(cut)
        if inside[i]:
            kept.append(point)
    return np.array(kept, np.float64).reshape(-1, 2)


def draw_runs(runs: Mapping[str, Any], size: Size) -> Encoded:
    """A run-length mask, compressed (text) or not (numbers).

    Args:
        runs: ``size`` and ``counts``.
        size: Height and width of the picture, which it has to fit.

    Raises:
        Unusable: It does not fit, or is damaged.
    """
    from pycocotools import mask as coco

    counts = runs.get("counts")
    given = runs.get("size")
    if not isinstance(given, list) or set(map(type, given)) != {int} or tuple(given) != size:
        raise Unusable("run lengths of another size than the picture")
    if isinstance(counts, str):
        check_counts(counts, size)
        encoded: Encoded = {"size": list(size), "counts": counts}
    elif isinstance(counts, list):
        if set(map(type, counts)) != {int} or min(counts) < 0:
            raise Unusable("run lengths that are no whole numbers")
        require_total(sum(counts), size)
        encoded = coco.frPyObjects({"size": list(size), "counts": counts}, *size)
    else:
        raise Unusable("run lengths that are neither numbers nor text")
    if not area(encoded):
        raise Unusable("no pixel inside the picture")
    return encoded


def draw_mask(mask: npt.NDArray[Any], corner: tuple[int, int], size: Size) -> Encoded:
    """The pixels ``[h, w]`` that are not 0, placed with their first one at ``corner`` = row, column.

    Raises:
        Unusable: None of them is in the picture.
    """
    from pycocotools import mask as coco

    canvas = np.zeros(size, np.uint8, order="F")
    top, left = corner
    rows = slice(max(top, 0), max(min(top + mask.shape[0], size[0]), 0))
    columns = slice(max(left, 0), max(min(left + mask.shape[1], size[1]), 0))
    part = mask[rows.start - top : max(rows.stop - top, 0), columns.start - left : max(columns.stop - left, 0)]
    if not part.any():
        raise Unusable("no pixel inside the picture")
    canvas[rows, columns] = part != 0
    encoded: Encoded = coco.encode(canvas)
    return encoded
