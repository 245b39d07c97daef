"""Confidence intervals by the bootstrap over images: how far a score would move with other images of the same kind.

The images are drawn with replacement, as many as there are, and the score is computed of each such draw; the interval
holds the middle 95 % of these scores (the percentile interval). An image's pixels stay together, since the pixels of
one image resemble one another. Two models are compared on the *same* draws: what makes an image hard for both cancels
out in their difference, whose interval is therefore much narrower than those of the two scores.

Efron & Tibshirani, An Introduction to the Bootstrap, Chapman & Hall 1993: chapters 6 (the bootstrap of a statistic), 13
(percentile interval) and 8.3 (paired data).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from kseg.metrics import iou

__all__ = ["CONFIDENCE", "RESAMPLES", "Interval", "IouIntervals", "bootstrap_intervals", "iou_drops", "iou_intervals"]

RESAMPLES: Final = 2000
CONFIDENCE: Final = 0.95
_SEED: Final = 0
_MAX_ELEMENTS: Final = 2**22
"""Numbers in memory at a time: float64, so 32 MB."""

Array = npt.NDArray[Any]
Statistic = Callable[[Array], Array]
"""Sums over images ``[R, ...]`` → a score of each of the R draws, ``[R]`` or ``[R, S]``."""


class Interval(NamedTuple):
    """A confidence interval; NaN at both ends where it is undefined."""

    low: float
    high: float


class IouIntervals(NamedTuple):
    """Intervals of IoU, or of the difference of two models' IoU.

    Args:
        foreground: Of the mean over the foreground classes.
        per_class: Of each class, in the order of the class ids.
    """

    foreground: Interval
    per_class: tuple[Interval, ...]


def bootstrap_intervals(
    counts: Array,
    statistic: Statistic,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = _SEED,
) -> Sequence[Interval]:
    """The percentile intervals of scores that are computed from counts summed over images.

    Args:
        counts: The counts of each image: ``[N, ...]``. Two models are compared by counts ``[N, 2, ...]``.
        statistic: Computes the scores of many sums at once.
        resamples: The number of draws. Defaults to 2000.
        confidence: The share of the draws inside the interval. Defaults to 0.95.
        seed: Seed of the draws, so that a report can be repeated. Defaults to 0.

    Returns:
        An interval for each of the S scores. Draws in which a score is undefined (NaN) do not count. With fewer than
        two images an interval is NaN: a single image says nothing about others.
    """
    images = len(counts)
    flat = counts.reshape(images, -1).astype(np.float64)
    rng = np.random.default_rng(seed)
    step = max(1, _MAX_ELEMENTS // max(images, flat.shape[1], 1))
    scores = []
    for start in range(0, resamples, step):
        # How often each image is drawn, N draws in all: the multinomial distribution.
        weights = rng.multinomial(images, np.full(images, 1 / images), size=min(step, resamples - start))
        sums = weights.astype(np.float64) @ flat
        scores.append(statistic(sums.reshape(len(sums), *counts.shape[1:])).reshape(len(sums), -1))
    if images < 2:
        return [Interval(math.nan, math.nan)] * scores[0].shape[1]
    return [_percentiles(column, confidence) for column in np.concatenate(scores).T]


def iou_intervals(matrices: Array, foreground: Sequence[int], **options: Any) -> IouIntervals:
    """The intervals of a model's IoU over the dataset.

    Args:
        matrices: The confusion matrix of each image: ``[N, K, K]``, rows = truth.
        foreground: The class ids that count as foreground.
        options: ``resamples``, ``confidence`` and ``seed`` of `bootstrap_intervals`.
    """
    return _split(bootstrap_intervals(matrices, lambda sums: _ious(sums, foreground), **options))


def iou_drops(reference: Array, other: Array, foreground: Sequence[int], **options: Any) -> IouIntervals:
    """The intervals of how far another model's IoU is below the reference's, on the same images (paired).

    Args:
        reference: The confusion matrices of the reference, as in `iou_intervals`.
        other: Those of the other model, for the same images in the same order.
        foreground: The class ids that count as foreground.
        options: As in `iou_intervals`.

    Raises:
        ValueError: The numbers of images or classes differ.
    """
    if reference.shape != other.shape:
        raise ValueError(f"the models were scored on other images or classes: {reference.shape} and {other.shape}")
    pairs = np.stack([reference, other], axis=1)
    return _split(
        bootstrap_intervals(
            pairs, lambda sums: _ious(sums[:, 0], foreground) - _ious(sums[:, 1], foreground), **options
        )
    )


def _ious(matrices: Array, foreground: Iterable[int]) -> Array:
    """Confusion matrices ``[R, K, K]`` → the mean IoU of the foreground, then the IoU of each class: ``[R, 1 + K]``."""
    per_class = iou(matrices)
    chosen = per_class[:, list(foreground)]
    defined = ~np.isnan(chosen)
    number = defined.sum(axis=1)
    total = np.where(defined, chosen, 0.0).sum(axis=1)
    mean = np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0)
    return np.column_stack([mean, per_class])


def _split(intervals: Sequence[Interval]) -> IouIntervals:
    return IouIntervals(intervals[0], tuple(intervals[1:]))


def _percentiles(scores: Array, confidence: float) -> Interval:
    defined = scores[~np.isnan(scores)]
    if not defined.size:
        return Interval(math.nan, math.nan)
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))
