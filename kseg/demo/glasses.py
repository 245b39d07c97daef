"""Draw eyeglasses of many shapes on a head and into the mask: rims, lenses, bridge and visible parts of the temples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from kseg.demo.canvas import Canvas, Color, Points, jitter, mix

__all__ = ["SHAPES", "Glasses", "draw_glasses", "pick_glasses"]

GLASSES = 255
"""Mask value of eyeglasses."""

FRAMES: tuple[Color, ...] = (
    (18, 17, 18), (26, 24, 30), (84, 50, 28), (140, 92, 50), (190, 155, 80), (170, 174, 178), (160, 30, 40),
    (35, 60, 130), (196, 190, 178), (40, 100, 80), (205, 150, 130), (110, 40, 110),
)  # fmt: skip
TINTS: tuple[Color, ...] = ((20, 20, 24), (70, 45, 25), (30, 60, 45), (40, 60, 120), (190, 150, 40), (150, 60, 110))


@dataclass(frozen=True)
class Shape:
    """The outline of a lens: a deformed superellipse, |u|ᵖ + |v|ᵖ = 1.

    Args:
        power: The exponent p: 2 is an ellipse, larger values are squarer.
        aspect: Range of height over width.
        drop: Extra height of the lower half, relative to the upper one.
        lift: How far the upper outer corner is raised.
        taper: How much narrower the bottom is than the top.
    """

    power: float
    aspect: tuple[float, float]
    drop: float = 0.0
    lift: float = 0.0
    taper: float = 0.0


SHAPES: Mapping[str, Shape] = MappingProxyType({
    "round": Shape(2.0, (0.9, 1.0)),
    "oval": Shape(2.2, (0.6, 0.75)),
    "square": Shape(7.0, (0.7, 0.95)),
    "narrow": Shape(5.0, (0.45, 0.6)),
    "wayfarer": Shape(4.0, (0.72, 0.85), lift=0.05, taper=0.12),
    "aviator": Shape(2.5, (0.75, 0.85), drop=0.35, taper=0.14),
    "cat-eye": Shape(3.0, (0.6, 0.75), lift=0.16, taper=0.15),
})  # fmt: skip
"""Shapes of lenses by name."""


@dataclass(frozen=True)
class Glasses:
    """The parameters of a pair of eyeglasses; lengths in head space.

    Args:
        shape: The outline of the lenses.
        center: Centre of the right lens: distance from the nose, and below the eyes.
        half: Half the width of a lens.
        aspect: Height over width of a lens.
        rim: Width of the rim.
        color: Colour of the frame.
        half_rim: The frame runs along the upper edge only.
        tint: Colour of the lenses.
        alpha: Opacity of the lenses, 0..1.
        fade: Fraction of the opacity that is lost towards the lower edge, 0..1.
        glare: Brightness of the reflections, 0..1.
    """

    shape: Shape
    center: tuple[float, float]
    half: float
    aspect: float
    rim: float
    color: Color
    half_rim: bool
    tint: Color
    alpha: float
    fade: float
    glare: float

    def lens(self, side: int) -> Points:
        """The outline ``[48, 3]`` of the left (-1) or right (1) lens in head space, from its outer end."""
        t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        u = np.sign(np.cos(t)) * np.abs(np.cos(t)) ** (2 / self.shape.power)
        v = np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 / self.shape.power)
        u_bent = u * (1 - self.shape.taper * v)
        v_bent = v * np.where(v > 0, 1 + self.shape.drop, 1.0) - self.shape.lift / self.aspect * np.maximum(0, u) * (
            v < 0.2
        )
        x = self.center[0] + self.half * u_bent
        return _in_front(side * x, self.center[1] + self.half * self.aspect * v_bent)

    def height_at(self, share: float) -> float:
        """The y coordinate at ``share`` of the way from the centre of a lens up to its upper edge."""
        return self.center[1] - share * self.half * self.aspect


def _in_front(x: Points, y: Points) -> Points:
    """Points ``[N, 3]`` on the curved surface of the frame, in front of the eyes."""
    return np.column_stack([x, y, 1.05 - 0.2 * x**2])


def pick_glasses(rng: np.random.Generator, skin: Color) -> Glasses:
    """Choose random eyeglasses: a third are sunglasses, a quarter have thin rims, some are half-rimmed.

    Args:
        rng: The random generator.
        skin: The colour of the skin, from which the frame must differ.
    """
    names = list(SHAPES)
    shape = SHAPES[names[rng.integers(len(names))]]
    center = rng.uniform(0.44, 0.52)
    rim = rng.uniform(0.03, 0.05) if rng.random() < 0.25 else rng.uniform(0.05, 0.13)
    dark = rng.random() < 0.33
    tint = TINTS[0] if rng.random() < 0.4 else TINTS[rng.integers(len(TINTS))]
    return Glasses(
        shape=shape,
        center=(center, rng.uniform(-0.03, 0.1)),
        half=min(rng.uniform(0.3, 0.43), center - 0.06),
        aspect=rng.uniform(*shape.aspect),
        rim=rim,
        color=_visible(jitter(rng, FRAMES[0] if rng.random() < 0.3 else FRAMES[rng.integers(len(FRAMES))], 15), skin),
        half_rim=bool(rng.random() < 0.15),
        tint=jitter(rng, tint if dark else (225, 235, 240), 15),
        alpha=rng.uniform(0.6, 0.98) if dark else rng.uniform(0.04, 0.25),
        fade=rng.uniform(0.3, 0.8) if rng.random() < 0.3 else 0.0,
        glare=rng.uniform(0.25, 0.8) if rng.random() < 0.5 else 0.0,
    )


def _visible(frame: Color, skin: Color) -> Color:
    near = np.abs(np.subtract(frame, skin)).max() < 70
    return mix(frame, (0, 0, 0) if sum(skin) > 330 else (255, 255, 255), 0.6) if near else frame


def draw_glasses(canvas: Canvas, rng: np.random.Generator, glasses: Glasses) -> None:
    """Draw eyeglasses over the face on the canvas, and into the mask."""
    _draw_shadow(canvas, rng, glasses)
    for side in (-1, 1):
        _draw_temple(canvas, glasses, side)
    for side in (-1, 1):
        outline = glasses.lens(side)
        canvas.tint(outline, glasses.tint, glasses.alpha, fade=glasses.fade)
        canvas.cover(outline, GLASSES)
        if glasses.glare:
            _draw_glare(canvas, rng, glasses, side)
        _draw_rim(canvas, glasses, outline)
    _draw_bridge(canvas, glasses)


def _draw_shadow(canvas: Canvas, rng: np.random.Generator, glasses: Glasses) -> None:
    """The shadow of the frame on the cheeks, which resembles glasses and is not in the mask."""
    offset = np.array([rng.uniform(-0.08, 0.08), rng.uniform(0.05, 0.16), -0.1])
    strength = rng.uniform(0.0, 0.35)
    for side in (-1, 1):
        canvas.tint(glasses.lens(side) + offset, (45, 25, 20), strength * (0.5 + 0.5 * glasses.alpha))


def _draw_temple(canvas: Canvas, glasses: Glasses, side: int) -> None:
    hinge = _in_front(np.array([side * (glasses.center[0] + glasses.half)]), np.array([glasses.height_at(0.45)]))[0]
    ear = np.array([side * 1.04, -0.08, -0.05])
    # The temple on the far side is behind the face, and the near one starts at the hinge.
    if side * canvas.pose.yaw > 0.05:
        ear = hinge + (ear - hinge) * 0.25
    bend = hinge + (ear - hinge) * 0.12 + [side * 0.05, 0, 0]
    width = float(np.clip(glasses.rim * 1.1, 0.04, 0.12))
    canvas.line(np.stack([hinge, bend, ear]), mix(glasses.color, (0, 0, 0), 0.15), width, value=GLASSES)


def _draw_rim(canvas: Canvas, glasses: Glasses, outline: Points) -> None:
    if not glasses.half_rim:
        canvas.line(outline, glasses.color, glasses.rim, closed=True, value=GLASSES)
    else:
        upper = np.roll(outline, -24, axis=0)[:25]
        canvas.line(outline, mix(glasses.color, (220, 220, 220), 0.6), 0.025, closed=True, value=GLASSES)
        canvas.line(upper, glasses.color, glasses.rim, value=GLASSES)
    if glasses.rim > 0.06:  # a highlight along the upper edge
        upper = np.roll(outline, -28, axis=0)[:14]
        canvas.line(upper - [0, glasses.rim * 0.2, 0], mix(glasses.color, (255, 255, 255), 0.35), glasses.rim * 0.2)


def _draw_bridge(canvas: Canvas, glasses: Glasses) -> None:
    inner = glasses.center[0] - glasses.half
    x = np.linspace(-inner - 0.01, inner + 0.01, 7)
    bars = (0.35, 0.85) if glasses.shape.drop else (0.35,)
    for share in bars:
        arch = glasses.height_at(share) - 0.04 * (1 - (x / x[-1]) ** 2)
        points = np.column_stack([x, arch, np.full(7, 1.1)])
        canvas.line(points, glasses.color, max(0.045, glasses.rim * 0.9), value=GLASSES)


def _draw_glare(canvas: Canvas, rng: np.random.Generator, glasses: Glasses, side: int) -> None:
    """A slanted bright reflection on a lens."""
    x, y, _ = glasses.lens(side).mean(axis=0)
    reach, width = glasses.half * glasses.aspect * 0.8, glasses.half * rng.uniform(0.15, 0.5)
    left = x + glasses.half * rng.uniform(-0.5, 0.2)
    streak = [[left + 0.3 * reach, y - reach], [left + 0.3 * reach + width, y - reach],
              [left - 0.3 * reach + width, y + reach], [left - 0.3 * reach, y + reach]]  # fmt: skip
    corners = np.array(streak)
    canvas.tint(_in_front(corners[:, 0], corners[:, 1]), (250, 252, 255), glasses.glare, fade=0.5)
