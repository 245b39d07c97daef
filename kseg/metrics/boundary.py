"""Boundary scores: whether the outlines of a mask lie where they should, by counts that add over images.

IoU hides outlines: on a large object 0.95 may be an outline that is off by many pixels all the way round.

::

    boundary IoU    the pixels of a class within `width` of its outline, true and predicted: their intersection over
                    union. Cheng et al., CVPR 2021, https://arxiv.org/abs/2103.16562
    boundary F1     the pixels on the outline itself, matched within `tolerance`: the harmonic mean of the shares of
                    predicted and of true ones that are. Csurka et al., BMVC 2013; Perazzi et al., CVPR 2016

Ignored pixels count nowhere, and where a class ends at them there is no outline, neither a true nor a predicted one. An
outline may run through them unseen, so pixels for which that would matter, those within the width or the tolerance of
an ignored one, count nowhere either. Where masks leave the rims of objects unlabelled, next to nothing remains, and the
scores are NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from kseg.labels import IGNORE_INDEX
from kseg.metrics.confusion import check_ids, ratio

__all__ = [
    "HIDDEN",
    "TOLERANCE",
    "WIDTH",
    "BoundaryCounts",
    "boundary_counts",
    "boundary_f1",
    "boundary_iou",
    "hidden_share",
]

WIDTH: Final = 0.02
"""The width of the bands as a share of the image's diagonal, as in the paper."""
TOLERANCE: Final = 0.0075
"""How far outlines may lie apart and still match, as a share of the image's diagonal, as in the paper."""
HIDDEN: Final = 0.9
"""The share of an outline that ignored pixels may hide; where they hide more, the scores are NaN."""

Ids = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]
Side = tuple[Ids, Flags]
"""Class ids uint8 ``[H, W]``, and which of the pixels are on an outline."""
Places = npt.NDArray[np.int64]
PerClassCount = npt.NDArray[np.int64]
PerClass = npt.NDArray[np.float64]

_UNLABELLED: Final = 255


@dataclass(frozen=True, eq=False)
class BoundaryCounts:
    """Pixels of one image or, added up, of several; each int64 ``[K]``.

    Args:
        band_both: In the class's band in truth and prediction.
        band_either: In its band in truth or prediction.
        true_outline: On the part of its true outline that is not hidden.
        true_matched: Of these, within the tolerance of its predicted outline.
        predicted_outline: On its predicted outline, where the true one would not be hidden.
        predicted_matched: Of these, within the tolerance of its true outline.
        hidden_outline: On its true outline or beside ignored pixels, and too near to ignored pixels to be counted.
    """

    band_both: PerClassCount
    band_either: PerClassCount
    true_outline: PerClassCount
    true_matched: PerClassCount
    predicted_outline: PerClassCount
    predicted_matched: PerClassCount
    hidden_outline: PerClassCount

    @classmethod
    def zero(cls, num_classes: int) -> BoundaryCounts:
        """The counts before the first image: all 0."""
        return cls(*(np.zeros(num_classes, np.int64) for _ in fields(cls)))

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        names = [field.name for field in fields(self)]
        return BoundaryCounts(*(getattr(self, name) + getattr(other, name) for name in names))


