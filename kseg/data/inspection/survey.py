"""Read every picture and mask once, and keep what checks and statistics ask about them.

What is kept does not depend on what the mask values mean, so that it can be told from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kseg.data.inspection.similar import Fingerprint, fingerprint
from kseg.data.objects import Objects
from kseg.data.sample import SPLITS, Sample, SplitName
from kseg.data.truth import read_values
from kseg.errors import ImageError
from kseg.images import Header, image_header, read_image
from kseg.parallel import Progress, parallel_map
from kseg.sizes import Size

__all__ = ["Examined", "ImageFacts", "MaskFacts", "Survey", "survey"]

Counts = npt.NDArray[np.int64]

_BORDER_SHARE = 50
"""The border of a mask is this part of its shorter side, and a pixel at least."""


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """A picture.

    Args:
        header: How it is stored.
        size: Height and width as read.
        digest: Of its pixels.
        fingerprint: What it looks like.
        total, squares: Sums over its pixels of the values 0..255 and of their squares: float64 ``[3]``.
    """

    header: Header
    size: Size
    digest: bytes
    fingerprint: Fingerprint
    total: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MaskFacts:
    """A mask.

    Args:
        header: How it is stored; None for objects that are drawn.
        size: Height and width as read.
        colored: The values are packed colours.
        values: Its different values, ascending: int64 ``[V]``.
        pixels: How many pixels have each: int64 ``[V]``.
        border: How many of those at the mask's border: int64 ``[V]``.
        center: How many in the quarter of the mask's area around its middle: int64 ``[V]``.
    """

    header: Header | None
    size: Size
    colored: bool
    values: Counts
    pixels: Counts
    border: Counts
    center: Counts


@dataclass(frozen=True, eq=False)
class Examined:
    """What a sample turned out to be; what could not be read is None, and told in ``problems``."""

    sample: Sample
    image: ImageFacts | None
    mask: MaskFacts | None
    problems: tuple[ImageError, ...] = ()


Survey = Mapping[SplitName, tuple[Examined, ...]]


def survey(
    splits: Mapping[SplitName, tuple[Sample, ...]],
    *,
    colors: bool = False,
    earlier: Survey | None = None,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> Survey:
    """Decode every picture and mask, in threads.

    Args:
        splits: The samples.
        colors: Masks are read as colours; else as values, and as colours only where they show such.
        earlier: An earlier survey with the same ``colors``, whose samples need not be read again.
        workers: How many threads. Defaults to one a core.
        on_progress: Told after each sample.
    """
    before = {one.sample: one for examined in (earlier or {}).values() for one in examined}
    samples = [sample for name in SPLITS for sample in splits.get(name, ())]

    def examine(sample: Sample) -> Examined:
        return before.get(sample) or _examine(sample, colors)

    found = iter(parallel_map(examine, samples, workers=workers, on_progress=on_progress))
    return {name: tuple(next(found) for _ in splits.get(name, ())) for name in SPLITS}


def _examine(sample: Sample, colors: bool) -> Examined:
    problems: list[ImageError] = []
    image, mask = None, None
    try:
        image = _image_facts(sample)
    except ImageError as error:
        problems.append(error)
    try:
        mask = _mask_facts(sample, colors) if sample.mask is not None else None
    except ImageError as error:
        problems.append(error)
    return Examined(sample, image, mask, tuple(problems))


def _image_facts(sample: Sample) -> ImageFacts:
    image = read_image(sample.image)
    # By floats of 64 bits, since squares of a large picture overflow what 32 bits hold exactly.
    mean, deviation = (array.ravel() for array in cv2.meanStdDev(image))
    count = image.shape[0] * image.shape[1]
    return ImageFacts(
        image_header(sample.image),
        (image.shape[0], image.shape[1]),
        hashlib.blake2b(image.data, digest_size=16).digest(),
        fingerprint(image),
        mean * count,
        (deviation**2 + mean**2) * count,
    )


def _mask_facts(sample: Sample, colors: bool) -> MaskFacts:
    header = image_header(sample.mask) if not isinstance(sample.mask, Objects) and sample.mask is not None else None
    mask, colored = _read(sample, header, colors)
    values, inverse = _different(mask)
    size: Size = (mask.shape[0], mask.shape[1])
    edge = max(1, min(size) // _BORDER_SHARE)
    inner = inverse[edge : size[0] - edge, edge : size[1] - edge]
    middle = inverse[size[0] // 4 : size[0] - size[0] // 4, size[1] // 4 : size[1] - size[1] // 4]

    def count(part: npt.NDArray[Any]) -> Counts:
        return np.bincount(part.ravel(), minlength=len(values)).astype(np.int64)

    pixels = count(inverse)
    return MaskFacts(header, size, colored, values, pixels, pixels - count(inner), count(middle))


def _read(sample: Sample, header: Header | None, colors: bool) -> tuple[npt.NDArray[Any], bool]:
    try:
        return read_values(sample, colors=colors), colors and header is not None
    except ImageError:
        # Values were asked for, and the file may show colours instead.
        if colors or header is None or header.mode not in ("RGB", "RGBA", "RGBX"):
            raise
        return read_values(sample, colors=True), True


def _different(mask: npt.NDArray[Any]) -> tuple[Counts, npt.NDArray[np.intp]]:
    """The different values, ascending, and for each pixel the number of its value among them ``[H, W]``."""
    if mask.dtype == np.uint8 or mask.dtype == np.uint16:
        # A count of each value is many times faster than sorting the pixels.
        values = np.flatnonzero(np.bincount(mask.ravel()))
        table = np.zeros(int(values[-1]) + 1, np.intp)
        table[values] = np.arange(len(values))
        return values.astype(np.int64), table[mask]
    different, inverse = np.unique(mask, return_inverse=True)
    return different.astype(np.int64), inverse.reshape(mask.shape)
