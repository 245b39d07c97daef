"""DatasetReport: the pixels of each class, counted from a survey and a label map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kseg.data.inspection.survey import SampleFacts, Survey
from kseg.data.sample import SPLITS, SplitName
from kseg.labels import IGNORE_INDEX, LabelMap
from kseg.sizes import Size

__all__ = ["DatasetReport", "count_classes"]

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DatasetReport:
    """Counts of the pixels of each class, image sizes and channel statistics.

    Args:
        image_pixels: Split → number of pixels of each class in each image: int64 ``[N, K]``, in the split's order.
        ignored_pixels: Split → number of ignored pixels of each image: int64 ``[N]``.
        sizes: (height, width) → number of images.
        channel_mean: Mean of the training images' red, green and blue, in 0..255: float64 ``[3]``.
        channel_std: Their standard deviation: float64 ``[3]``.
    """

    image_pixels: Mapping[SplitName, Counts]
    ignored_pixels: Mapping[SplitName, Counts]
    sizes: Mapping[Size, int]
    channel_mean: npt.NDArray[np.float64]
    channel_std: npt.NDArray[np.float64]

    @property
    def class_pixels(self) -> Mapping[SplitName, Counts]:
        """Split → number of pixels of each class: int64 ``[K]``."""
        return {name: pixels.sum(axis=0) for name, pixels in self.image_pixels.items()}

    @property
    def class_images(self) -> Mapping[SplitName, Counts]:
        """Split → number of images with each class: int64 ``[K]``."""
        return {name: (pixels > 0).sum(axis=0) for name, pixels in self.image_pixels.items()}

    @property
    def pixels(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """Mean and standard deviation of the training images' red, green and blue, in 0..255."""
        (r, g, b), (red, green, blue) = self.channel_mean.tolist(), self.channel_std.tolist()
        return (r, g, b), (red, green, blue)

    @property
    def ignored(self) -> Mapping[SplitName, float]:
        """Split → fraction of the pixels that are ignored, in 0..1."""
        return {
            name: float(pixels.sum() / max(pixels.sum() + self.image_pixels[name].sum(), 1))
            for name, pixels in self.ignored_pixels.items()
        }


def count_classes(survey: Survey, labels: LabelMap) -> DatasetReport:
    """Count the pixels of each class.

    Args:
        survey: A survey without unreadable files.
        labels: A label map with every value in the masks.
    """
    rows_of = {name: [_per_class(facts, labels) for facts in survey.get(name, ())] for name in SPLITS}
    counts = {
        name: np.array(counts_of_images, np.int64).reshape(-1, IGNORE_INDEX + 1)
        for name, counts_of_images in rows_of.items()
    }
    mean, std = _channels(survey.get("train", ()))
    return DatasetReport(
        {name: table[:, : labels.num_classes] for name, table in counts.items()},
        {name: table[:, IGNORE_INDEX] for name, table in counts.items()},
        dict(Counter(facts.image.size for samples in survey.values() for facts in samples if facts.image)),
        mean,
        std,
    )


def _per_class(facts: SampleFacts, labels: LabelMap) -> Counts:
    """Number of pixels of each class id in a mask: int64 ``[256]``, the last one for ignored pixels."""
    counts = np.zeros(IGNORE_INDEX + 1, np.int64)
    if facts.mask is not None:
        np.add.at(counts, labels.ids(facts.mask.values), facts.mask.pixels)
    return counts


def _channels(samples: Sequence[SampleFacts]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    images = [facts.image for facts in samples if facts.image is not None]
    if not images:
        return np.zeros(3), np.ones(3)
    count = sum(image.size[0] * image.size[1] for image in images)
    mean = np.sum([image.total for image in images], axis=0) / count
    variance = np.sum([image.squares for image in images], axis=0) / count - mean**2
    return mean, np.sqrt(np.maximum(variance, 0.0))
