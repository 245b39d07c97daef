"""A canvas that knows the pose of a head, and colours to draw with.

A head lives in its own space: the eyes' line near y = 0, the cheeks at x = ±1, the chin near y = 1.4 (y points down),
and z towards the viewer. `Canvas` turns, tilts and scales it onto the picture, so every part is drawn as if the head
looked straight ahead.
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

# OpenCV draws between pixels when coordinates come as whole numbers of 1/16 pixel.
_SHIFT = 4


def mix(first: Sequence[float], second: Sequence[float], share: float) -> Color:
    """The colour that lies ``share`` of the way from the first to the second."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def jitter(rng: np.random.Generator, color: Sequence[float], by: float) -> Color:
    """A colour near another one, each channel off by up to ``by``."""
    red, green, blue = np.clip(np.asarray(color) + rng.uniform(-by, by, 3), 0, 255)
    return float(red), float(green), float(blue)


def any_color(rng: np.random.Generator) -> Color:
    """Any colour at all."""
    return jitter(rng, (127.5, 127.5, 127.5), 127.5)


@dataclass(frozen=True)
class Pose:
    """Where the head is and which way it looks.

    Args:
        center: Column and row of the head's centre, in pixels of the canvas.
        scale: Pixels from the centre to a cheek.
        yaw: Turn to the side, in radians.
        pitch: Nod, in radians.
        roll: Rotation in the picture's plane, in radians.
    """

    center: tuple[float, float]
    scale: float
    yaw: float
    pitch: float
    roll: float

    def project(self, points: Points) -> Points:
        """Head space ``[N, 3]`` → columns and rows ``[N, 2]`` of the canvas."""
        x, y, z = points.T
        turned = x * np.cos(self.yaw) + z * np.sin(self.yaw)
        depth = z * np.cos(self.yaw) - x * np.sin(self.yaw)
        nodded = y * np.cos(self.pitch) + depth * np.sin(self.pitch)
        near = self.scale / (1.0 - 0.07 * depth)
        column = (turned * np.cos(self.roll) - nodded * np.sin(self.roll)) * near + self.center[0]
        row = (turned * np.sin(self.roll) + nodded * np.cos(self.roll)) * near + self.center[1]
        return np.stack([column, row], axis=1)


class Canvas:
    """An image, the mask of the eyeglasses on it, and the pose that places what is drawn.

    Args:
        height: Rows.
        width: Columns.
        pose: Where the head is.
    """

    def __init__(self, height: int, width: int, pose: Pose) -> None:
        self.image: Image = np.zeros((height, width, 3), np.uint8)
        self.mask: Image = np.zeros((height, width), np.uint8)
        self.pose = pose

    def place(self, points: Points) -> npt.NDArray[np.int32]:
        """Head space ``[N, 2 or 3]`` → what OpenCV draws; two coordinates lie on the face's surface."""
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
        """Fill a polygon, and set the mask to ``value`` in it."""
        placed = self.place(points)
        cv2.fillPoly(self.image, [placed], color, shift=_SHIFT)
        if value is not None:
            cv2.fillPoly(self.mask, [placed], (value,), shift=_SHIFT)

    def line(
        self, points: Points, color: Sequence[float], width: float, *, closed: bool = False, value: int | None = None
    ) -> None:
        """Draw a line ``width`` wide (in head space), and set the mask to ``value`` under it."""
        placed, pixels = self.place(points), self._pixels(width)
        cv2.polylines(self.image, [placed], closed, color, pixels, shift=_SHIFT)
        if value is not None:
            cv2.polylines(self.mask, [placed], closed, (value,), pixels, shift=_SHIFT)

    def cover(self, points: Points, value: int) -> None:
        """Set the mask to ``value`` in a polygon, and leave the image."""
        cv2.fillPoly(self.mask, [self.place(points)], (value,), shift=_SHIFT)

    def tint(self, points: Points, color: Sequence[float], alpha: float, *, fade: float = 0.0) -> None:
        """Fill a polygon with a see-through colour.

        Args:
            points: The polygon.
            color: Its colour.
            alpha: How opaque it is, 0..1.
            fade: How much of ``alpha`` is lost from its top to its bottom, 0..1.
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
    """Points ``[24, 2]`` on an arc; 0 is to the right, a quarter turn is down."""
    t = np.linspace(start, stop, 24)
    return np.column_stack([x + a * np.cos(t), y + b * np.sin(t)])
