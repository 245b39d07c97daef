"""The images that a quantiser is calibrated on: of all classes, the darkest and the brightest, the rest spread evenly.

A quantiser maps the range of values that each layer had on these images to 256 levels. What exceeds the range later is
cut off, so the images have to show what is rare, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kseg.data.dataset import Dataset
from kseg.data.sample import Sample, evenly_spread
from kseg.data.truth import read_picture, read_truth
from kseg.errors import DataError, UsageError
from kseg.images import mean_brightness, printable, resize_image
from kseg.labels import IGNORE_INDEX, LabelMap
from kseg.parallel import Progress, parallel_map
from kseg.sizes import Size

__all__ = ["MIN_IMAGES", "calibration_images", "choose_samples"]

MIN_IMAGES: Final = 8
"""Fewer cannot show what they have to: four extremes of brightness, three images of a class, and any other."""
CANDIDATES: Final = 500
"""Of a larger training split, so many evenly spread images are looked at."""
EXTREMES: Final = 2
"""Number of the darkest, and of the brightest images."""
IMAGES_PER_CLASS: Final = 3

_ENOUGH: Final = "--quantize none, fp16 or dynamic, which need no images"


def calibration_images(
    dataset: Dataset, count: int, size: Size, on_progress: Progress | None = None
) -> list[npt.NDArray[np.uint8]]:
    """Choose training images as `choose_samples` does, read them, and resize them as in training.

    Args:
        dataset: The data of the training.
        count: The number of images; all are taken if there are fewer.
        size: Height and width of the network's input.
        on_progress: Called with (done, total) while the candidates are looked at.

    Returns:
        RGB uint8 ``[h, w, 3]`` each.

    Raises:
        UsageError: ``count`` is too small, for the classes or at all.
        DataError: There are too few training images.
        ImageError: A file cannot be read.
    """
    _check(dataset, count)
    samples = choose_samples(dataset.samples("train"), dataset.labels, count, on_progress)
    return parallel_map(lambda sample: resize_image(read_picture(sample), size), samples)


def _check(dataset: Dataset, count: int) -> None:
    training = len(dataset.splits.get("train", ()))
    if count < MIN_IMAGES:
        raise UsageError(
            "too few images to calibrate a quantiser", where="--calibration-images",
            expected=f"at least {MIN_IMAGES}", found=str(count), remedy="leave it out for 100",
        )  # fmt: skip
    if training < MIN_IMAGES:
        raise DataError(
            "too few training images to calibrate a quantiser", where=printable(dataset.root),
            expected=f"at least {MIN_IMAGES}", found=str(training),
            remedy=f"use {_ENOUGH}, or --data with the data that the model was trained on",
        )  # fmt: skip


def choose_samples(
    samples: Sequence[Sample], labels: LabelMap, count: int, on_progress: Progress | None = None
) -> list[Sample]:
    """Choose the images to calibrate on; the same ones every time.

    Each class that occurs is in at least three of them, or in all that have it; the two darkest and the two brightest
    are among them; the rest is spread evenly over the list. To stay cheap for a large training split, masks and
    brightness of 500 evenly spread images are read (of ``count`` if that is more), JPEG files at an eighth of their
    size. A class that none of these shows is not looked for further.

    Args:
        samples: The training split.
        labels: The classes.
        count: The number of images; all are taken if there are fewer.
        on_progress: Called with (done, total) while the images are looked at.

    Returns:
        At most ``count`` samples, in the order of the list.

    Raises:
        UsageError: ``count`` images do not suffice for the classes and the extremes.
        DataError: An image or a mask cannot be read.
    """
    candidates = evenly_spread(samples, max(count, CANDIDATES))
    if len(candidates) <= count:
        return candidates
    looks = parallel_map(lambda sample: _look(sample, labels), candidates, on_progress=on_progress)
    chosen = _extremes(looks)
    for images in _by_class(looks, labels.num_classes):
        missing = min(IMAGES_PER_CLASS, len(images)) - len(chosen.intersection(images))
        others = [index for index in images if index not in chosen]
        chosen.update(_spread(others, max(missing, 0)))
    if len(chosen) > count:
        raise UsageError(
            f"too few images to calibrate on all {labels.num_classes} classes", where="--calibration-images",
            expected=f"at least {len(chosen)}", found=str(count), remedy=f"use --calibration-images {len(chosen)}",
        )  # fmt: skip
    others = [index for index in range(len(candidates)) if index not in chosen]
    chosen.update(_spread(others, count - len(chosen)))
    return [candidates[index] for index in sorted(chosen)]


@dataclass(frozen=True)
class _Look:
    """What decides whether an image is chosen: its mean grey level in 0..255, and the class ids of its mask."""

    brightness: float
    classes: frozenset[int]


def _look(sample: Sample, labels: LabelMap) -> _Look:
    ids = [] if sample.mask is None else np.unique(read_truth(sample, labels)).tolist()
    return _Look(mean_brightness(sample.image, page=sample.page or 0), frozenset(ids) - {IGNORE_INDEX})


def _extremes(looks: Sequence[_Look]) -> set[int]:
    by_brightness = sorted(range(len(looks)), key=lambda index: looks[index].brightness)
    return {*by_brightness[:EXTREMES], *by_brightness[-EXTREMES:]}


def _by_class(looks: Sequence[_Look], classes: int) -> Iterator[list[int]]:
    """The images of each class; the rarest first, whose images often show the others, too."""
    images = [[index for index, look in enumerate(looks) if k in look.classes] for k in range(classes)]
    return iter(sorted(images, key=len))


def _spread(indices: Sequence[int], count: int) -> list[int]:
    places = np.linspace(0, len(indices) - 1, min(count, len(indices))).round().astype(int)
    return [indices[place] for place in places]
