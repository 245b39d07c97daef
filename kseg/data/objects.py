"""Objects: the annotated objects of an image (COCO, LabelMe, YOLO), stored as run lengths and drawn when needed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

from kseg.data.run_lengths import Encoded, area, check_counts
from kseg.sizes import Size

__all__ = ["OBJECT_VOID", "Crowd", "Objects", "draw_order"]

OBJECT_VOID: Final = 65535
"""Mask value of pixels whose ground truth is unknown, such as crowds."""


@dataclass(frozen=True)
class Crowd:
    """An object that the annotation file marks as a crowd (COCO's ``iscrowd``) and that is drawn as void.

    Args:
        value: Mask value of its class.
        pixels: Its area.
        outlined: Whether it is stored as polygons; COCO stores crowds as run lengths.
    """

    value: int
    pixels: int
    outlined: bool


@dataclass(frozen=True)
class Objects:
    """The annotated objects of an image.

    Args:
        source: The annotation file, for messages.
        size: Height and width of the image.
        runs: Mask value and pixels (COCO's compressed run lengths) of each object, in drawing order: later ones are
            drawn over earlier ones.
        crowds: The crowds among them, whose mask value in ``runs`` is `OBJECT_VOID`, where it is in question whether
            they are crowds.
    """

    source: Path
    size: Size
    runs: tuple[tuple[int, str], ...]
    crowds: tuple[Crowd, ...] = ()

    def draw(self) -> npt.NDArray[np.uint16]:
        """Draw the mask: values uint16 ``[H, W]``, 0 where there is no object."""
        drawn = np.zeros(self.size, np.uint16)
        for value, counts in self.runs:
            drawn[coco.decode({"size": list(self.size), "counts": counts.encode()}).astype(bool)] = value
        return drawn

    def digest(self) -> str:
        """SHA-256 of the size, values, pixels and order of the objects."""
        return hashlib.sha256(repr((self.size, self.runs)).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Size and runs as plain JSON types, without the source; `from_json` reads them back."""
        crowds = {"crowds": [list(astuple(crowd)) for crowd in self.crowds]} if self.crowds else {}
        return {"size": list(self.size), "runs": [list(run) for run in self.runs], **crowds}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], source: Path) -> Objects:
        """Rebuild from what `to_json` returned. Raises KeyError, TypeError or ValueError on other data."""
        height, width = data["size"]
        size = int(height), int(width)
        runs = tuple((int(value), str(counts)) for value, counts in data["runs"])
        for value, counts in runs:
            if not 0 <= value <= OBJECT_VOID:
                raise ValueError(f"mask value {value}")
            check_counts(counts, size)
        crowds = [Crowd(int(value), int(pixels), bool(outlined)) for value, pixels, outlined in data.get("crowds", ())]
        return cls(source, size, runs, tuple(crowds))


def draw_order(
    source: Path, size: Size, objects: Iterable[tuple[int, Encoded]], crowds: Iterable[Crowd] = ()
) -> Objects:
    """Sort objects for drawing: void first, then from largest to smallest, so that small ones are not covered.

    Args:
        source: The annotation file.
        size: Height and width of the image.
        objects: Mask value and pixels of each object, all of this size.
        crowds: The crowds among them, as in `Objects`.
    """
    with_area = [(value, area(encoded), _text(encoded["counts"])) for value, encoded in objects]
    with_area.sort(key=lambda entry: (entry[0] != OBJECT_VOID, -entry[1]))  # stable: in a tie, the file's order
    return Objects(source, size, tuple((value, counts) for value, _, counts in with_area), tuple(crowds))


def _text(counts: bytes | str) -> str:
    return counts.decode("ascii") if isinstance(counts, bytes) else counts