def boundary_counts(
    truth: Ids,
    predicted: Ids,
    num_classes: int,
    *,
    width: float = WIDTH,
    tolerance: float = TOLERANCE,
    ignore_index: int = IGNORE_INDEX,
) -> BoundaryCounts:
    """Count the pixels near and on the outlines of each class in one image.

    A class's band is its pixels at most d rows and d columns from another class or from outside the image, where d is
    ``width`` times the diagonal, rounded, and at least 1. Its outline is its pixels that touch another class, corners
    included; the image's border is no outline, for there an object is cut and does not end. Outlines match within a
    Euclidean distance of ``tolerance`` times the diagonal, rounded up.

    Args:
        truth: Class ids ``[H, W]``; pixels of ``ignore_index`` are left out.
        predicted: Class ids ``[H, W]``.
        num_classes: K, at most 255.
        width: Of the bands, as a share of the image's diagonal. Defaults to 0.02.
        tolerance: As a share of the image's diagonal. Defaults to 0.0075.
        ignore_index: The id of ignored pixels. Defaults to 255.

    Raises:
        ValueError: The shapes differ or are not ``[H, W]``, a true or predicted id outside ignored pixels is not in
            0..K-1, or a share is not above 0.
    """
    if not (width > 0 and tolerance > 0):
        raise ValueError(f"width and tolerance are shares of the diagonal above 0, not {width} and {tolerance}")
    true, guess = _labelled(truth, predicted, num_classes, ignore_index)
    diagonal = math.hypot(*true.shape)
    sides = [(true, _outline(true)), (guess, _outline(guess))]
    bands = _band_counts(sides, num_classes, max(1, round(width * diagonal)))
    return BoundaryCounts(*bands, *_outline_counts(sides, num_classes, math.ceil(tolerance * diagonal)))


def boundary_iou(counts: BoundaryCounts) -> PerClass:
    """Intersection over union of the bands: float64 ``[K]``.

    NaN where neither side has a band, and where more than `HIDDEN` of the true outline is hidden.
    """
    return _unless_hidden(counts, ratio(counts.band_both, counts.band_either))


def boundary_f1(counts: BoundaryCounts) -> PerClass:
    """2 P R / (P + R) of the outlines: float64 ``[K]``.

    P is the share of the predicted outline that matches the true one, R the share of the true that matches the
    predicted. 0 where one side alone has an outline; NaN where neither has, and where more than `HIDDEN` of the true
    one is hidden.
    """
    # Sides without an outline match nothing; their 0/0 would hide the other side's mistake.
    precision = np.nan_to_num(ratio(counts.predicted_matched, counts.predicted_outline))
    recall = np.nan_to_num(ratio(counts.true_matched, counts.true_outline))
    score = np.nan_to_num(ratio(2 * precision * recall, precision + recall))
    return _unless_hidden(counts, np.where(counts.predicted_outline + counts.true_outline > 0, score, np.nan))


def hidden_share(counts: BoundaryCounts) -> PerClass:
    """The share of the true outline that ignored pixels hide, float64 ``[K]``; 0 where there is none at all."""
    return np.nan_to_num(ratio(counts.hidden_outline, counts.hidden_outline + counts.true_outline))


def _unless_hidden(counts: BoundaryCounts, score: PerClass) -> PerClass:
    return np.where(hidden_share(counts) > HIDDEN, np.nan, score)


def _labelled(truth: Ids, predicted: Ids, num_classes: int, ignore_index: int) -> tuple[Ids, Ids]:
    """Truth and prediction as uint8, both `_UNLABELLED` on ignored pixels."""
    if truth.shape != predicted.shape or truth.ndim != 2:
        raise ValueError(f"truth and prediction are [H, W] of one size, not {truth.shape} and {predicted.shape}")
    labelled = truth != ignore_index
    for name, ids in (("truth", truth), ("prediction", predicted)):
        check_ids(name, ids[labelled], num_classes)
    true, guess = (np.where(labelled, ids, _UNLABELLED).astype(np.uint8) for ids in (truth, predicted))
    return true, guess


def _outline(ids: Ids) -> Flags:
    """The labelled pixels that touch one of another class: the lowest or highest id around is another."""
    labelled, square = ids != _UNLABELLED, _square(1)
    lowest, highest = cv2.erode(ids, square), cv2.dilate(np.where(labelled, ids, np.uint8(0)), square)
    outline: Flags = labelled & ((lowest != ids) | (highest != ids))
    return outline


