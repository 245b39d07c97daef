"""Scores from confusion matrices. These need numpy alone; the Keras metric is in `kseg.metrics.training`."""

from kseg.metrics.confusion import class_mean, confusion_matrix, dice, iou, pixel_accuracy, precision, recall

__all__ = ["class_mean", "confusion_matrix", "dice", "iou", "pixel_accuracy", "precision", "recall"]
