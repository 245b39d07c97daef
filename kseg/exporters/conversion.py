"""What an exporter is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.data.sample import Sample, evenly_spread
from kseg.images import read_image, resize_image
from kseg.parallel import Progress
from kseg.sizes import Size

if TYPE_CHECKING:
    import keras

__all__ = ["Conversion", "calibration_images"]


@dataclass(frozen=True)
class Conversion:
    """A loaded model, the card that its artifact will carry, and the images to calibrate on.

    Args:
        model: float32 ``[B, h, w, 3]`` in 0..255 → float32 scores ``[B, h, w, C]``.
        card: With the provenance of this export.
        calibration: Training images at the network's size, uint8 ``[h, w, 3]`` each; empty where nothing is quantised.
    """

    model: keras.Model
    card: ModelCard
    calibration: Sequence[npt.NDArray[np.uint8]] = ()

    def with_card(self, card: ModelCard) -> Conversion:
        """The same model and images under another card."""
        return replace(self, card=card)


def calibration_images(
    samples: Sequence[Sample],
    count: int,
    size: Size,
    on_progress: Progress | None = None,
) -> list[npt.NDArray[np.uint8]]:
    """Up to ``count`` of the training images, spread evenly over the list, resized as training resized them.

    Args:
        samples: The training split; only the images are read.
        count: How many; all of them where there are fewer.
        size: Height and width that the network takes.
        on_progress: Called with (done, total).

    Raises:
        ImageError: A file cannot be read.
    """
    chosen = evenly_spread(samples, count)
    images = []
    for done, sample in enumerate(chosen, start=1):
        images.append(resize_image(read_image(sample.image), size))
        if on_progress:
            on_progress(done, len(chosen))
    return images
