"""Calibration: of the pixels that are predicted with 90 % confidence, nine in ten should be right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kseg.labels import IGNORE_INDEX

__all__ = ["BINS", "CalibrationCounts", "calibration_counts", "expected_calibration_error"]

BINS: Final = 15
"""The number of bins, as in the paper of `expected_calibration_error`."""

_ROUNDING: Final = 1e-3
"""Resized and quantised probabilities may leave 0..1 by this much; logits leave it by more."""
_CHUNK: Final = 2**16
"""Pixels per step: so many stay in the processor's cache, which is four times as fast as all at once."""


@dataclass(frozen=True, eq=False)
class CalibrationCounts:
    """Sums over the pixels of one image or, added up, of several, in each bin of confidence.

    Args:
        pixels: How many fall into the bin: int64 ``[B]``.
        hits: Of these, how many are right: int64 ``[B]``.
        confidence: The sum of their confidence: float64 ``[B]``.
    """

    pixels: npt.NDArray[np.int64]
    hits: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]

    @classmethod
    def zero(cls, bins: int = BINS) -> CalibrationCounts:
        """The sums before the first image: all 0."""
        return cls(np.zeros(bins, np.int64), np.zeros(bins, np.int64), np.zeros(bins))

    def __add__(self, other: CalibrationCounts) -> CalibrationCounts:
        return CalibrationCounts(self.pixels + other.pixels, self.hits + other.hits, self.confidence + other.confidence)


def calibration_counts(
    truth: npt.NDArray[Any],
    likeliest: npt.NDArray[Any],
    confidence: npt.NDArray[np.float32],
    *,
    bins: int = BINS,
    ignore_index: int = IGNORE_INDEX,
) -> CalibrationCounts:
    """Sort the pixels by the confidence in their likeliest class, and count how many are right.

    Args:
        truth: Class ids of any shape; pixels of ``ignore_index`` are left out.
        likeliest: The class ids of the highest probability, of the same shape.
        confidence: That probability, float32 in 0..1, of the same shape.
        bins: B, equally wide, each with its upper end. Defaults to 15.
        ignore_index: The id of ignored pixels. Defaults to 255.

    Raises:
        ValueError: The shapes differ, or a confidence is outside 0..1.
    """
    if not truth.shape == likeliest.shape == confidence.shape:
        raise ValueError(f"the shapes differ: {truth.shape}, {likeliest.shape} and {confidence.shape}")
    labelled, hit = truth != ignore_index, truth == likeliest
    # Mostly all pixels are labelled, and a boolean index copies.
    chosen: Any = slice(None) if labelled.all() else labelled
    confidence, hit = confidence[chosen].ravel(), hit[chosen].ravel()
    if confidence.size and not (confidence.min() >= -_ROUNDING and confidence.max() <= 1 + _ROUNDING):
        raise ValueError(f"confidence is in 0..1, not {confidence.min():g}..{confidence.max():g}; are these logits?")
    counts = CalibrationCounts.zero(bins)
    for start in range(0, confidence.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        counts += _bin(confidence[part], hit[part], bins)
    return counts


def _bin(confidence: npt.NDArray[np.float32], hit: npt.NDArray[np.bool_], bins: int) -> CalibrationCounts:
    """The sums over a few pixels, given as arrays ``[N]``."""
    indices = np.clip(np.ceil(confidence * np.float32(bins)) - 1, 0, bins - 1).astype(np.intp)
    right = np.bincount(indices + bins * hit, minlength=2 * bins).reshape(2, bins)
    sums = np.bincount(indices, weights=confidence, minlength=bins).astype(np.float64, copy=False)
    return CalibrationCounts(right.sum(axis=0), right[1], sums)


def expected_calibration_error(counts: CalibrationCounts) -> float:
    """The mean distance between confidence and accuracy over the bins, each weighted by its pixels.

    ECE = Σ_b n_b / n · |accuracy_b - confidence_b|, in 0..1; 0 is perfectly calibrated, and NaN without any pixel.
    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, https://arxiv.org/abs/1706.04599.
    """
    total = int(counts.pixels.sum())
    return float(np.abs(counts.hits - counts.confidence).sum()) / total if total else float("nan")
