"""Contact sheets: images with their masks as overlays, unchanged or augmented."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from kseg.augment import Augment
from kseg.data.dataset import Dataset
from kseg.data.pipeline.arrays import load_sample
from kseg.data.sample import Sample
from kseg.data.truth import read_picture, read_truth
from kseg.drawing import captioned, grid, legend, overlay, panel
from kseg.errors import DataError
from kseg.images import printable
from kseg.labels import LabelMap
from kseg.tensorflow_runtime import load_tensorflow

__all__ = ["augmented_sheet", "contact_sheet", "pick"]

Image = npt.NDArray[np.uint8]


def pick(dataset: Dataset, samples: Sequence[Sample], count: int, *, seed: int, shows: str | None) -> list[Sample]:
    """Choose samples at random.

    Args:
        dataset: The data set of the samples.
        samples: The samples to choose from.
        count: Largest number to choose.
        seed: Random seed.
        shows: A class that must occur in each chosen mask. Defaults to any sample.

    Raises:
        DataError: No mask contains the class.
    """
    ordered = sorted(samples, key=lambda s: hashlib.sha256(os.fsencode(f"{seed}:{s.key}")).digest())
    chosen = list(islice(_containing(dataset.labels, ordered, shows), count))
    if not chosen:
        raise DataError(f"no mask shows {shows}", where=printable(dataset.root), found=f"{len(samples)} samples")
    return chosen


def _containing(labels: LabelMap, samples: Sequence[Sample], shows: str | None) -> Iterator[Sample]:
    for sample in samples:
        if shows is None or (read_truth(sample, labels) == labels.names.index(shows)).any():
            yield sample


def contact_sheet(dataset: Dataset, samples: Sequence[Sample], *, columns: int = 4, tile: int = 240) -> Image:
    """Draw samples with their masks as overlays, with names and a legend: RGB uint8 ``[H, W, 3]``.

    Args:
        dataset: The data set of the samples.
        samples: The samples to draw.
        columns: Number of tiles per row.
        tile: Height and width of a tile in pixels.
    """
    tiles = [
        captioned(_with_overlay(sample, dataset.labels), printable(sample.key), (tile, tile)) for sample in samples
    ]
    return _with_legend(grid(tiles, min(columns, len(tiles))), dataset.labels)


def _with_overlay(sample: Sample, labels: LabelMap) -> Image:
    return overlay(read_picture(sample), read_truth(sample, labels), labels)


def augmented_sheet(
    dataset: Dataset, samples: Sequence[Sample], augment: Augment, *, size: tuple[int, int], versions: int, seed: int
) -> Image:
    """Draw a row per sample: resized to the network's input, then augmented: RGB uint8 ``[H, W, 3]``.

    Args:
        dataset: The data set of the samples.
        samples: The samples to draw.
        augment: The augmentation.
        size: Input height and width of the network.
        versions: Number of augmented versions of each sample.
        seed: The training's seed.
    """
    load_tensorflow()
    from kseg.data.pipeline.transforms.apply import augment_sample

    labels = dataset.labels
    rows: list[list[Image]] = []
    for row, sample in enumerate(samples):
        image, mask = load_sample(sample, labels, size)
        varied = [
            augment_sample(image, mask, augment, seed=seed, number=row * versions + i, background=labels.background)
            for i in range(versions)
        ]
        rows.append([overlay(image, mask, labels), *(overlay(i.numpy(), m.numpy(), labels) for i, m in varied)])
    titles = ["original", *(f"augmented {i + 1}" for i in range(versions))]
    return _with_legend(panel(rows, titles, tile=size), labels)


def _with_legend(sheet: Image, labels: LabelMap) -> Image:
    return np.vstack([sheet, legend(labels, sheet.shape[1])])
