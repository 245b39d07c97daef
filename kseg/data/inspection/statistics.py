"""Statistics of a data set: image sizes, class shares, channel means, and the class weights that result."""

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
    """Statistics of a data set; shares are in 0..1.

    Args:
        labels: The classes.
        images: Split → number of images. Empty splits are left out, here and below.
        sizes: (height, width) → number of images, the most common size first.
        pixel_share: Split → each class's share of the pixels that are not ignored: float64 ``[K]``.
        image_share: Split → each class's share of the images: float64 ``[K]``.
        ignored: Split → share of the pixels that are ignored.
        channel_mean: Mean of the training images' red, green and blue, in 0..255: float64 ``[3]``.
        channel_std: Their standard deviation: float64 ``[3]``.
        weights: Method of `train.class_weights` → the class weights: float64 ``[K]``.
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
        """``height`` and ``width`` → smallest, median and largest value."""
        counts = list(self.sizes.values())
        heights, widths = (np.repeat([size[i] for size in self.sizes], counts) for i in (0, 1))
        return {
            name: (int(sides.min()), float(np.median(sides)), int(sides.max()))
            for name, sides in (("height", heights), ("width", widths))
        }

    def commonest(self) -> list[tuple[Size, int]]:
        """The most common sizes (height, width), each with its number of images."""
        return list(self.sizes.items())[:_COMMONEST]

    def to_json(self) -> dict[str, Any]:
        """The statistics as plain JSON types."""
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
    """The statistics of a data set, from the report of `check_dataset`."""
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
