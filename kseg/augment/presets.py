"""Named lists of transforms."""

from __future__ import annotations

from typing import Final

from kseg.augment.settings import (
    Blur,
    Brightness,
    Contrast,
    Cutout,
    Gamma,
    Hflip,
    Hue,
    Jpeg,
    Noise,
    Rotate,
    Saturation,
    Scale,
    Shift,
    Transform,
)

__all__ = ["PRESETS"]

PRESETS: Final[dict[str, tuple[Transform, ...]]] = {
    "none": (),
    "light": (
        Hflip(),
        Scale(by=(0.9, 1.15)),
        Shift(by=0.05),
        Brightness(by=0.1),
        Contrast(by=0.1),
    ),
    "medium": (
        Hflip(),
        Rotate(degrees=10),
        Scale(by=(0.8, 1.3)),
        Shift(by=0.1),
        Hue(degrees=8),
        Saturation(by=0.25),
        Contrast(by=0.2),
        Brightness(by=0.2),
        Gamma(by=(0.8, 1.25), p=0.3),
    ),
    "heavy": (
        Hflip(),
        Rotate(degrees=20),
        Scale(by=(0.6, 1.7)),
        Shift(by=0.15),
        Hue(degrees=15),
        Saturation(by=0.5),
        Contrast(by=0.4),
        Brightness(by=0.3),
        Gamma(by=(0.6, 1.6), p=0.5),
        Blur(p=0.2),
        Noise(p=0.2),
        Jpeg(p=0.2),
        Cutout(p=0.3),
    ),
}
"""Preset name → transforms, from none to strong; ``kseg config show --set augment=medium`` prints one."""
