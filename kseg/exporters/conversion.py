"""The input of an exporter: the model, its card, and images to calibrate a quantised one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.data.sample import Sample, evenly_spread
from kseg.data.truth import read_picture
from kseg.images import resize_image
from kseg.parallel import Progress
from kseg.sizes import Size

if TYPE_CHECKING:
    import keras

__all__ = ["Conversion", "calibration_images"]


@dataclass(frozen=True)
class Conversion:
    """A model to convert.

    Args:
        model: float32 images ``[B, h, w, 3]`` in 0..255 → float32 scores ``[B, h, w, C]``.
        card: The model card that is written into the artifact.
        calibration: Training images at the network's size, uint8 ``[h, w, 3]`` each; empty if nothing is quantised.
    """

    model: keras.Model
    card: ModelCard
    calibration: Sequence[npt.NDArray[np.uint8]] = ()

    def with_card(self, card: ModelCard) -> Conversion:
        """A copy with another model card."""
        return replace(self, card=card)


def calibration_images(
    samples: Sequence[Sample],
    count: int,
    size: Size,
    on_progress: Progress | None = None,
) -> list[npt.NDArray[np.uint8]]:
    """Read up to ``count`` training images, spread evenly over the list, and resize them as in training.

    Args:
        samples: The training split; only the images are read.
        count: The number of images; all are read if there are fewer.
        size: Height and width of the network's input.
        on_progress: Called with (done, total).

    Returns:
        RGB uint8 ``[h, w, 3]`` each.

    Raises:
        ImageError: A file cannot be read.
    """
    chosen = evenly_spread(samples, count)
    images = []
    for done, sample in enumerate(chosen, start=1):
        images.append(resize_image(read_picture(sample), size))
        if on_progress:
            on_progress(done, len(chosen))
    return images
