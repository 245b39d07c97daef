"""Read the mask of a sample: an image file of values or colours, or objects to be drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.data.objects import Objects
from kseg.data.sample import Sample
from kseg.errors import DataError, abbreviate
from kseg.images import image_header, printable, read_mask, resize_mask, turn_upright
from kseg.labels import LabelMap

__all__ = ["read_truth", "read_values", "truth_name"]


def read_values(sample: Sample, *, colors: bool = False) -> npt.NDArray[Any]:
    """The mask as on disk ``[H, W]``: values, or packed colours with ``colors``; upright.

    Raises:
        DataError: There is no mask, or it cannot be read.
    """
    if sample.mask is None:
        raise DataError("the sample has no mask", where=printable(sample.image))
    if isinstance(sample.mask, Objects):
        values: npt.NDArray[Any] = sample.mask.draw()
    else:
        values = read_mask(sample.mask, colors=colors)
    return turn_upright(values, image_header(sample.image).orientation) if sample.turned else values


def read_truth(sample: Sample, labels: LabelMap, size: tuple[int, int] | None = None) -> npt.NDArray[np.uint8]:
    """The mask as class ids uint8 ``[H, W]``, 255 = ignore.

    Args:
        sample: The sample.
        labels: The label map of its values.
        size: Height and width to resize to, by nearest neighbour. Defaults to the mask's own.

    Raises:
        DataError: There is no mask, it cannot be read, or it has a value that ``labels`` does not name.
    """
    values = read_values(sample, colors=labels.is_colored)
    if size is not None:
        values = resize_mask(values, size)
    try:
        return labels.encode(values)
    except ValueError:
        unknown = labels.unmapped(values)
        raise DataError(
            "the mask holds values that data.values does not name", where=truth_name(sample), found=abbreviate(unknown),
            remedy=f"say what they stand for in data.values, e.g. {unknown[0]!r}: ignore",
        ) from None  # fmt: skip


def truth_name(sample: Sample) -> str:
    """The file that the mask comes from, for messages."""
    if isinstance(sample.mask, Objects):
        return f"{printable(sample.mask.source)} ({printable(sample.image.name)})"
    return printable(sample.mask or sample.image)
