"""How training samples are varied: the settings. `kseg.data.vary` does it."""

from __future__ import annotations

from dataclasses import dataclass

from kseg.errors import ConfigError

__all__ = ["Augment"]


@dataclass(frozen=True)
class Augment:
    """How training samples are varied; every default leaves them as they are.

    Args:
        hflip, vflip, rot90: Probabilities in 0..1. ``rot90`` turns by 90, 180 or 270 degrees (90 and 270 only where
            height and width are equal).
        brightness: The image gets up to this share of white added or taken away.
        contrast, saturation: The distance from the image's mean, and from grey, is multiplied by 1 ± up to this.
        scale: The least and the greatest enlargement, about a random point of the image.
        rotate: Turned about the centre by up to this many degrees either way.

    Raises:
        ConfigError: A value is out of its range.
    """

    hflip: float = 0.0
    vflip: float = 0.0
    rot90: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    rotate: float = 0.0

    def __post_init__(self) -> None:
        for name in ("hflip", "vflip", "rot90", "brightness", "contrast", "saturation"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(
                    "out of range", where=f"augment.{name}", expected="0..1", found=str(getattr(self, name))
                )
        if not 0.0 < self.scale[0] <= self.scale[1]:
            raise ConfigError(
                "out of range", where="augment.scale", expected="0 < least ≤ greatest", found=str(self.scale)
            )
        if not 0.0 <= self.rotate <= 180.0:
            raise ConfigError("out of range", where="augment.rotate", expected="0..180", found=str(self.rotate))

    @property
    def recolors(self) -> bool:
        """Whether the image's colours change."""
        return self.brightness > 0 or self.contrast > 0 or self.saturation > 0

    @property
    def warps(self) -> bool:
        """Whether samples are scaled or turned by any angle."""
        return tuple(self.scale) != (1.0, 1.0) or self.rotate > 0
