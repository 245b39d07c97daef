"""The statistics of a data set as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.data.inspection.statistics import Statistics
from kseg.figures import figure

__all__ = ["draw_statistics"]


def draw_statistics(path: Path, statistics: Statistics) -> None:
    """Share of the pixels and of the images that each class has in each split, class weights, and sizes."""
    names = statistics.labels.names
    with figure(path, 13, 1.6 + 0.25 * len(statistics.images) * len(names) + 3) as drawn:
        ratios = [1 + 0.25 * len(statistics.images) * len(names), 3]
        parts: Any = drawn.subfigures(2, 1, height_ratios=ratios)
        above, below = parts
        pixels, images, weights = above.subplots(1, 3, sharey=True)
        _bars(pixels, statistics.pixel_share, "{:.1%}")
        pixels.set(title="share of the pixels", xlim=(0, 1.2), yticks=range(len(names)), yticklabels=names)
        _bars(images, statistics.image_share, "{:.1%}")
        images.set(title="share of the images", xlim=(0, 1.2))
        _bars(weights, statistics.weights, "{:.2g}")
        weights.set(title="class weights", xlim=(0, 1.2 * max(w.max() for w in statistics.weights.values())))
        pixels.invert_yaxis()
        for axes in (pixels, weights):
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3, fontsize=8)
        sizes, channels = below.subplots(1, 2)
        _sizes(sizes, statistics)
        _channels(channels, statistics)


def _bars(axes: Any, groups: Mapping[Any, npt.NDArray[np.float64]], form: str) -> None:
    for i, (name, values) in enumerate(groups.items()):
        place = np.arange(len(values)) + (i - (len(groups) - 1) / 2) * 0.8 / len(groups)
        bars = axes.barh(place, values, 0.8 / len(groups), label=name)
        # A bar of an eyeglasses' size (1%) is not to be seen: the number says what it is.
        axes.bar_label(bars, [form.format(value) for value in values], padding=3, fontsize=8)


def _sizes(axes: Any, statistics: Statistics) -> None:
    heights, widths = zip(*statistics.sizes, strict=True)
    counts = np.array(list(statistics.sizes.values()))
    axes.scatter(widths, heights, s=20 + 300 * counts / counts.sum(), alpha=0.5)
    axes.set(title=f"sizes ({len(counts)} different)", xlabel="width", ylabel="height")
    axes.margins(0.1)
    axes.grid(alpha=0.3)


def _channels(axes: Any, statistics: Statistics) -> None:
    mean, std = statistics.channel_mean, statistics.channel_std
    names = [f"{name}\n{m:.1f} ± {s:.1f}" for name, m, s in zip(("red", "green", "blue"), mean, std, strict=True)]
    axes.bar(names, mean, yerr=std, color=("#d66", "#6b6", "#66d"), capsize=6)
    axes.set(title="pixels of the training images: mean and deviation", ylim=(0, 300))
