"""The pictures of a run folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.data import Arrays
from kseg.data.charts import figure
from kseg.drawing import overlay, panel
from kseg.images import write_jpeg
from kseg.labels import LabelMap

__all__ = ["draw_results", "draw_train_batch", "draw_validation"]

TILE = 224
MAX_TILES = 16
MAX_ROWS = 8


def draw_results(path: Path, rows: Sequence[dict[str, float]] | Sequence[Any]) -> None:
    """One plot a score over the epochs, training and validation together."""
    keys = [key for key in rows[0] if f"val_{key}" in rows[0]]
    epochs = [row["epoch"] for row in rows]
    with figure(path, 3.4 * len(keys), 3.2) as drawn:
        for axes, key in zip(np.ravel(drawn.subplots(1, len(keys))), keys, strict=True):
            for name, style in ((key, "-"), (f"val_{key}", "--")):
                # A single epoch has no line to draw.
                axes.plot(epochs, [row[name] for row in rows], style, marker="." if len(rows) < 30 else None)
            axes.set(title=key.replace("_", " "), xlabel="epoch")
            if key != "loss":
                axes.set_ylim(0, 1)
            axes.grid(alpha=0.3)
        axes.legend(["train", "val"])


def draw_train_batch(path: Path, batches: Any, labels: LabelMap) -> None:
    """The first training batch as the network sees it, after augmentation, with the masks over it."""
    images, masks = next(iter(batches))
    images = np.clip(np.asarray(images), 0, 255).astype(np.uint8)
    tiles = [
        overlay(image, mask, labels) for image, mask in islice(zip(images, np.asarray(masks), strict=True), MAX_TILES)
    ]
    columns = math.ceil(math.sqrt(len(tiles)))
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    write_jpeg(path, panel(rows, [], tile=_tile(images.shape[1:3])))


def draw_validation(path: Path, shown: Arrays, found: npt.NDArray[np.uint8], labels: LabelMap) -> None:
    """Image, truth and prediction (class ids ``[N, H, W]``) in a row each."""
    rows = [
        [image, overlay(image, truth, labels), overlay(image, ids, labels)]
        for image, truth, ids in zip(shown.images, shown.masks, found, strict=True)
    ]
    write_jpeg(path, panel(rows, ["image", "truth", "prediction"], tile=_tile(shown.images.shape[1:3])))


def _tile(size: Sequence[int]) -> tuple[int, int]:
    scale = TILE / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
