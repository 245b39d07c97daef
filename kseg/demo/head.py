"""Draw the background with clutter, shoulders, head, face and hair: everything but the eyeglasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from kseg.demo.canvas import Canvas, Color, Image, Points, any_color, ellipse, jitter, mix

__all__ = ["Head", "draw_background", "draw_head", "draw_locks", "pick_head"]

SKINS: tuple[Color, ...] = ((243, 208, 185), (226, 178, 145), (198, 140, 104), (150, 98, 68), (92, 58, 42))
HAIRS: tuple[Color, ...] = (
    (22, 18, 17), (48, 32, 24), (92, 58, 34), (158, 112, 62), (214, 180, 118), (134, 54, 28), (168, 166, 164),
    (70, 60, 110),
)  # fmt: skip


# --- background -----------------------------------------------------------------------------------------------------


def draw_background(canvas: Canvas, rng: np.random.Generator) -> None:
    """A wall with a colour gradient or stripes, and clutter: rings, discs, boxes, bars."""
    height, width = canvas.mask.shape
    first = mix(any_color(rng), (130, 130, 130), rng.uniform(0, 0.8))
    second = mix(first, any_color(rng), rng.uniform(0.1, 0.9))
    angle = rng.uniform(0, 2 * np.pi)
    # Drawn at a third of the size and enlarged, since it has no fine detail: a ninth of the time.
    rows, columns = np.mgrid[-0.5 : 0.5 : (height // 3) * 1j, -0.5 : 0.5 : (width // 3) * 1j]
    along = columns * np.cos(angle) + rows * np.sin(angle)
    share = np.clip(along + 0.5, 0, 1)
    if rng.random() < 0.25:
        share = (np.sin(along * rng.uniform(15, 70)) > 0) * rng.uniform(0.3, 1)
    wall = (np.asarray(first) + (np.asarray(second) - first) * share[..., None]).astype(np.uint8)
    cv2.resize(wall, (width, height), dst=canvas.image)
    for _ in range(rng.integers(0, 12)):
        _draw_clutter(canvas.image, rng)


def _draw_clutter(image: Image, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    color = any_color(rng)
    x, y = int(rng.integers(width)), int(rng.integers(height))
    size = int(width * rng.uniform(0.03, 0.2))
    thick = int(width * rng.uniform(0.008, 0.03)) + 1
    kind = rng.integers(5)
    if kind == 0:
        cv2.circle(image, (x, y), size, color, -1)
    elif kind == 1:
        cv2.circle(image, (x, y), size, color, thick)
    elif kind == 2:  # a pair of rings, which differs from eyeglasses only by its position
        cv2.circle(image, (x, y), size // 2, color, thick)
        cv2.circle(image, (x + int(size * 1.3), y), size // 2, color, thick)
    elif kind == 3:
        cv2.rectangle(image, (x, y), (x + size, y + 2 * size), color, thick if rng.random() < 0.5 else -1)
    else:
        end = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.line(image, (x, y), end, color, thick)


# --- head -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """The parameters of a head.

    Args:
        skin: Colour of the skin.
        hair: Colour of the hair.
        jaw: Width of the chin, relative to the cheeks.
        style: Length of the hair.
    """

    skin: Color
    hair: Color
    jaw: float
    style: Literal["bald", "short", "long"]

    def shade(self, amount: float) -> Color:
        """The colour of shaded skin: ``amount`` 0 is the skin's own, 1 the darkest."""
        return mix(self.skin, (self.skin[0] * 0.45, self.skin[1] * 0.3, self.skin[2] * 0.3), amount)


def _flat(points: Points, depth: float) -> Points:
    return np.column_stack([points, np.full(len(points), depth)])


def pick_head(rng: np.random.Generator) -> Head:
    """Choose a random skin, hair and jaw."""
    place = rng.uniform(0, len(SKINS) - 1.001)
    skin = jitter(rng, mix(SKINS[int(place)], SKINS[int(place) + 1], place % 1), 8)
    hair = jitter(rng, HAIRS[rng.integers(len(HAIRS))], 12)
    chance = rng.random()
    return Head(skin, hair, rng.uniform(0.72, 1.0), "bald" if chance < 0.08 else "short" if chance < 0.55 else "long")


