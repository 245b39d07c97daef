"""Read a sample: its picture, and its mask, which is an image file of values or colours, or objects to be drawn.

Everything that reads the pixels of a sample reads them here: which page of a file a sample is, and how its mask is
turned and scaled, is decided nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kseg.data.objects import Objects
from kseg.data.sample import Sample
from kseg.errors import DataError, ImageError, abbreviate
from kseg.images import (
    Header,
    image_header,
    image_size,
    printable,
    read_image,
    read_mask,
    resize_mask,
    turn_upright,
)
from kseg.labels import LabelMap
from kseg.sizes import Size, format_size

__all__ = [
    "LARGEST_DEVIATION",
    "deviation",
    "mask_header",
    "picture_header",
    "picture_size",
    "read_picture",
    "read_truth",
    "read_values",
    "truth_name",
]

LARGEST_DEVIATION: Final = 0.015
"""Of the aspect ratio of a mask that is scaled, from its image's: 480×640 and 433×577 deviate by 0.0006."""


def read_picture(sample: Sample) -> npt.NDArray[np.uint8]:
    """The sample's image, RGB uint8 ``[H, W, 3]``. Raises ImageError."""
    return read_image(sample.image, page=sample.page or 0)


def picture_header(sample: Sample) -> Header:
    """How the sample's image is stored. Raises ImageError."""
    return image_header(sample.image, page=sample.page or 0)


def picture_size(sample: Sample) -> Size:
    """Height and width of the sample's image, upright. Raises ImageError."""
    return image_size(sample.image, page=sample.page or 0)


def mask_header(sample: Sample) -> Header | None:
    """How the sample's mask is stored; None if it is not a file. Raises ImageError."""
    return image_header(sample.mask, page=sample.page or 0) if isinstance(sample.mask, Path) else None


def deviation(mask: Size, image: Size) -> float:
    """How much two aspect ratios differ: 0 if they are the same, 0.01 if one is larger by 1 %."""
    ratio = mask[0] * image[1] / (mask[1] * image[0])
    return max(ratio, 1 / ratio) - 1


def read_values(sample: Sample, *, colors: bool = False) -> npt.NDArray[Any]:
    """The mask as on disk ``[H, W]``: values, or packed colours with ``colors``; upright.

    If the sample says so, it is scaled to the image's size.

    Raises:
        DataError: There is no mask, it cannot be read, or it has another shape than the image to whose size it should
            be scaled.
    """
    if sample.mask is None:
        raise DataError("the sample has no mask", where=printable(sample.image))
    if isinstance(sample.mask, Objects):
        values: npt.NDArray[Any] = sample.mask.draw()
    else:
        values = read_mask(sample.mask, colors=colors, page=sample.page or 0)
    if sample.turned:
        values = turn_upright(values, picture_header(sample).orientation)
    return _scaled(values, sample) if sample.scaled else values


def _scaled(values: npt.NDArray[Any], sample: Sample) -> npt.NDArray[Any]:
    size, mask_size = picture_size(sample), (values.shape[0], values.shape[1])
    if deviation(mask_size, size) > LARGEST_DEVIATION:
        raise ImageError(
            "the mask has another shape than its image", where=truth_name(sample),
            expected=f"the aspect ratio of {format_size(size)} within {LARGEST_DEVIATION:.1%}",
            found=format_size(mask_size), remedy="draw it on this very image, or leave it out with data.exclude",
        )  # fmt: skip
    return resize_mask(values, size)


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
    """The file, and page, that the mask comes from, for messages."""
    if isinstance(sample.mask, Objects):
        return f"{printable(sample.mask.source)} ({printable(sample.image.name)})"
    page = "" if sample.page is None else f" (page {sample.page + 1})"
    return printable(sample.mask or sample.image) + page
