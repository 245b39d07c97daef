"""Regions too small to believe in, and what becomes of their pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from kseg.errors import UsageError
from kseg.labels import LabelMap
from kseg.registry import lookup

__all__ = ["drop_small_regions", "parse_min_area"]

Ids = npt.NDArray[np.uint8]

_WHERE = "--min-area"
_EXPECTED = "pixels, or a class and its pixels, as in --min-area 50 or --min-area car=50"
_DIGITS = 12
"""Of the longest number; Python refuses to read one of thousands."""


def drop_small_regions(ids: Ids, min_area: Mapping[int, int]) -> Ids:
    """Give the pixels of every region that is too small to the classes around it.

    A region is a set of pixels of one class that touch at an edge or a corner. Each pixel of a dropped one takes the
    class of the nearest pixel that stays (on a background, that is the background), so that it does not matter in
    which order regions are dropped. Where no pixel at all would stay, all do.

    Args:
        ids: Class ids ``[H, W]``.
        min_area: Class id → the least pixels of its regions; a class that is not named keeps all of them.

    Returns:
        uint8 ``[H, W]``; `ids` itself where nothing is too small.
    """
    small = np.zeros(ids.shape, bool)
    for k, least in min_area.items():
        count, region, facts, _ = cv2.connectedComponentsWithStats((ids == k).view(np.uint8), connectivity=8)
        too_small = facts[:count, cv2.CC_STAT_AREA] < least
        too_small[0] = False  # the pixels of the other classes
        if too_small.any():
            small |= too_small[region]
    if not small.any() or small.all():
        return ids
    return _from_nearest(ids, small)


def _from_nearest(ids: Ids, lost: npt.NDArray[np.bool_]) -> Ids:
    """`ids`, where `lost` those of the nearest pixel that is not."""
    # Each pixel that stays has a number of its own, each lost one that of the nearest.
    _, nearest = cv2.distanceTransformWithLabels(
        lost.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_number = np.zeros(int(nearest.max()) + 1, np.uint8)
    of_number[nearest[~lost]] = ids[~lost]
    filled: Ids = np.where(lost, of_number[nearest], ids)
    return filled


def parse_min_area(given: Sequence[str], labels: LabelMap) -> dict[int, int]:
    """The values of ``--min-area``: ``50`` of every foreground class, ``car=50`` of one, 0 of none; the later wins.

    Returns:
        Class id → pixels.

    Raises:
        UsageError: One is no number of pixels, or names no class.
    """
    class_ids = {name: k for k, name in enumerate(labels.names)}
    found: dict[int, int] = {}
    for text in given:
        name, equals, number = text.rpartition("=")
        if not number.isdecimal() or len(number) > _DIGITS:
            raise UsageError("not an area", where=_WHERE, expected=_EXPECTED, found=repr(text))
        classes = (lookup(class_ids, name, kind="class", where=_WHERE),) if equals else labels.foreground
        found |= dict.fromkeys(classes, int(number))
    return {k: pixels for k, pixels in found.items() if pixels}
