"""Sample: an image and its mask; and the names of the splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np

from kseg.data.objects import Objects

__all__ = ["SPLITS", "Sample", "SplitName", "Splits", "evenly_spread"]

SplitName = Literal["train", "val", "test"]
SPLITS: Final[tuple[SplitName, ...]] = ("train", "val", "test")


@dataclass(frozen=True)
class Sample:
    """An image and its mask.

    Args:
        key: The image's path below the image folder, with ``/`` and without suffix; unique within a data set.
        image: The image file.
        mask: The mask file, or the objects from which to draw the mask, or None if there is no ground truth.
        turned: Whether to apply the image's EXIF orientation to the mask, which was drawn on the pixels as stored.
        scaled: Whether to resize the mask to the image's size, which differs from the mask's own.
        page: The page of a TIFF file, from 0, that the sample is, in image and mask; None for a file that is one.
    """

    key: str
    image: Path
    mask: Path | Objects | None
    turned: bool = False
    scaled: bool = False
    page: int | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The image file and, if there is one, the mask file."""
        return (self.image, self.mask) if isinstance(self.mask, Path) else (self.image,)


Splits: TypeAlias = dict[SplitName, tuple[Sample, ...]]


def evenly_spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    """At most ``count`` samples, evenly spaced in the list: neighbours are often frames of the same video."""
    indices = np.linspace(0, len(samples) - 1, min(count, len(samples))).round().astype(int)
    return [samples[index] for index in indices]
