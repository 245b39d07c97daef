"""The shapes of LabelMe's files → objects."""

from __future__ import annotations

import base64
import binascii
import logging
import math
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from kseg.data.formats.document import SkippedObjects
from kseg.data.formats.outlines import draw_mask, draw_polygons, in_fractions, in_unit_square, to_pixels
from kseg.data.objects import Objects, draw_order
from kseg.data.run_lengths import Encoded, Unusable
from kseg.errors import abbreviate
from kseg.images import printable
from kseg.sizes import Size

__all__ = ["Drawing", "LabelFile", "are_in_fractions"]

_log = logging.getLogger("kseg")

_PNG: Final = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class LabelFile:
    """A JSON file.

    Args:
        path: Its path.
        image_path: The path of the image that it names.
        embeds_image: Whether it contains the image, too.
        size: The size of the image, where it is stated.
        shapes: Its shapes, as (place, label, entry).
    """

    path: Path
    image_path: str
    embeds_image: bool
    size: Size | None
    shapes: list[tuple[str, str, Mapping[str, Any]]]


class Drawing:
    """Draws the shapes of label files, and counts those that it leaves out.

    Args:
        value_of: Label → mask value; shapes with other labels are not asked for.
        fractions: Whether coordinates are in fractions of the image's size.
    """

    def __init__(self, value_of: Mapping[str, int], fractions: bool) -> None:
        self._value_of = value_of
        self._fractions = fractions
        self._others: Counter[str] = Counter()
        self.skipped = SkippedObjects()

    def draw(self, label_file: LabelFile, size: Size) -> Objects:
        """The objects of a label file."""
        drawn: list[tuple[int, Encoded]] = []
        for place, label, entry in label_file.shapes:
            if label not in self._value_of:
                self._others[label] += 1
                continue
            self.skipped.count(label)
            try:
                drawn.append((self._value_of[label], self._encode(entry, size)))
            except Unusable as reason:
                self.skipped.skip(str(reason), place, label)
        return draw_order(label_file.path, size, drawn)

    def _encode(self, entry: Mapping[str, Any], size: Size) -> Encoded:
        flat = _flat(entry)
        if entry.get("shape_type") == "mask" or not in_unit_square(flat):
            return _shape(entry, size)
        if self._fractions:
            pixels = to_pixels(flat, size)
            return _shape({**entry, "points": [pixels[i : i + 2] for i in range(0, len(pixels), 2)]}, size)
        if not all(float(number).is_integer() for number in flat):
            raise Unusable("coordinates of 0..1 among others in pixels")
        return _shape(entry, size)

    def report_others(self, folder: Path) -> None:
        """Log the labels that are no class of the configuration."""
        if self._others:
            counts = abbreviate((f"{label} {count}" for label, count in self._others.most_common()), 6)
            _log.warning(
                "%s: shapes with labels that are not in data.classes are left out: %s", printable(folder), counts
            )


def _flat(entry: Mapping[str, Any]) -> list[Any]:
    """The coordinates of a shape, ``[x0, y0, x1, y1, …]``; empty if its points are malformed."""
    points = entry.get("points")
    is_valid = isinstance(points, list) and all(isinstance(point, list) and len(point) == 2 for point in points)
    return [number for point in points for number in point] if is_valid and points else []


def are_in_fractions(label_files: Mapping[Path, LabelFile], sizes: Mapping[Path, Size | None], folder: Path) -> bool:
    """Whether all coordinates are in fractions of the images' sizes; says so in the log."""
    shapes = (entry for label_file in label_files.values() for _, _, entry in label_file.shapes)
    polygons = (_flat(entry) for entry in shapes if entry.get("shape_type") != "mask")
    fractions = in_fractions(polygons, [size for size in sizes.values() if size is not None])
    if fractions:
        _log.info("%s: coordinates of 0..1 are taken for fractions of the images' sizes", printable(folder))
    return fractions


def _shape(entry: Mapping[str, Any], size: Size) -> Encoded:
    kind = entry.get("shape_type") or "polygon"
    points = entry.get("points")
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise Unusable("points that are not [[x, y], …]")
    if kind == "mask":
        return draw_mask(_decode(entry.get("mask"), size), _corner(points), size)
    if kind not in ("polygon", "rectangle", "circle"):
        raise Unusable(f"a shape without inside ({printable(str(kind))[:20]})")
    if kind == "circle" and len(points) != 2:
        raise Unusable("a circle without centre and rim")
    flat = [number for point in points for number in point]
    if kind != "polygon" and len(points) == 2:
        flat = _rectangle(_numbers(flat)) if kind == "rectangle" else _circle(_numbers(flat))
    encoded, reasons = draw_polygons([flat], size)
    if encoded is None:
        raise Unusable(reasons[0])
    return encoded


def _numbers(values: Sequence[object]) -> list[float]:
    if not set(map(type, values)) <= {int, float}:
        raise Unusable("a coordinate that is no number")
    try:
        numbers = [float(value) for value in values]  # type: ignore[arg-type]
    except OverflowError:
        raise Unusable("a coordinate that is not finite") from None
    if not all(math.isfinite(number) for number in numbers):
        raise Unusable("a coordinate that is not finite")
    return numbers


def _rectangle(corners: Sequence[float]) -> list[float]:
    left, top, right, bottom = corners
    return [left, top, right, top, right, bottom, left, bottom]


def _circle(points: Sequence[float]) -> list[float]:
    """A regular polygon in place of a circle, given by its centre and a point on it: ``[x0, y0, x1, y1, …]``.

    A chord of angle 2π/n is at most r(1 - cos(π/n)) ≈ r(π/n)²/2 from the circle: n = π√(5r) keeps that below 0.1 pixel.
    """
    x, y, rim_x, rim_y = points
    radius = math.hypot(rim_x - x, rim_y - y)
    count = min(8 + math.ceil(math.pi * math.sqrt(5 * min(radius, 1e6))), 10_000)
    angles = np.arange(count) * (2 * math.pi / count)
    points_on_rim = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
    flat: list[float] = points_on_rim.ravel().tolist()
    return flat


def _corner(points: Sequence[Sequence[object]]) -> tuple[int, int]:
    """Row and column of the top left corner of a mask's bounding box."""
    numbers = _numbers([number for point in points[:2] for number in point])
    if len(numbers) != 4 or max(map(abs, numbers)) > 1e9:
        raise Unusable("a mask without a box")
    return round(min(numbers[1], numbers[3])), round(min(numbers[0], numbers[2]))


def _decode(data: object, size: Size) -> npt.NDArray[np.uint8]:
    """The mask of a shape, a PNG in base64: uint8 ``[h, w]``. Its size is read from the header before it is decoded."""
    if not isinstance(data, str):
        raise Unusable("a mask without pixels")
    try:
        png = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Unusable("a mask that cannot be decoded") from None
    width, height = struct.unpack(">II", png[16:24]) if png[:8] == _PNG and len(png) > 24 else (0, 0)
    if not (0 < height <= size[0] and 0 < width <= size[1]):
        raise Unusable("a mask that is no PNG, or larger than the picture")
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise Unusable("a mask that cannot be decoded")
    decoded: npt.NDArray[np.uint8] = pixels.astype(np.uint8)
    return decoded
