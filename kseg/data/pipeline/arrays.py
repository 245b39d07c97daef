"""`Arrays`: a split in memory, decoded and resized once. `Streamed`: a split that is decoded at each use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kseg.data.sample import Sample
from kseg.data.truth import read_picture, read_truth
from kseg.images import resize_image
from kseg.labels import LabelMap
from kseg.parallel import Progress, parallel_map

__all__ = ["Arrays", "Streamed", "load_arrays", "load_packed", "load_sample"]

Pixels = npt.NDArray[np.uint8]

_ALIGNMENT = 64
"""TensorFlow can use memory that begins at a multiple of this without a copy."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """Decoded samples in memory.

    Args:
        packed: Red, green, blue and class id (255 = ignore) of each pixel, uint8 ``[N, H, W, 4]``.
        samples: The samples, in the same order.
    """

    packed: Pixels
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images and masks."""
        return self.packed.shape[1], self.packed.shape[2]

    @property
    def images(self) -> Pixels:
        """RGB uint8 ``[N, H, W, 3]``, a view."""
        return self.packed[..., :3]

    @property
    def masks(self) -> Pixels:
        """Class ids uint8 ``[N, H, W]``, a view."""
        return self.packed[..., 3]


@dataclass(frozen=True)
class Streamed:
    """Samples that are decoded at each use, for splits that do not fit into memory.

    Args:
        samples: The samples.
        labels: The label map of their masks.
        size: Height and width to resize to.
    """

    samples: tuple[Sample, ...]
    labels: LabelMap
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.samples)


def load_arrays(
    samples: Sequence[Sample],
    labels: LabelMap,
    size: tuple[int, int],
    *,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> Arrays:
    """Decode and resize samples, in threads.

    Args:
        samples: The samples.
        labels: The label map of their masks.
        size: Height and width to resize to.
        workers: Number of threads. Defaults to one per core.
        on_progress: Called after each sample.

    Raises:
        DataError: A file cannot be read, a sample has no mask, or a mask has a value that is not in ``labels``.
    """
    packed = _aligned((len(samples), *size, 4))

    def load(index: int) -> None:
        packed[index, ..., :3], packed[index, ..., 3] = load_sample(samples[index], labels, size)

    parallel_map(load, range(len(samples)), workers=workers, on_progress=on_progress)
    return Arrays(packed, tuple(samples))


def _aligned(shape: tuple[int, ...]) -> Pixels:
    """An uninitialised array that begins at a multiple of `_ALIGNMENT`."""
    count = int(np.prod(shape))
    memory = np.empty(count + _ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % _ALIGNMENT
    return memory[first : first + count].reshape(shape)


def load_sample(sample: Sample, labels: LabelMap, size: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """Decode and resize a sample: RGB uint8 ``[H, W, 3]`` and class ids uint8 ``[H, W]``. Raises DataError."""
    return resize_image(read_picture(sample), size), read_truth(sample, labels, size)


def load_packed(sample: Sample, labels: LabelMap, size: tuple[int, int]) -> Pixels:
    """Decode and resize a sample, packed as in `Arrays`: uint8 ``[H, W, 4]``. Raises DataError."""
    return np.dstack(load_sample(sample, labels, size))
