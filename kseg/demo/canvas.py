"""A canvas with the pose of a head, and helpers for colours and curves.

Coordinates are in head space: the eyes near y = 0, the cheeks at x = ±1, the chin near y = 1.4 (y points down), z
towards the viewer. `Canvas` rotates, scales and projects them, so every part is drawn as if the head faced the viewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Canvas", "Color", "Image", "Points", "Pose", "any_color", "ellipse", "jitter", "mix"]

Image = npt.NDArray[np.uint8]
Points = npt.NDArray[np.floating[Any]]
Color = tuple[float, float, float]
"""Red, green, blue in 0..255."""

# Fractional bits of coordinates for OpenCV, which draws at 1/16 pixel with them.
_SHIFT = 4


def mix(first: Sequence[float], second: Sequence[float], share: float) -> Color:
    """Linear interpolation of two colours: ``share`` 0 is the first, 1 the second."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def jitter(rng: np.random.Generator, color: Sequence[float], by: float) -> Color:
    """A random colour near another one: each channel differs by at most ``by``."""
    red, green, blue = np.clip(np.asarray(color) + rng.uniform(-by, by, 3), 0, 255)
    return float(red), float(green), float(blue)


def any_color(rng: np.random.Generator) -> Color:
    """A random colour, uniform in RGB."""
    return jitter(rng, (127.5, 127.5, 127.5), 127.5)


@dataclass(frozen=True)
class Pose:
    """Position and orientation of the head.

    Args:
        center: Column and row of the head's centre, in pixels of the canvas.
        scale: Pixels from the centre to a cheek.
        yaw: Rotation to the side, in radians.
        pitch: Nodding, in radians.
        roll: Rotation in the image plane, in radians.
    """

    center: tuple[float, float]
    scale: float
    yaw: float
    pitch: float
    roll: float

    def project(self, points: Points) -> Points:
        """Project points in head space ``[N, 3]`` to column and row ``[N, 2]`` on the canvas, in slight perspective."""
        x, y, z = points.T
        turned = x * np.cos(self.yaw) + z * np.sin(self.yaw)
        depth = z * np.cos(self.yaw) - x * np.sin(self.yaw)
        nodded = y * np.cos(self.pitch) + depth * np.sin(self.pitch)
        near = self.scale / (1.0 - 0.07 * depth)
        column = (turned * np.cos(self.roll) - nodded * np.sin(self.roll)) * near + self.center[0]
        row = (turned * np.sin(self.roll) + nodded * np.cos(self.roll)) * near + self.center[1]
        return np.stack([column, row], axis=1)


class Canvas:
    """An image and its mask of eyeglasses, drawn on in head space.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        pose: The pose of the head.
    """

    def __init__(self, height: int, width: int, pose: Pose) -> None:
        self.image: Image = np.zeros((height, width, 3), np.uint8)
        self.mask: Image = np.zeros((height, width), np.uint8)
        self.pose = pose

    def place(self, points: Points) -> npt.NDArray[np.int32]:
        """Points in head space → fixed-point pixels for OpenCV, int32 ``[N, 2]``.

        Args:
            points: ``[N, 3]``, or ``[N, 2]`` for points on the surface of the face.
        """
        points = np.asarray(points, np.float64)
        if points.shape[1] == 2:
            x, y = points.T
            depth = 0.95 * np.sqrt(np.maximum(0.05, 1 - x**2 / 1.1 - (y / 1.6) ** 2))
            points = np.column_stack([points, depth])
        return self._fixed(self.pose.project(points))

    @staticmethod
    def _fixed(points: Points) -> npt.NDArray[np.int32]:
        return np.round(points * (1 << _SHIFT)).astype(np.int32)

    def _pixels(self, width: float) -> int:
        return max(1, round(width * self.pose.scale))

    def fill(self, points: Points, color: Sequence[float], *, value: int | None = None) -> None:
        """Fill a polygon; set the mask inside to ``value``, if given."""
        placed = self.place(points)
        cv2.fillPoly(self.image, [placed], color, shift=_SHIFT)
        if value is not None:
            cv2.fillPoly(self.mask, [placed], (value,), shift=_SHIFT)

    def line(
        self, points: Points, color: Sequence[float], width: float, *, closed: bool = False, value: int | None = None
    ) -> None:
        """Draw a line of ``width`` in head space; set the mask under it to ``value``, if given."""
        placed, pixels = self.place(points), self._pixels(width)
        cv2.polylines(self.image, [placed], closed, color, pixels, shift=_SHIFT)
        if value is not None:
            cv2.polylines(self.mask, [placed], closed, (value,), pixels, shift=_SHIFT)

    def cover(self, points: Points, value: int) -> None:
        """Set the mask inside a polygon to ``value``; the image is unchanged."""
        cv2.fillPoly(self.mask, [self.place(points)], (value,), shift=_SHIFT)

    def tint(self, points: Points, color: Sequence[float], alpha: float, *, fade: float = 0.0) -> None:
        """Fill a polygon with a transparent colour.

        Args:
            points: The polygon.
            color: Its colour.
            alpha: Opacity, 0..1.
            fade: Fraction of ``alpha`` that is lost from the top to the bottom of the polygon, 0..1.
        """
        placed = self.place(points)
        left, top, width, height = cv2.boundingRect(placed >> _SHIFT)
        rows = slice(max(0, top), max(0, top + height))
        columns = slice(max(0, left), max(0, left + width))
        patch = self.image[rows, columns]
        if patch.size == 0:
            return
        inside = np.zeros(patch.shape[:2], np.uint8)
        cv2.fillPoly(
            inside, [placed - (np.array([columns.start, rows.start]) << _SHIFT).astype(np.int32)], (1,), shift=_SHIFT
        )
        weight = inside * np.linspace(alpha, alpha * (1 - fade), len(patch), dtype=np.float32)[:, None]
        patch[:] = patch + (np.asarray(color, np.float32) - patch) * weight[..., None]


def ellipse(x: float, y: float, a: float, b: float, *, start: float = 0.0, stop: float = 2 * np.pi) -> Points:
    """Points ``[24, 2]`` on an elliptic arc around (x, y); angles in radians, 0 is to the right, π/2 is down."""
    t = np.linspace(start, stop, 24)
    return np.column_stack([x + a * np.cos(t), y + b * np.sin(t)])
