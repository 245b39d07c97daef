"""Draw the statistics of a data set."""

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
    """Draw each class's share of pixels and images by split, class weights, image sizes and channel statistics.

    Args:
        path: The image file to write.
        statistics: The statistics.

    Raises:
        OutputError: The file cannot be written.
    """
    names = statistics.labels.names
    with figure(path, 13, 1.6 + 0.25 * len(statistics.images) * len(names) + 3) as canvas:
        ratios = [1 + 0.25 * len(statistics.images) * len(names), 3]
        subfigures: Any = canvas.subfigures(2, 1, height_ratios=ratios)
        upper, lower = subfigures
        pixels, images, weights = upper.subplots(1, 3, sharey=True)
        _bars(pixels, statistics.pixel_share, "{:.1%}")
        pixels.set(title="share of the pixels", xlim=(0, 1.2), yticks=range(len(names)), yticklabels=names)
        _bars(images, statistics.image_share, "{:.1%}")
        images.set(title="share of the images", xlim=(0, 1.2))
        _bars(weights, statistics.weights, "{:.2g}")
        weights.set(title="class weights", xlim=(0, 1.2 * max(w.max() for w in statistics.weights.values())))
        pixels.invert_yaxis()
        for axes in (pixels, weights):
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3, fontsize=8)
        sizes, channels = lower.subplots(1, 2)
        _sizes(sizes, statistics)
        _channels(channels, statistics)


def _bars(axes: Any, groups: Mapping[Any, npt.NDArray[np.float64]], number_format: str) -> None:
    for i, (name, values) in enumerate(groups.items()):
        positions = np.arange(len(values)) + (i - (len(groups) - 1) / 2) * 0.8 / len(groups)
        bars = axes.barh(positions, values, 0.8 / len(groups), label=name)
        # A share of 1 % is a bar too short to see, so the number stands beside it.
        axes.bar_label(bars, [number_format.format(value) for value in values], padding=3, fontsize=8)


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
