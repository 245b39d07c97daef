"""Objects: the labelled outlines and runs of pixels of one picture (COCO, LabelMe, YOLO), drawn when needed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kseg.data.run_lengths import Encoded, area, check_counts
from kseg.sizes import Size

__all__ = ["OBJECT_VOID", "Objects", "draw_order"]

OBJECT_VOID: Final = 65535
"""The mask value of pixels whose truth the annotations leave open (crowds)."""


@dataclass(frozen=True)
class Objects:
    """The labelled objects of one picture.

    Args:
        source: The file that describes them, for messages.
        size: Height and width of the picture that they are drawn for.
        runs: For each object its mask value and its pixels as COCO's compressed run lengths, in the order of drawing:
            what comes later lies above.
    """

    source: Path
    size: Size
    runs: tuple[tuple[int, str], ...]

    def draw(self) -> npt.NDArray[np.uint16]:
        """The mask: values uint16 ``[H, W]``, 0 where no object is."""
        from pycocotools import mask as coco

        drawn = np.zeros(self.size, np.uint16)
        for value, counts in self.runs:
            drawn[coco.decode({"size": list(self.size), "counts": counts.encode()}).astype(bool)] = value
        return drawn

    def digest(self) -> str:
        """SHA-256 of what is drawn: size, values, pixels and their order."""
        return hashlib.sha256(repr((self.size, self.runs)).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types, but for the source; `from_json` is the way back."""
        return {"size": list(self.size), "runs": [list(run) for run in self.runs]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], source: Path) -> Objects:
        """Rebuild from `to_json`. Raises KeyError, TypeError or ValueError on anything else."""
        height, width = data["size"]
        size = int(height), int(width)
        runs = tuple((int(value), str(counts)) for value, counts in data["runs"])
        for value, counts in runs:
            if not 0 <= value <= OBJECT_VOID:
                raise ValueError(f"mask value {value}")
            check_counts(counts, size)
        return cls(source, size, runs)


def draw_order(source: Path, size: Size, found: Iterable[tuple[int, Encoded]]) -> Objects:
    """Objects in the order of drawing: voids, then from the largest to the smallest, so that small ones stay whole.

    Args:
        source: The file that describes them.
        size: Height and width of the picture.
        found: Mask value and encoded pixels of each, all of this size.
    """
    sized = [(value, area(encoded), _text(encoded["counts"])) for value, encoded in found]
    sized.sort(key=lambda one: (one[0] != OBJECT_VOID, -one[1]))  # stable: equally large ones stay in the file's order
    return Objects(source, size, tuple((value, counts) for value, _, counts in sized))


def _text(counts: bytes | str) -> str:
    return counts.decode("ascii") if isinstance(counts, bytes) else counts
