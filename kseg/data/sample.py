"""Sample: a picture and its mask; and the names of the splits."""

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
    """A picture and its mask.

    Args:
        key: The picture's path below the image folder, with ``/`` and without suffix; unique within a dataset.
        image: The picture's file.
        mask: The mask's file, or the objects to draw into one, or None where the truth is unknown.
        turned: The mask was drawn on the picture's pixels as they are stored, and is turned by the picture's EXIF
            orientation.
    """

    key: str
    image: Path
    mask: Path | Objects | None
    turned: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """The picture's file, and the mask's where it has one."""
        return (self.image, self.mask) if isinstance(self.mask, Path) else (self.image,)


Splits: TypeAlias = dict[SplitName, tuple[Sample, ...]]


def evenly_spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many of the samples, evenly spread over the list: neighbours are often frames of one film."""
    places = np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(int)
    return [samples[place] for place in places]