def _band_counts(sides: list[Side], num_classes: int, distance: int) -> list[PerClassCount]:
    """The first two fields of `BoundaryCounts`: `band_both` and `band_either`."""
    (true, line_true), (guess, line_guess) = sides
    countable = ~_near_unlabelled(true, distance)
    # On the way to the nearest pixel of another class the last step but one is on the outline.
    band_true, band_guess = (
        countable & (_widened(line, distance - 1) | _border(line, distance)) for line in (line_true, line_guess)
    )
    both = _count(true, band_true & band_guess & (true == guess), num_classes)
    return [both, _count(true, band_true, num_classes) + _count(guess, band_guess, num_classes) - both]


def _outline_counts(sides: list[Side], num_classes: int, tolerance: int) -> list[PerClassCount]:
    """The other five fields of `BoundaryCounts`, in their order."""
    true, line_true = sides[0]
    hidden = _near_unlabelled(true, tolerance)
    counts = []
    for (ids, line), (others, other_line) in (sides, sides[::-1]):
        counted = line & ~hidden
        classes, targets = ids[counted], _places(others, other_line, tolerance)
        near = _near_targets(_places(ids, counted, tolerance), targets, ids.shape[1] + tolerance, tolerance)
        counts += [np.bincount(members, minlength=num_classes) for members in (classes, classes[near])]
    hidden_outline = (true != _UNLABELLED) & hidden & (line_true | _near_unlabelled(true, 1))
    return [*counts, _count(true, hidden_outline, num_classes)]


def _near_unlabelled(ids: Ids, distance: int) -> Flags:
    """The pixels that are ignored, or at most so many rows and columns away from one that is."""
    return _widened(ids == _UNLABELLED, distance)


def _widened(flags: Flags, distance: int) -> Flags:
    """The pixels at most so many rows and columns away from a flagged one."""
    wide = np.zeros_like(flags)
    rows, columns = (np.flatnonzero(flags.any(axis=axis)) for axis in (1, 0))
    if rows.size:  # the box that can change; large pictures hold small objects
        box = tuple(slice(max(0, at[0] - distance), at[-1] + distance + 1) for at in (rows, columns))
        part = np.ascontiguousarray(flags[box]).view(np.uint8)
        wide[box] = cv2.dilate(part, _square(distance)).view(bool)
    return wide


def _border(flags: Flags, distance: int) -> Flags:
    """The pixels at most so far from outside the image."""
    border = np.ones_like(flags)
    border[distance:-distance, distance:-distance] = False
    return border


def _square(distance: int) -> Ids:
    return np.ones((2 * distance + 1,) * 2, np.uint8)


def _count(ids: Ids, where: Flags, num_classes: int) -> PerClassCount:
    return np.bincount(ids[where], minlength=num_classes)


def _places(ids: Ids, line: Flags, tolerance: int) -> Places:
    """The class, row and column of each pixel of the line as one number, with gaps as wide as the tolerance.

    A pixel of the same class a row below is one stride further on, and a pixel up to ``tolerance`` columns beside is as
    many numbers beside: one search in sorted numbers serves all classes, and costs as much as the outlines are long.
    """
    height, width = ids.shape
    rows, columns = np.divmod(np.flatnonzero(line), width)
    places: Places = (ids[line].astype(np.int64) * (height + tolerance) + rows) * (width + tolerance) + columns
    return places


def _near_targets(places: Places, targets: Places, stride: int, tolerance: int) -> Flags:
    """Of each place whether a target of its class lies within the tolerance."""
    ascending = np.append(np.sort(targets), np.iinfo(np.int64).max)
    near = np.zeros(len(places), bool)
    for down in sorted(range(-tolerance, tolerance + 1), key=abs):  # most match in the first few rows
        unmatched = np.flatnonzero(~near)
        across = math.isqrt(tolerance**2 - down**2)
        shifted = places[unmatched] + down * stride
        near[unmatched] = ascending[np.searchsorted(ascending, shifted - across)] <= shifted + across
    return near
