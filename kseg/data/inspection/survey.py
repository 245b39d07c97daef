"""Read every image and mask once, and keep the facts that checks and statistics need.

The facts do not depend on the label map, since that may have to be inferred from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kseg.data.inspection.shapes import Shapes, measure_shapes
from kseg.data.inspection.similar import Fingerprint, fingerprint
from kseg.data.sample import SPLITS, Sample, SplitName, evenly_spread
from kseg.data.truth import LARGEST_DEVIATION, deviation, mask_header, picture_header, read_picture, read_values
from kseg.errors import ImageError
from kseg.images import Header, resize_mask
from kseg.parallel import Progress, parallel_map
from kseg.sizes import Size

__all__ = ["ImageFacts", "MaskFacts", "SampleFacts", "Survey", "survey"]

Counts = npt.NDArray[np.int64]

_BORDER_SHARE = 50
"""The border of a mask is its shorter side divided by this, at least one pixel."""


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """Facts about an image.

    Args:
        header: How it is stored.
        size: Height and width, upright.
        digest: BLAKE2b of its pixels, 16 bytes.
        fingerprint: For finding images that look the same.
        total, squares: Sums over all pixels of the values 0..255 and of their squares, per channel: float64 ``[3]``.
    """

    header: Header
    size: Size
    digest: bytes
    fingerprint: Fingerprint
    total: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MaskFacts:
    """Facts about a mask.

    Args:
        header: How it is stored; None if it is drawn from objects.
        size: Height and width, upright.
        colored: Whether the values are packed colours.
        values: The distinct values, ascending: int64 ``[V]``.
        pixels: Number of pixels of each value: int64 ``[V]``.
        border: The same within the border of the mask: int64 ``[V]``.
        center: The same within the central quarter of its area: int64 ``[V]``.
        shapes: The shapes of the regions; None for masks that were not measured.
    """

    header: Header | None
    size: Size
    colored: bool
    values: Counts
    pixels: Counts
    border: Counts
    center: Counts
    shapes: Shapes | None = None


@dataclass(frozen=True, eq=False)
class SampleFacts:
    """Facts about a sample; an image or mask that cannot be read is None, and ``problems`` says why."""

    sample: Sample
    image: ImageFacts | None
    mask: MaskFacts | None
    problems: tuple[ImageError, ...] = ()


_MOST_MEASURED = 100
"""Masks whose shapes are measured, evenly spread over the samples: enough to recognise void and instances."""

Survey = Mapping[SplitName, tuple[SampleFacts, ...]]
"""Split → the facts about its samples, in their order."""


def survey(
    splits: Mapping[SplitName, tuple[Sample, ...]],
    *,
    colors: bool = False,
    shapes: bool = False,
    earlier: Survey | None = None,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> Survey:
    """Read every image and mask, in threads.

    Args:
        splits: Split → its samples.
        colors: Whether to read masks as colours; if not, only RGB masks that have no single value are.
        shapes: Whether to measure the shapes of the regions, in at most `_MOST_MEASURED` masks.
        earlier: An earlier survey with the same ``colors``, whose samples are not read again.
        workers: Number of threads. Defaults to one per core.
        on_progress: Called after each sample.
    """
    known_facts = {facts.sample: facts for samples_ in (earlier or {}).values() for facts in samples_}
    samples = [sample for name in SPLITS for sample in splits.get(name, ())]

    measured = set(evenly_spread(samples, _MOST_MEASURED)) if shapes else set()

    def examine(sample: Sample) -> SampleFacts:
        facts = known_facts.get(sample)
        if facts is None or (sample in measured and facts.mask is not None and facts.mask.shapes is None):
            return _examine(sample, colors, sample in measured)
        return facts

    results = iter(parallel_map(examine, samples, workers=workers, on_progress=on_progress))
    return {name: tuple(next(results) for _ in splits.get(name, ())) for name in SPLITS}


def _examine(sample: Sample, colors: bool, shapes: bool) -> SampleFacts:
    problems: list[ImageError] = []
    image, mask = None, None
    try:
        image = _image_facts(sample)
    except ImageError as error:
        problems.append(error)
    try:
        mask = _mask_facts(sample, image.size if image else None, colors, shapes) if sample.mask is not None else None
    except ImageError as error:
        problems.append(error)
    return SampleFacts(sample, image, mask, tuple(problems))


def _image_facts(sample: Sample) -> ImageFacts:
    image = read_picture(sample)
    # In 64-bit floats: the sum of squares of a large image is not exact in 32 bits.
    mean, deviation = (array.ravel() for array in cv2.meanStdDev(image))
    count = image.shape[0] * image.shape[1]
    return ImageFacts(
        picture_header(sample),
        (image.shape[0], image.shape[1]),
        hashlib.blake2b(image.data, digest_size=16).digest(),
        fingerprint(image),
        mean * count,
        (deviation**2 + mean**2) * count,
    )


def _mask_facts(sample: Sample, size: Size | None, colors: bool, shapes: bool) -> MaskFacts:
    header = mask_header(sample)
    # Scaled here, and not at all where the shapes differ, which is a finding of its own.
    mask, colored = _read(replace(sample, scaled=False), header, colors)
    if sample.scaled and size and deviation((mask.shape[0], mask.shape[1]), size) <= LARGEST_DEVIATION:
        mask = resize_mask(mask, size)
    values, inverse = _unique(mask)
    size = (mask.shape[0], mask.shape[1])
    edge = max(1, min(size) // _BORDER_SHARE)
    inner = inverse[edge : size[0] - edge, edge : size[1] - edge]
    middle = inverse[size[0] // 4 : size[0] - size[0] // 4, size[1] // 4 : size[1] - size[1] // 4]

    def count(part: npt.NDArray[Any]) -> Counts:
        return np.bincount(part.ravel(), minlength=len(values)).astype(np.int64)

    pixels = count(inverse)
    measured = measure_shapes(inverse, values, colored=colored) if shapes else None
    return MaskFacts(header, size, colored, values, pixels, pixels - count(inner), count(middle), measured)


def _read(sample: Sample, header: Header | None, colors: bool) -> tuple[npt.NDArray[Any], bool]:
    try:
        return read_values(sample, colors=colors), colors and header is not None
    except ImageError:
        # The file may be an RGB mask although values were expected.
        if colors or header is None or header.mode not in ("RGB", "RGBA", "RGBX"):
            raise
        return read_values(sample, colors=True), True


def _unique(mask: npt.NDArray[Any]) -> tuple[Counts, npt.NDArray[np.intp]]:
    """The distinct values, ascending, and for each pixel the index of its value ``[H, W]``, as from `numpy.unique`."""
    if mask.dtype == np.uint8 or mask.dtype == np.uint16:
        # Counting values is many times faster than sorting the pixels.
        values = np.flatnonzero(np.bincount(mask.ravel()))
        table = np.zeros(int(values[-1]) + 1, np.intp)
        table[values] = np.arange(len(values))
        return values.astype(np.int64), table[mask]
    different, inverse = np.unique(mask, return_inverse=True)
    return different.astype(np.int64), inverse.reshape(mask.shape)
