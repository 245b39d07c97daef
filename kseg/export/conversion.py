"""What an exporter is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.images import read_image, resize_image

if TYPE_CHECKING:
    import keras

    from kseg.data import Sample

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
    size: tuple[int, int],
    on_progress: Callable[[int, int], None] | None = None,
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
    total = min(count, len(samples))
    # Neighbours in a list are often frames of one film: the spread shows the quantiser more of the world.
    places = np.linspace(0, len(samples) - 1, total).round().astype(int)
    images = []
    for done, place in enumerate(places, start=1):
        images.append(resize_image(read_image(samples[place].image), size))
        if on_progress:
            on_progress(done, total)
    return images
