"""The input of an exporter: the model, its card, and images to calibrate a quantised one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard

if TYPE_CHECKING:
    import keras

__all__ = ["Conversion"]


@dataclass(frozen=True)
class Conversion:
    """A model to convert.

    Args:
        model: float32 images ``[B, h, w, 3]`` in 0..255 → float32 scores ``[B, h, w, C]``.
        card: The model card that is written into the artifact.
        calibration: Training images at the network's size, uint8 ``[h, w, 3]`` each, as `calibration_images` chooses
            them; empty if nothing is quantised.
    """

    model: keras.Model
    card: ModelCard
    calibration: Sequence[npt.NDArray[np.uint8]] = ()

    def with_card(self, card: ModelCard) -> Conversion:
        """A copy with another model card."""
        return replace(self, card=card)
