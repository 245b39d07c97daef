"""A split in memory, decoded and resized once; and the plan to stream it where it does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kseg.data.parallel import Progress, parallel_map
from kseg.data.samples import Sample
from kseg.data.truth import read_truth
from kseg.images import read_image, resize_image
from kseg.labels import LabelMap

__all__ = ["Arrays", "Streamed", "load_arrays", "load_sample"]

Ids = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Arrays:
    """Samples in memory.

    Args:
        images: RGB uint8 ``[N, H, W, 3]``.
        masks: Class ids uint8 ``[N, H, W]``, 255 = ignore.
        samples: Which sample each is.
    """

    images: npt.NDArray[np.uint8]
    masks: Ids
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.masks.shape[1], self.masks.shape[2]

    def sample(self, index: int) -> tuple[npt.NDArray[np.uint8], Ids]:
        """One image ``[H, W, 3]`` and its mask ``[H, W]``; not to be written to."""
        return self.images[index], self.masks[index]


@dataclass(frozen=True)
class Streamed:
    """Samples to be decoded anew each time, for splits that are larger than memory.

    Args:
        samples: Which.
        labels: What their masks mean.
        size: Height and width of the batches.
    """

    samples: tuple[Sample, ...]
    labels: LabelMap
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.samples)

    def sample(self, index: int) -> tuple[npt.NDArray[np.uint8], Ids]:
        """One image ``[H, W, 3]`` and its mask ``[H, W]``, as `load_arrays` loads them. Raises DataError."""
        return load_sample(self.samples[index], self.labels, self.size)


def load_arrays(
    samples: Sequence[Sample],
    labels: LabelMap,
    size: tuple[int, int],
    *,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> Arrays:
    """Decode and resize samples, in threads, into arrays allocated once.

    Args:
        samples: Which, in the order of the arrays.
        labels: What their masks mean.
        size: Height and width to resize to.
        workers: How many threads. Defaults to one a core.
        on_progress: Told after each sample.

    Raises:
        DataError: A file cannot be read, a sample has no mask, or a mask holds a value that ``labels`` does not name.
    """
    images = np.empty((len(samples), *size, 3), np.uint8)
    masks = np.empty((len(samples), *size), np.uint8)

    def load(index: int) -> None:
        images[index], masks[index] = load_sample(samples[index], labels, size)

    parallel_map(load, range(len(samples)), workers=workers, on_progress=on_progress)
    return Arrays(images, masks, tuple(samples))


def load_sample(sample: Sample, labels: LabelMap, size: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], Ids]:
    """One sample: RGB uint8 ``[H, W, 3]`` and class ids uint8 ``[H, W]`` of ``size``. Raises DataError."""
    return resize_image(read_image(sample.image), size), read_truth(sample, labels, size)