def draw_head(canvas: Canvas, rng: np.random.Generator, head: Head) -> None:
    """Draw shoulders, head, hair and face, before the eyeglasses."""
    if head.style == "long":
        back = ellipse(0, 0.1, rng.uniform(1.15, 1.35), rng.uniform(1.5, 1.9))
        canvas.fill(_flat(back, -0.5), mix(head.hair, (0, 0, 0), 0.25))
    _draw_body(canvas, rng, head)
    _draw_ears(canvas, rng, head, far=True)
    _draw_skull(canvas, rng, head)
    _draw_ears(canvas, rng, head, far=False)
    _draw_cheeks(canvas, rng, head)
    _draw_eyes(canvas, rng, head)
    _draw_nose(canvas, rng, head)
    _draw_beard_and_mouth(canvas, rng, head)
    _draw_hair(canvas, rng, head)


def _draw_body(canvas: Canvas, rng: np.random.Generator, head: Head) -> None:
    cloth = any_color(rng)
    shoulders = _flat(ellipse(0, 3.1, rng.uniform(1.9, 2.6), 1.4), -0.3)
    canvas.fill(shoulders, cloth)
    if rng.random() < 0.4:
        stripe = any_color(rng)
        for y in np.arange(1.9, 3.2, rng.uniform(0.15, 0.4)):
            canvas.line(np.array([[-2, y, -0.3], [2, y, -0.3]]), stripe, 0.05)
    neck = np.array([[-0.5, 0.7], [0.5, 0.7], [0.62, 2.0], [0.0, 2.3], [-0.62, 2.0]])
    canvas.fill(_flat(neck, -0.2), head.shade(0.35))


def _draw_ears(canvas: Canvas, rng: np.random.Generator, head: Head, *, far: bool) -> None:
    ring = rng.random() < 0.3
    jewel = jitter(rng, (205, 175, 95), 50)
    size = rng.uniform(0.08, 0.2)
    for side in (-1.0, 1.0):
        # The ear on the side that is turned away is behind the skull.
        if (side * canvas.pose.yaw > 0) != far:
            continue
        canvas.fill(_flat(ellipse(side * 1.03, 0.12, 0.15, 0.3), -0.1), head.shade(0.15))
        canvas.line(_flat(ellipse(side * 1.04, 0.1, 0.07, 0.18), -0.1), head.shade(0.5), 0.03)
        if ring:
            canvas.line(_flat(ellipse(side * 1.06, 0.42 + size, size, size), -0.1), jewel, 0.045)


def _draw_skull(canvas: Canvas, rng: np.random.Generator, head: Head) -> None:
    t = np.linspace(0, 2 * np.pi, 60)
    x, y = np.cos(t), np.sin(t)
    # Below the cheeks the outline narrows towards the chin.
    outline = np.column_stack([x * np.where(y > 0, 1 - (1 - head.jaw) * y**2, 1.0), y * 1.4, np.zeros(60)])
    canvas.fill(outline, head.skin)
    canvas.line(outline[4:28], head.shade(0.3), 0.03)
    for _ in range(rng.integers(0, 25) if rng.random() < 0.25 else 0):
        canvas.fill(ellipse(rng.uniform(-0.7, 0.7), rng.uniform(0.1, 0.7), 0.022, 0.022), head.shade(0.5))


def _draw_cheeks(canvas: Canvas, rng: np.random.Generator, head: Head) -> None:
    blush = mix(head.skin, (225, 80, 80), rng.uniform(0, 0.35))
    for side in (-1, 1):
        for size in (0.3, 0.22, 0.13):
            canvas.tint(ellipse(side * 0.55, 0.45, size, size * 0.8), blush, 0.35)


