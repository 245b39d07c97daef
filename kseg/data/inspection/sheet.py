"""Contact sheets: pictures with their masks laid over, as they are or as training varies them."""

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
from kseg.data.truth import read_truth
from kseg.drawing import captioned, grid, legend, overlay, panel
from kseg.errors import DataError
from kseg.images import printable, read_image
from kseg.labels import LabelMap
from kseg.tensorflow_runtime import load_tensorflow

__all__ = ["augmented_sheet", "contact_sheet", "pick"]

Image = npt.NDArray[np.uint8]


def pick(dataset: Dataset, samples: Sequence[Sample], count: int, *, seed: int, shows: str | None) -> list[Sample]:
    """Some samples by chance, the same ones for a seed.

    Args:
        dataset: Whose samples they are.
        samples: What to choose from.
        count: How many at most.
        seed: Another seed, other samples.
        shows: A class that each has to show; None takes any.

    Raises:
        DataError: None shows the class.
    """
    ordered = sorted(samples, key=lambda s: hashlib.sha256(os.fsencode(f"{seed}:{s.key}")).digest())
    chosen = list(islice(_showing(dataset.labels, ordered, shows), count))
    if not chosen:
        raise DataError(f"no mask shows {shows}", where=printable(dataset.root), found=f"{len(samples)} samples")
    return chosen


def _showing(labels: LabelMap, samples: Sequence[Sample], shows: str | None) -> Iterator[Sample]:
    for sample in samples:
        if shows is None or (read_truth(sample, labels) == labels.names.index(shows)).any():
            yield sample


def contact_sheet(dataset: Dataset, samples: Sequence[Sample], *, columns: int = 4, tile: int = 240) -> Image:
    """The samples with their masks over them, names beneath, and a legend: RGB uint8 ``[H, W, 3]``.

    Args:
        dataset: Whose samples they are.
        samples: What to show.
        columns: Tiles side by side.
        tile: Height and width of a tile in pixels.
    """
    tiles = [captioned(_shown(sample, dataset.labels), printable(sample.key), (tile, tile)) for sample in samples]
    return _with_legend(grid(tiles, min(columns, len(tiles))), dataset.labels)


def _shown(sample: Sample, labels: LabelMap) -> Image:
    return overlay(read_image(sample.image), read_truth(sample, labels), labels)


def augmented_sheet(
    dataset: Dataset, samples: Sequence[Sample], augment: Augment, *, size: tuple[int, int], versions: int, seed: int
) -> Image:
    """A row a sample: as it is at the network's size, then as training varies it: RGB uint8 ``[H, W, 3]``.

    Args:
        dataset: Whose samples they are.
        samples: What to show.
        augment: How they are varied.
        size: Height and width that the network works at.
        versions: How many varied versions of each.
        seed: The training's seed.
    """
    load_tensorflow()
    from kseg.data.pipeline.transforms.apply import vary

    labels = dataset.labels
    rows: list[list[Image]] = []
    for row, sample in enumerate(samples):
        image, mask = load_sample(sample, labels, size)
        varied = [
            vary(image, mask, augment, seed=seed, number=row * versions + i, background=labels.background)
            for i in range(versions)
        ]
        rows.append([overlay(image, mask, labels), *(overlay(i.numpy(), m.numpy(), labels) for i, m in varied)])
    titles = ["as it is", *(f"augmented {i + 1}" for i in range(versions))]
    return _with_legend(panel(rows, titles, tile=size), labels)


def _with_legend(sheet: Image, labels: LabelMap) -> Image:
    return np.vstack([sheet, legend(labels, sheet.shape[1])])
