"""The confusion matrix, and the scores that are read off it.

A confusion matrix is int64 ``[K, K]``: row = true class, column = predicted class, entries = pixels. Matrices of
several images may be added; the scores of the sum are those *over the dataset*. A score that is undefined (0/0) is NaN,
never a made-up 0 or 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.labels import IGNORE_INDEX

__all__ = ["class_mean", "confusion_matrix", "dice", "iou", "pixel_accuracy", "precision", "recall", "specificity"]

Ids = npt.NDArray[Any]
Matrix = npt.NDArray[np.int64]
PerClass = npt.NDArray[np.float64]


def confusion_matrix(truth: Ids, predicted: Ids, num_classes: int, ignore_index: int = IGNORE_INDEX) -> Matrix:
    """Count the pixels of each (true class, predicted class).

    Args:
        truth: Class ids, whole numbers of any shape; pixels of ``ignore_index`` are left out.
        predicted: Class ids of the same shape.
        num_classes: K.
        ignore_index: The id of ignored pixels. Defaults to 255.

    Returns:
        int64 ``[K, K]``, rows = truth.

    Raises:
        ValueError: The shapes differ, or a true or predicted id outside ignored pixels is not in 0..K-1.

    Example:

    >>> iou(confusion_matrix(np.array([0, 1, 1, 255]), np.array([0, 1, 0, 0]), 2)).tolist()
    [0.5, 0.5]
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"truth is {truth.shape} but the prediction is {predicted.shape}")
    labelled = truth != ignore_index
    if labelled.all():  # the usual case, and a boolean index copies both arrays
        rows, columns = truth.ravel(), predicted.ravel()
    else:
        rows, columns = truth[labelled], predicted[labelled]
    check_ids("truth", rows, num_classes)
    check_ids("prediction", columns, num_classes)
    cells = rows.astype(np.int64) * num_classes + columns
    counts = np.bincount(cells, minlength=num_classes * num_classes)
    return counts.reshape(num_classes, num_classes).astype(np.int64, copy=False)


def check_ids(name: str, ids: Ids, num_classes: int) -> None:
    """Raise ValueError where an id is not in 0..K-1."""
    if ids.size and not (ids.min() >= 0 and ids.max() < num_classes):
        raise ValueError(f"the {name} holds ids {ids.min()}..{ids.max()}, outside 0..{num_classes - 1}")


def iou(matrix: Matrix) -> PerClass:
    """Intersection over union, TP / (TP + FP + FN): float64 ``[K]``; NaN where neither side holds the class.

    Of many matrices at once, ``[..., K, K]``: float64 ``[..., K]``.
    """
    hit, true, predicted = _parts(matrix)
    return ratio(hit, true + predicted - hit)


def dice(matrix: Matrix) -> PerClass:
    """Dice or F1, 2 TP / (2 TP + FP + FN): float64 ``[K]``; NaN where neither side holds the class."""
    hit, true, predicted = _parts(matrix)
    return ratio(2 * hit, true + predicted)


def precision(matrix: Matrix) -> PerClass:
    """TP / (TP + FP): float64 ``[K]``; NaN where the class was never predicted."""
    hit, _, predicted = _parts(matrix)
    return ratio(hit, predicted)


def recall(matrix: Matrix) -> PerClass:
    """TP / (TP + FN): float64 ``[K]``; NaN where the truth holds no such pixel."""
    hit, true, _ = _parts(matrix)
    return ratio(hit, true)


def specificity(matrix: Matrix) -> PerClass:
    """TN / (TN + FP), each class against the rest: float64 ``[K]``; NaN where every pixel is of the class."""
    hit, true, predicted = _parts(matrix)
    others = matrix.sum() - true
    return ratio(others - (predicted - hit), others)


def pixel_accuracy(matrix: Matrix) -> float:
    """The share of pixels whose class is right; NaN without any."""
    total = matrix.sum()
    return float(np.trace(matrix) / total) if total else float("nan")


def class_mean(values: PerClass, classes: Iterable[int]) -> float:
    """The mean of ``values`` over ``classes``, leaving out those that are NaN; NaN where all are."""
    chosen = values[list(classes)]
    defined = chosen[~np.isnan(chosen)]
    return float(defined.mean()) if defined.size else float("nan")


def _parts(matrix: Matrix) -> tuple[PerClass, PerClass, PerClass]:
    """Of each class the true positives, its pixels in the truth and those in the prediction, float64 ``[..., K]``."""
    counts = matrix.astype(np.float64)
    return np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1), counts.sum(axis=-2)


def ratio(above: npt.NDArray[Any], below: npt.NDArray[Any]) -> PerClass:
    """``above / below`` in float64, NaN where ``below`` is 0."""
    quotient: PerClass = np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
    return quotient
