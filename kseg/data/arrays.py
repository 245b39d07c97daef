"""A split in memory, decoded and resized once; and the plan to stream it where it does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kseg.data.parallel import Progress, parallel_map
from kseg.data.samples import Sample
from kseg.errors import ConfigError, DataError, some
from kseg.images import printable, read_image, read_mask, resize_image, resize_mask
from kseg.labels import LabelMap

__all__ = ["Arrays", "Augment", "Streamed", "load_arrays", "load_sample"]

Ids = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Augment:
    """How training samples are varied; every default leaves them as they are.

    Args:
        hflip, vflip, rot90: Probabilities in 0..1. ``rot90`` turns by 90, 180 or 270 degrees (90 and 270 only where
            height and width are equal).
        brightness: The image gets up to this share of white added or taken away.
        contrast, saturation: The distance from the image's mean, and from grey, is multiplied by 1 ± up to this.
        scale: The least and the greatest enlargement about the centre.
        rotate: Turned by up to this many degrees either way.

    Raises:
        ConfigError: A value is out of its range.
    """

    hflip: float = 0.0
    vflip: float = 0.0
    rot90: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    rotate: float = 0.0

    def __post_init__(self) -> None:
        for name in ("hflip", "vflip", "rot90", "brightness", "contrast", "saturation"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError("out of range", where=f"augment.{name}", expected="0..1", found=getattr(self, name))
        if not 0.0 < self.scale[0] <= self.scale[1]:
            raise ConfigError(
                "out of range", where="augment.scale", expected="0 < least ≤ greatest", found=str(self.scale)
            )
        if not 0.0 <= self.rotate <= 180.0:
            raise ConfigError("out of range", where="augment.rotate", expected="0..180", found=str(self.rotate))

    @property
    def warps(self) -> bool:
        """Whether samples are scaled or turned by any angle."""
        return tuple(self.scale) != (1.0, 1.0) or self.rotate > 0


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
    table = labels.table()

    def load(index: int) -> None:
        images[index], masks[index] = load_sample(samples[index], labels, size, table)

    parallel_map(load, range(len(samples)), workers=workers, on_progress=on_progress)
    return Arrays(images, masks, tuple(samples))


def load_sample(
    sample: Sample, labels: LabelMap, size: tuple[int, int], table: npt.NDArray[np.int16] | None = None
) -> tuple[npt.NDArray[np.uint8], Ids]:
    """One sample: RGB uint8 ``[H, W, 3]`` and class ids uint8 ``[H, W]`` of ``size``. Raises DataError."""
    if sample.mask is None:
        raise DataError("the sample has no mask", where=printable(sample.image))
    image = resize_image(read_image(sample.image), size)
    mask = resize_mask(read_mask(sample.mask), size)
    try:
        return image, labels.encode(mask, table)
    except ValueError:
        raise DataError(
            "the mask holds values that data.values does not name", where=printable(sample.mask),
            found=some(labels.unmapped(mask)), remedy="name them in data.values, or give them to 'ignore'",
        ) from None  # fmt: skip