def _draw_eyes(canvas: Canvas, rng: np.random.Generator, head: Head) -> None:
    opening = rng.uniform(0.03, 0.13)
    iris = jitter(rng, [(70, 45, 25), (60, 95, 140), (80, 110, 70)][rng.integers(3)], 25)
    gaze = rng.uniform(-0.06, 0.06)
    socket, lid = rng.uniform(0.05, 0.5), rng.uniform(0.5, 1)
    shadow = any_color(rng) if rng.random() < 0.15 else head.shade(0.8)
    for side in (-1, 1):
        # Dark, round sockets look like tinted lenses without a rim.
        canvas.tint(ellipse(side * 0.42, -0.04, 0.3, 0.2), shadow, socket * 0.6)
        canvas.tint(ellipse(side * 0.42, -0.02, 0.22, 0.14), shadow, socket * 0.6)
        canvas.fill(ellipse(side * 0.42, 0, 0.19, opening), (238, 234, 230))
        canvas.fill(ellipse(side * 0.42 + gaze, 0, 0.085, min(0.085, opening)), iris)
        canvas.fill(ellipse(side * 0.42 + gaze, 0, 0.04, min(0.04, opening)), (12, 10, 10))
        arc = ellipse(side * 0.42, 0, 0.2, opening, start=np.pi, stop=2 * np.pi)
        canvas.line(arc, mix(head.skin, (10, 8, 8), lid), 0.04)
    _draw_brows(canvas, rng, head)


def _draw_brows(canvas: Canvas, rng: np.random.Generator, head: Head) -> None:
    width, tilt, height = rng.uniform(0.04, 0.16), rng.uniform(-0.1, 0.1), rng.uniform(-0.42, -0.26)
    color = mix(head.skin, mix(head.hair, (20, 15, 12), 0.4), rng.uniform(0.4, 1))
    for side in (-1, 1):
        x = np.array([0.16, 0.32, 0.5, 0.7])
        y = height + np.array([0.05, -0.02, -0.04, 0.05]) + tilt * (x - 0.4)
        canvas.line(np.column_stack([side * x, y]), color, width)


def _draw_nose(canvas: Canvas, rng: np.random.Generator, head: Head) -> None:
    width = rng.uniform(0.1, 0.2)
    side = 1 if rng.random() < 0.5 else -1
    flank = np.array([[side * 0.08, -0.1, 0.98], [side * width, 0.42, 1.05], [0, 0.5, 1.15], [0, -0.1, 1.0]])
    canvas.tint(flank, head.shade(0.7), 0.4)
    tip = np.array(
        [[-width, 0.4, 1.0], [-width * 0.5, 0.5, 1.1], [0, 0.52, 1.15], [width * 0.5, 0.5, 1.1], [width, 0.4, 1.0]]
    )
    canvas.line(tip, head.shade(0.6), 0.04)


def _draw_beard_and_mouth(canvas: Canvas, rng: np.random.Generator, head: Head) -> None:
    if rng.random() < 0.25 and head.style != "long":
        beard = np.concatenate(
            [ellipse(0, 0.3, 0.85 * head.jaw, 1.05, start=0.1, stop=np.pi - 0.1), ellipse(0, 0.6, 0.5, 0.1)[12:]]
        )
        canvas.tint(beard, mix(head.hair, (25, 20, 18), 0.3), rng.uniform(0.3, 0.95))
    width, smile, gap = rng.uniform(0.22, 0.4), rng.uniform(-0.04, 0.14), rng.uniform(0, 0.09)
    x = np.linspace(-width, width, 9)
    curve = np.column_stack([x, 0.85 - smile * (x / width) ** 2])
    lips = mix(head.shade(0.3), (190, 40, 60), rng.uniform(0.2, 0.9))
    if gap > 0.05:
        lower = np.column_stack([curve[:, 0] * 0.9, curve[:, 1] + gap])
        canvas.fill(np.concatenate([curve, lower[::-1]]), (240, 236, 228))
    canvas.line(curve, lips, 0.07)
    canvas.line(curve * [0.8, 1] + [0, gap], lips, 0.08)


