"""The pictures of a run folder: curves of the scores, the first training batch, predictions for validation images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kseg.card import ModelCard
from kseg.data.pipeline.arrays import Arrays, load_arrays
from kseg.data.sample import Sample, evenly_spread
from kseg.drawing import overlay, panel
from kseg.figures import figure
from kseg.images import write_jpeg
from kseg.labels import LabelMap
from kseg.run_folder import EpochRow

__all__ = ["ValidationPanel", "draw_results", "draw_train_batch"]

TILE = 224
MAX_TILES = 16
MAX_ROWS = 8


def draw_results(path: Path, rows: Sequence[EpochRow]) -> None:
    """Draw each score over the epochs, a plot a score, with training and validation in it. Raises OutputError."""
    keys = [key for key in rows[0] if f"val_{key}" in rows[0]]
    epochs = [row["epoch"] for row in rows]
    with figure(path, 3.4 * len(keys), 3.2) as plots:
        for axes, key in zip(np.ravel(plots.subplots(1, len(keys))), keys, strict=True):
            for name, style in ((key, "-"), (f"val_{key}", "--")):
                # A single epoch has no line to draw.
                axes.plot(epochs, [row[name] for row in rows], style, marker="." if len(rows) < 30 else None)
            axes.set(title=key.replace("_", " "), xlabel="epoch")
            if key != "loss":
                axes.set_ylim(0, 1)
            axes.grid(alpha=0.3)
        axes.legend(["train", "val"])


def draw_train_batch(path: Path, batches: Any, labels: LabelMap) -> None:
    """Draw the first training batch after augmentation, with the masks over the images. Raises OutputError."""
    images, masks = next(iter(batches))
    images = np.clip(np.asarray(images), 0, 255).astype(np.uint8)
    tiles = [
        overlay(image, mask, labels) for image, mask in islice(zip(images, np.asarray(masks), strict=True), MAX_TILES)
    ]
    columns = math.ceil(math.sqrt(len(tiles)))
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    write_jpeg(path, panel(rows, [], tile=_tile(images.shape[1:3])))


@dataclass(frozen=True)
class ValidationPanel:
    """Draws the predictions of a network for some validation samples.

    Args:
        samples: The images and masks, at the network's size.
        labels: The classes.
    """

    samples: Arrays
    labels: LabelMap

    @classmethod
    def of(cls, samples: Sequence[Sample], labels: LabelMap, size: tuple[int, int]) -> ValidationPanel:
        """Choose up to `MAX_ROWS` of the samples, spread evenly, and read them. Raises DataError."""
        return cls(load_arrays(evenly_spread(samples, MAX_ROWS), labels, size), labels)

    def draw(self, path: Path, network: keras.Model, card: ModelCard) -> bool:
        """Draw a row for each sample: image, ground truth, prediction.

        Args:
            path: The JPEG file.
            network: float32 images ``[B, h, w, 3]`` in 0..255 → scores ``[B, h, w, C]``.
            card: Its model card.

        Returns:
            False if the network predicts background only, although some mask has foreground; else True.

        Raises:
            OutputError: The file cannot be written.
        """
        images, masks, foreground = self.samples.images, self.samples.masks, self.labels.foreground
        predictions = card.class_ids(network.predict(images.astype("float32"), batch_size=1, verbose=0))
        rows = [
            [image, overlay(image, truth, self.labels), overlay(image, prediction, self.labels)]
            for image, truth, prediction in zip(images, masks, predictions, strict=True)
        ]
        write_jpeg(path, panel(rows, ["image", "truth", "prediction"], tile=_tile(images.shape[1:3])))
        return bool(np.isin(predictions, foreground).any() or not np.isin(masks, foreground).any())


def _tile(size: Sequence[int]) -> tuple[int, int]:
    """Height and width, scaled so that the longer is `TILE`."""
    scale = TILE / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
