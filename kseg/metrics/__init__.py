"""Scores from counts that add over images. These need numpy and OpenCV; the Keras metric is in `kseg.metrics.training`.

::

    confusion_matrix    → iou, dice, precision, recall, specificity, pixel_accuracy
    boundary_counts     → boundary_iou, boundary_f1
    calibration_counts  → expected_calibration_error
"""

from kseg.metrics.boundary import BoundaryCounts, boundary_counts, boundary_f1, boundary_iou, hidden_share
from kseg.metrics.calibration import CalibrationCounts, calibration_counts, expected_calibration_error
from kseg.metrics.confusion import (
    class_mean,
    confusion_matrix,
    dice,
    iou,
    pixel_accuracy,
    precision,
    recall,
    specificity,
)

__all__ = [
    "BoundaryCounts",
    "CalibrationCounts",
    "boundary_counts",
    "boundary_f1",
    "boundary_iou",
    "calibration_counts",
    "class_mean",
    "confusion_matrix",
    "dice",
    "expected_calibration_error",
    "hidden_share",
    "iou",
    "pixel_accuracy",
    "precision",
    "recall",
    "specificity",
]
