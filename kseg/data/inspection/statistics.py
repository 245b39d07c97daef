"""What a data set is like, in numbers: sizes, shares of the classes, the pixels' mean, and weights that follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.data.dataset import Dataset
from kseg.data.inspection.counts import DatasetReport
from kseg.data.pipeline.balance import METHODS, Method, class_weights
from kseg.data.sample import SPLITS, SplitName
from kseg.labels import LabelMap
from kseg.sizes import Size

__all__ = ["Statistics", "summarize"]

Shares = npt.NDArray[np.float64]

_COMMONEST = 3


@dataclass(frozen=True, eq=False)
class Statistics:
    """A data set in numbers.

    Args:
        labels: The classes.
        images: How many images each split has; splits without any are left out, here and below.
        sizes: How many images have which height and width, the commonest first.
        pixel_share: For each split, each class's share of the pixels whose class is known: float64 ``[K]``.
        image_share: For each split, the share of its images that have the class: float64 ``[K]``.
        ignored: For each split, the share of pixels whose class is unknown.
        channel_mean: Mean of the training images' pixels, red, green and blue, in 0..255: float64 ``[3]``.
        channel_std: Their standard deviation.
        weights: By method, the class weights that `train.class_weights` would use: float64 ``[K]``.
    """

    labels: LabelMap
    images: Mapping[SplitName, int]
    sizes: Mapping[Size, int]
    pixel_share: Mapping[SplitName, Shares]
    image_share: Mapping[SplitName, Shares]
    ignored: Mapping[SplitName, float]
    channel_mean: Shares
    channel_std: Shares
    weights: Mapping[Method, Shares]

    def sides(self) -> dict[str, tuple[int, float, int]]:
        """The smallest, the median and the largest ``height`` and ``width``."""
        counts = list(self.sizes.values())
        heights, widths = (np.repeat([size[i] for size in self.sizes], counts) for i in (0, 1))
        return {
            name: (int(sides.min()), float(np.median(sides)), int(sides.max()))
            for name, sides in (("height", heights), ("width", widths))
        }

    def commonest(self) -> list[tuple[Size, int]]:
        """The commonest sizes, height × width, and how many images have them."""
        return list(self.sizes.items())[:_COMMONEST]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        names = self.labels.names
        return {
            "classes": list(names),
            "images": dict(self.images),
            "sizes": {
                **{
                    name: {"min": low, "median": middle, "max": high}
                    for name, (low, middle, high) in self.sides().items()
                },
                "commonest": [{"height": h, "width": w, "images": n} for (h, w), n in self.commonest()],
                "different": len(self.sizes),
            },
            "pixel_share": {split: _by_name(names, shares) for split, shares in self.pixel_share.items()},
            "image_share": {split: _by_name(names, shares) for split, shares in self.image_share.items()},
            "ignored_share": dict(self.ignored),
            "channel_mean": [float(value) for value in self.channel_mean],
            "channel_std": [float(value) for value in self.channel_std],
            "class_weights": {method: _by_name(names, weights) for method, weights in self.weights.items()},
        }


def _by_name(names: tuple[str, ...], values: Shares) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def summarize(dataset: Dataset, report: DatasetReport) -> Statistics:
    """The statistics of a data set that was checked."""
    splits = [name for name in SPLITS if dataset.splits.get(name)]
    pixels, images = report.class_pixels, report.class_images
    return Statistics(
        labels=dataset.labels,
        images={name: len(dataset.splits[name]) for name in splits},
        sizes=dict(Counter(report.sizes).most_common()),
        pixel_share={name: pixels[name] / max(pixels[name].sum(), 1) for name in splits},
        image_share={name: images[name] / len(dataset.splits[name]) for name in splits},
        ignored={name: report.ignored[name] for name in splits},
        channel_mean=report.channel_mean,
        channel_std=report.channel_std,
        weights={method: class_weights(method, report.image_pixels["train"]) for method in METHODS},
    )
