"""DatasetReport: the pixels of each class, counted from a survey once the mask values have a meaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kseg.data.inspection.survey import Examined, Survey
from kseg.data.sample import SPLITS, SplitName
from kseg.labels import IGNORE_INDEX, LabelMap
from kseg.sizes import Size

__all__ = ["DatasetReport", "count_classes"]

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DatasetReport:
    """What the masks and pictures hold.

    Args:
        image_pixels: For each split, the pixels of each class in each image: int64 ``[N, K]``, in the split's order.
        ignored_pixels: For each split, the ignored pixels of each image: int64 ``[N]``.
        sizes: How many images have which height and width.
        channel_mean: Mean of the training images' pixels, each channel in 0..255: float64 ``[3]``.
        channel_std: Their standard deviation about it: float64 ``[3]``.
    """

    image_pixels: Mapping[SplitName, Counts]
    ignored_pixels: Mapping[SplitName, Counts]
    sizes: Mapping[Size, int]
    channel_mean: npt.NDArray[np.float64]
    channel_std: npt.NDArray[np.float64]

    @property
    def class_pixels(self) -> Mapping[SplitName, Counts]:
        """For each split, the pixels of each class: int64 ``[K]``."""
        return {name: pixels.sum(axis=0) for name, pixels in self.image_pixels.items()}

    @property
    def class_images(self) -> Mapping[SplitName, Counts]:
        """For each split, in how many images each class is: int64 ``[K]``."""
        return {name: (pixels > 0).sum(axis=0) for name, pixels in self.image_pixels.items()}

    @property
    def pixels(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """Mean and standard deviation of the training images' red, green and blue, in 0..255."""
        (r, g, b), (red, green, blue) = self.channel_mean.tolist(), self.channel_std.tolist()
        return (r, g, b), (red, green, blue)

    @property
    def ignored(self) -> Mapping[SplitName, float]:
        """For each split, the share of pixels that are ignored, in 0..1."""
        return {
            name: float(pixels.sum() / max(pixels.sum() + self.image_pixels[name].sum(), 1))
            for name, pixels in self.ignored_pixels.items()
        }


def count_classes(found: Survey, labels: LabelMap) -> DatasetReport:
    """Count classes and pixels.

    Args:
        found: The survey, in which every image and mask could be read.
        labels: A map of every value that the masks hold.
    """
    rows = {name: [_per_class(one, labels) for one in found.get(name, ())] for name in SPLITS}
    counts = {name: np.array(list_, np.int64).reshape(-1, IGNORE_INDEX + 1) for name, list_ in rows.items()}
    mean, std = _channels(found.get("train", ()))
    return DatasetReport(
        {name: table[:, : labels.num_classes] for name, table in counts.items()},
        {name: table[:, IGNORE_INDEX] for name, table in counts.items()},
        dict(Counter(one.image.size for examined in found.values() for one in examined if one.image)),
        mean,
        std,
    )


def _per_class(one: Examined, labels: LabelMap) -> Counts:
    """Pixels of each class id: int64 ``[256]``, the last one the ignored."""
    counts = np.zeros(IGNORE_INDEX + 1, np.int64)
    if one.mask is not None:
        np.add.at(counts, labels.ids(one.mask.values), one.mask.pixels)
    return counts


def _channels(examined: Sequence[Examined]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    images = [one.image for one in examined if one.image is not None]
    if not images:
        return np.zeros(3), np.ones(3)
    count = sum(image.size[0] * image.size[1] for image in images)
    mean = np.sum([image.total for image in images], axis=0) / count
    variance = np.sum([image.squares for image in images], axis=0) / count - mean**2
    return mean, np.sqrt(np.maximum(variance, 0.0))
