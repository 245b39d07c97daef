"""Remove regions that are smaller than a minimum area."""

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
"""The most digits of a number: ``int`` raises an error of its own for thousands of them."""


def drop_small_regions(ids: Ids, min_area: Mapping[int, int]) -> Ids:
    """Replace regions that are too small by the classes around them.

    A region is a connected component (8-neighbourhood) of one class. Each pixel of a removed region gets the class of
    the nearest pixel of a region that stays, so the result does not depend on the order of removal. If no region would
    stay, none is removed.

    Args:
        ids: Class ids uint8 ``[H, W]``.
        min_area: Class id → the smallest area of its regions, in pixels; classes without an entry keep all regions.

    Returns:
        Class ids uint8 ``[H, W]``; ``ids`` itself if no region is too small.
    """
    if not min_area:
        return ids
    small = np.zeros(ids.shape, bool)
    for k, least in min_area.items():
        count, components, stats, _ = cv2.connectedComponentsWithStats((ids == k).view(np.uint8), connectivity=8)
        too_small = stats[:count, cv2.CC_STAT_AREA] < least
        too_small[0] = False  # component 0 is all pixels of other classes
        if too_small.any():
            small |= too_small[components]
    if not small.any() or small.all():
        return ids
    return _fill_from_nearest(ids, small)


def _fill_from_nearest(ids: Ids, holes: npt.NDArray[np.bool_]) -> Ids:
    """``ids``, whose pixels in ``holes`` get the class of the nearest pixel outside."""
    # OpenCV numbers the pixels outside, and gives each pixel in a hole the number of the nearest of them.
    _, nearest = cv2.distanceTransformWithLabels(
        holes.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    id_of_number = np.zeros(int(nearest.max()) + 1, np.uint8)
    id_of_number[nearest[~holes]] = ids[~holes]
    filled: Ids = np.where(holes, id_of_number[nearest], ids)
    return filled


def parse_min_area(texts: Sequence[str], labels: LabelMap) -> dict[int, int]:
    """Parse the values of ``--min-area``; a later one of the same class replaces an earlier one.

    Args:
        texts: ``50`` sets every foreground class, ``car=50`` the class ``car``; 0 keeps all regions.
        labels: The classes.

    Returns:
        Class id → the smallest area of its regions, in pixels.

    Raises:
        UsageError: A text has no number of pixels.
        UnknownNameError: A text names an unknown class.
    """
    class_ids = {name: k for k, name in enumerate(labels.names)}
    areas: dict[int, int] = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        if not number.isdecimal() or len(number) > _DIGITS:
            raise UsageError("not an area", where=_WHERE, expected=_EXPECTED, found=repr(text))
        classes = (lookup(class_ids, name, kind="class", where=_WHERE),) if equals else labels.foreground
        areas |= dict.fromkeys(classes, int(number))
    return {k: pixels for k, pixels in areas.items() if pixels}
