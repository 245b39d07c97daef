"""Scores from counts that add over images: functions of NumPy arrays, and Keras metrics for ``model.compile``.

::

    confusion_matrix    → iou, dice, precision, recall, specificity, pixel_accuracy
    boundary_counts     → boundary_iou, boundary_f1
    calibration_counts  → expected_calibration_error
    IoU, Dice, PixelAccuracy    Keras metrics, of a confusion matrix summed over an epoch

The functions need NumPy and OpenCV, the metrics Keras; they are imported when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kseg.lazy import lazy

if TYPE_CHECKING:
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
    from kseg.metrics.keras_metrics import Dice, IoU, PixelAccuracy

__all__ = [
    "BoundaryCounts", "CalibrationCounts", "Dice", "IoU", "PixelAccuracy", "boundary_counts", "boundary_f1",
    "boundary_iou", "calibration_counts", "class_mean", "confusion_matrix", "dice", "expected_calibration_error",
    "hidden_share", "iou", "pixel_accuracy", "precision", "recall", "specificity",
]  # fmt: skip

__getattr__, __dir__ = lazy(
    __name__,
    {
        "BoundaryCounts": "kseg.metrics.boundary",
        "CalibrationCounts": "kseg.metrics.calibration",
        "Dice": "kseg.metrics.keras_metrics",
        "IoU": "kseg.metrics.keras_metrics",
        "PixelAccuracy": "kseg.metrics.keras_metrics",
        "boundary_counts": "kseg.metrics.boundary",
        "boundary_f1": "kseg.metrics.boundary",
        "boundary_iou": "kseg.metrics.boundary",
        "calibration_counts": "kseg.metrics.calibration",
        "class_mean": "kseg.metrics.confusion",
        "confusion_matrix": "kseg.metrics.confusion",
        "dice": "kseg.metrics.confusion",
        "expected_calibration_error": "kseg.metrics.calibration",
        "hidden_share": "kseg.metrics.boundary",
        "iou": "kseg.metrics.confusion",
        "pixel_accuracy": "kseg.metrics.confusion",
        "precision": "kseg.metrics.confusion",
        "recall": "kseg.metrics.confusion",
        "specificity": "kseg.metrics.confusion",
    },
)
