"""Pixel counts of images, and the scores of each class that are computed from them.

Counts can be added. A score of one image's counts is the score of that image; a score of the sum over all images is the
score over the dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from kseg import metrics
from kseg.inference import Decision
from kseg.metrics import BoundaryCounts, CalibrationCounts

__all__ = ["CLASS_SCORES", "Counts", "Score", "count"]

PerClass = npt.NDArray[np.float64]
Score = Literal["iou", "dice", "precision", "recall", "specificity", "boundary_iou", "boundary_f1"]


@dataclass(frozen=True, eq=False)
class Counts:
    """The pixel counts of one image, or their sum over several.

    Args:
        matrix: The confusion matrix, int64 ``[K, K]`` pixels, rows = truth.
        boundary: The counts of pixels on and near boundaries.
        calibration: The counts of pixels by confidence.
    """

    matrix: npt.NDArray[np.int64]
    boundary: BoundaryCounts
    calibration: CalibrationCounts

    @classmethod
    def zero(cls, num_classes: int) -> Counts:
        """The counts of zero images, to which others are added."""
        matrix = np.zeros((num_classes, num_classes), np.int64)
        return cls(matrix, BoundaryCounts.zero(num_classes), CalibrationCounts.zero())

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.matrix + other.matrix, self.boundary + other.boundary, self.calibration + other.calibration)


CLASS_SCORES: Final[Mapping[Score, Callable[[Counts], PerClass]]] = MappingProxyType(
    {
        "iou": lambda counts: metrics.iou(counts.matrix),
        "dice": lambda counts: metrics.dice(counts.matrix),
        "precision": lambda counts: metrics.precision(counts.matrix),
        "recall": lambda counts: metrics.recall(counts.matrix),
        "specificity": lambda counts: metrics.specificity(counts.matrix),
        "boundary_iou": lambda counts: metrics.boundary_iou(counts.boundary),
        "boundary_f1": lambda counts: metrics.boundary_f1(counts.boundary),
    }
)
"""Name → the score of each class, float64 ``[K]``, in the order in which the scores are shown."""


def count(truth: npt.NDArray[np.uint8], decision: Decision, num_classes: int, *, boundary: bool = True) -> Counts:
    """The counts of one image.

    Args:
        truth: Class ids ``[H, W]``, 255 where unknown.
        decision: The prediction, of the same size.
        num_classes: The number of classes, K.
        boundary: Also count at boundaries; otherwise the boundary scores are NaN.
    """
    ids = decision.ids
    return Counts(
        metrics.confusion_matrix(truth, ids, num_classes),
        metrics.boundary_counts(truth, ids, num_classes) if boundary else BoundaryCounts.zero(num_classes),
        metrics.calibration_counts(truth, decision.likeliest, decision.confidence),
    )
