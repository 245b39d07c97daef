"""Polygons and run lengths of annotation files → COCO run lengths (RLE), validated before they reach pycocotools.

pycocotools reads beyond the end of a damaged RLE text, takes a list of four numbers for a box, leaves pixels unset if
the runs are too short, and allocates gigabytes for an edge that is 1e9 pixels long.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeGuard

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

from kseg.data.run_lengths import Encoded, Unusable, area, check_counts, require_total
from kseg.sizes import Size

__all__ = ["FRACTION_SLACK", "draw_mask", "draw_polygons", "draw_runs", "in_fractions", "in_unit_square", "to_pixels"]

_FARTHEST: Final = 1e12
_LARGEST: Final = 2.0**1023
_MARGIN: Final = 16.0
_MOST_STEPS: Final = 20_000_000
"""Longest outline, in fifths of a pixel, at which pycocotools samples it: 4 million pixels, some 400 MB."""

FRACTION_SLACK: Final = 0.02
"""How far outside 0..1 a coordinate may be that is a fraction of the image's size; exporters round."""

Points = npt.NDArray[np.float64]


def in_fractions(polygons: Iterable[object], sizes: Iterable[Size]) -> bool:
    """Whether the polygons of a whole data set are in fractions of the images' sizes instead of pixels.

    They are if none of them reaches beyond one pixel, on images that are larger.

    Args:
        polygons: The polygons; what is no list of numbers does not count.
        sizes: The sizes of the images.
    """
    if all(max(size) <= 2 for size in sizes):
        return False
    inside = (in_unit_square(polygon) for polygon in polygons if _is_numeric(polygon))
    return next(inside, False) and all(inside)


def in_unit_square(polygon: object) -> bool:
    """Whether all coordinates ``[x0, y0, x1, y1, …]`` are in 0..1, up to `FRACTION_SLACK`."""
    return _is_numeric(polygon) and min(polygon) >= -FRACTION_SLACK and max(polygon) <= 1 + FRACTION_SLACK


def to_pixels(fractions: Sequence[float], size: Size) -> list[float]:
    """Coordinates ``[x0, y0, x1, y1, …]`` in fractions of an image's size → in pixels."""
    height, width = size
    return [number * (height if i % 2 else width) for i, number in enumerate(fractions)]


def _is_numeric(polygon: object) -> TypeGuard[list[float]]:
    return isinstance(polygon, list) and bool(polygon) and set(map(type, polygon)) <= {int, float}


def draw_polygons(parts: Sequence[object], size: Size) -> tuple[Encoded | None, list[str]]:
    """Draw the union of polygons.

    Args:
        parts: The polygons, each ``[x0, y0, x1, y1, …]`` in pixels. What is outside the image is cut off.
        size: Height and width of the image.

    Returns:
        The pixels as pycocotools draws them, or None if no polygon can be drawn; and for each polygon that cannot, the
        reason.
    """
    usable, reasons = [], []
    for part in parts:
        try:
            usable.append(_usable(part, size))
        except Unusable as reason:
            reasons.append(str(reason))
    usable = [numbers for numbers in usable if len(numbers) >= 6]  # pycocotools takes four numbers for a box
    if not usable:
        return None, reasons or ["no pixel inside the picture"]
    encoded_parts = coco.frPyObjects(usable, *size)
    encoded: Encoded = encoded_parts[0] if len(encoded_parts) == 1 else coco.merge(encoded_parts)
    return (encoded, reasons) if area(encoded) else (None, reasons or ["no pixel inside the picture"])


def _usable(part: object, size: Size) -> list[float]:
    """Validate a polygon and clip it if it reaches far outside. Plain lists: most polygons are too short for NumPy.

    Raises:
        Unusable: It cannot be drawn.
    """
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
    if 5 * (3 * max(size) + 2 * _MARGIN) * len(numbers) > 2 * _MOST_STEPS:  # a cheap upper bound of the length first
        points = np.array(numbers, np.float64).reshape(-1, 2)
        if 5 * np.abs(np.diff(points, axis=0, append=points[:1])).max(axis=1).sum() > _MOST_STEPS:
            raise Unusable("an outline of millions of pixels")
    return numbers


def _clip(points: Points, size: Size) -> Points:
    """Clip a polygon ``[N, 2]`` to a window three times the image's size; pycocotools itself clips it to the image."""
    height, width = size
    limits = ((0, -width - _MARGIN, 2 * width + _MARGIN), (1, -height - _MARGIN, 2 * height + _MARGIN))
    for axis, low, high in limits:
        if points.size:
            points = _half_plane(_half_plane(points, axis, low, 1.0), axis, high, -1.0)
    return points


def _half_plane(points: Points, axis: int, limit: float, sign: float) -> Points:
    """Clip a polygon ``[N, 2]`` to the half-plane ``sign * (coordinate - limit) >= 0``.

    One step of Sutherland & Hodgman 1974 (Reentrant Polygon Clipping): walk along the edges, keep the vertices inside,
    and add the point where an edge crosses the line.
    """
    clipped: list[Points] = []
    inside = sign * (points[:, axis] - limit) >= 0
    for i, point in enumerate(points):
        previous = points[i - 1]
        if inside[i] != inside[i - 1]:
            fraction = (limit - previous[axis]) / (point[axis] - previous[axis])
            crossing = previous + fraction * (point - previous)
            crossing[axis] = limit
            clipped.append(crossing)
        if inside[i]:
            clipped.append(point)
    return np.array(clipped, np.float64).reshape(-1, 2)


def draw_runs(runs: Mapping[str, Any], size: Size) -> Encoded:
    """Convert a run-length mask of a COCO file to compressed form.

    Args:
        runs: ``size`` [height, width] and ``counts``, compressed (text) or not (numbers).
        size: Height and width of the image; ``runs`` must have the same.

    Raises:
        Unusable: The size differs, the counts are damaged, or the mask is empty.
    """
    counts = runs.get("counts")
    stated_size = runs.get("size")
    if not isinstance(stated_size, list) or set(map(type, stated_size)) != {int} or tuple(stated_size) != size:
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
    """Paste the nonzero pixels of a mask ``[h, w]`` into an image of ``size``, its top left pixel at ``corner``.

    Args:
        mask: The pixels.
        corner: Row and column; may be outside the image.
        size: Height and width of the image.

    Raises:
        Unusable: No nonzero pixel is inside the image.
    """
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