# --- hair -----------------------------------------------------------------------------------------------------------


def _draw_hair(canvas: Canvas, rng: np.random.Generator, head: Head) -> None:
    if head.style == "bald":
        return
    line = rng.uniform(-0.85, -0.5)  # where the hair ends on the forehead
    part = rng.uniform(-0.6, 0.6)
    brow = np.linspace(0.97, -0.97, 15)
    edge = line + 0.16 * np.abs(brow - part) + rng.uniform(-0.05, 0.05, 15)
    edge[[0, -1]] = rng.uniform(-0.5, 0.0)
    top = ellipse(0, -0.25, 1.12, rng.uniform(1.25, 1.5), start=np.pi, stop=2 * np.pi)
    cap = np.concatenate([_flat(top, -0.1), np.column_stack([brow, edge, 0.8 * np.sqrt(np.maximum(0, 1 - brow**2))])])
    canvas.fill(cap, head.hair)
    _draw_strands(canvas, rng, head, part)
    if rng.random() < 0.3:
        _draw_fringe(canvas, rng, head, line)
    if rng.random() < 0.12:
        _draw_headband(canvas, rng)


def _draw_strands(canvas: Canvas, rng: np.random.Generator, head: Head, part: float) -> None:
    ends = rng.uniform(-1.0, 1.0, 14)
    for end in ends:
        start = np.array([part, -1.25, 0.55])
        stop = np.array([end, rng.uniform(-1.0, -0.7), 0.4])
        middle = (start + stop) / 2 + [0, -0.12, 0.1]
        tone = (255, 235, 200) if rng.random() < 0.5 else (0, 0, 0)
        canvas.line(np.stack([start, middle, stop]), mix(head.hair, tone, rng.uniform(0.05, 0.35)), 0.03)


def _draw_fringe(canvas: Canvas, rng: np.random.Generator, head: Head, line: float) -> None:
    low = rng.uniform(-0.5, -0.28)
    for x in np.linspace(-0.8, 0.8, 17) + rng.uniform(-0.04, 0.04, 17):
        tip = low + rng.uniform(-0.12, 0.05)
        lock = np.array([[x - 0.09, line - 0.15], [x + 0.09, line - 0.15], [x + rng.uniform(-0.06, 0.06), tip]])
        canvas.fill(lock, mix(head.hair, (0, 0, 0), rng.uniform(0, 0.3)))


def _draw_headband(canvas: Canvas, rng: np.random.Generator) -> None:
    x = np.linspace(-1, 1, 13)
    band = np.column_stack([x, -0.62 - 0.12 * (1 - x**2), 0.85 * np.sqrt(1 - x**2)])
    canvas.line(band, any_color(rng), rng.uniform(0.08, 0.2))


def draw_locks(canvas: Canvas, rng: np.random.Generator, head: Head) -> None:
    """Draw locks of long hair over the temples of the eyeglasses; what they hide is removed from the mask."""
    for side in (-1, 1):
        # Not on the side that is turned away, where they would cover a lens.
        if head.style != "long" or side * canvas.pose.yaw > 0.12 or rng.random() < 0.3:
            continue
        inner = rng.uniform(0.8, 0.98)
        y = np.linspace(-0.9, rng.uniform(0.8, 1.7), 8)
        wave = 0.05 * np.sin(y * rng.uniform(2, 6))
        inside = np.column_stack([side * (inner + wave), y, np.full(8, 0.35)])
        outside = np.column_stack([side * (1.2 + wave), y, np.full(8, 0.1)])
        canvas.fill(np.concatenate([inside, outside[::-1]]), head.hair, value=0)
        for share in rng.uniform(0.1, 0.9, 3):
            tone = mix(head.hair, (255, 235, 200), rng.uniform(0.05, 0.25))
            canvas.line(inside + (outside - inside) * share, tone, 0.025, value=0)
