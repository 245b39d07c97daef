"""`Comparison`: how the scores of an artifact differ from the model's, at the network's size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.exporters.parity.record import PredictionRecord

__all__ = ["Agreement", "Comparison"]

NativeScores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Agreement:
    """How well the scores of an artifact agree with the model's. The defaults are those of the model with itself.

    Args:
        compared_images: The number of images whose scores were compared, for all numbers but ``changed``.
        changed: The share of pixels whose class differs.
        max_score_difference: The largest difference of a score.
        offset: By how many pixels the scores are displaced: rows down, columns right.
        gain: The factor between the scores and the model's; NaN if all of the model's are 0.
    """

    compared_images: int
    changed: float = 0.0
    max_score_difference: float = 0.0
    offset: tuple[float, float] = (0.0, 0.0)
    gain: float = 1.0


class Comparison:
    """Compares an artifact with the model image by image, and keeps only sums.

    Offset and gain tell two faults apart from the noise of a quantiser, which neither moves an object nor fades it as
    a whole: least squares fits ``artifact(p) = model(p - offset)`` to first order, after Lucas & Kanade, An Iterative
    Image Registration Technique, IJCAI 1981, and ``artifact = gain · model``.

    Args:
        model: The record of the exported model, for the same images in the same order.
    """

    def __init__(self, model: PredictionRecord) -> None:
        self._model = model
        self._pixels = 0
        self._gradients = np.zeros((2, 2))
        self._motion = np.zeros(2)
        self._products = 0.0
        self._squares = 0.0
        self._compared_images = 0
        self._max_score_difference = math.nan
        self.changed_pixels: list[int] = []

    def add(self, index: int, scores: NativeScores) -> None:
        """Compare the artifact's scores of an image: float32 ``[h, w, C]``."""
        changed = self._model.predictor.card.class_ids(scores) != self._model.ids(index)
        self.changed_pixels.append(int(np.count_nonzero(changed)))
        self._pixels += changed.size
        kept = None if self._model.kept is None else self._model.kept.get(index)
        if kept is not None:
            self._compare(scores, kept)

    def _compare(self, scores: NativeScores, model: NativeScores) -> None:
        difference = scores - model
        self._compared_images += 1
        self._max_score_difference = float(np.fmax(self._max_score_difference, np.abs(difference).max()))
        self._products += _dot(scores, model)
        self._squares += _dot(model, model)
        slopes = [_slope(model, axis) for axis in (0, 1)]
        self._gradients += [[_dot(first, second) for second in slopes] for first in slopes]
        self._motion -= [_dot(slope, difference) for slope in slopes]

    def agreement(self) -> Agreement:
        """The result for the images so far."""
        # Flat scores do not tell where they are: the least of all offsets that fit, which is 0.
        rows, columns = np.linalg.lstsq(self._gradients, self._motion)[0]
        return Agreement(
            self._compared_images,
            changed=sum(self.changed_pixels) / self._pixels if self._pixels else math.nan,
            max_score_difference=self._max_score_difference,
            offset=(float(rows), float(columns)),
            gain=self._products / self._squares if self._squares else math.nan,
        )


def _slope(scores: NativeScores, axis: int) -> NativeScores:
    """The derivative along an axis by central differences; 0 along an axis of a single pixel."""
    if scores.shape[axis] < 2:
        return np.zeros_like(scores)
    return np.asarray(np.gradient(scores, axis=axis), np.float32)


def _dot(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    return float(np.vdot(first, second))
