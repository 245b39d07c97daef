"""An image enlarged and seen in overlapping windows, so that a network of one size finds small things in it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from kseg.errors import UsageError
from kseg.images import resize_image, resize_scores

__all__ = ["MAX_ZOOM", "check_zoom", "zoomed_scores"]

Pixels = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]

MAX_ZOOM: Final = 4.0
"""Scores of 20 classes at four times 512×512 take 0.3 GB, and the network is asked 50 times."""


def check_zoom(zoom: float) -> None:
    """See that an enlargement is one.

    Raises:
        UsageError: It is not in 1..`MAX_ZOOM`.
    """
    if not 1.0 <= zoom <= MAX_ZOOM:
        raise UsageError("not an enlargement", where="--zoom", expected=f"a number in 1..{MAX_ZOOM:g}", found=str(zoom))


def zoomed_scores(ask: Callable[[Pixels], Scores], image: Pixels, size: tuple[int, int], zoom: float) -> Scores:
    """The mean of what a network says of the whole image and of windows of the enlarged one.

    Neighbouring windows share at least half of their length, and each counts most in its middle, where it sees most of
    what is around (as in nnU-Net, Isensee et al. 2021, https://doi.org/10.1038/s41592-020-01008-z). The whole image
    has a say, since a window alone does not know what it is a part of.

    Args:
        ask: RGB uint8 ``[h, w, 3]`` of ``size`` → float32 ``[h, w, C]`` in 0..1.
        image: RGB uint8 ``[H, W, 3]`` of any size.
        size: ``(h, w)``.
        zoom: How many times ``size`` the image is to have in each direction, above 1.

    Returns:
        float32 ``[round(h * zoom), round(w * zoom), C]`` in 0..1.
    """
    height, width = size
    large = resize_image(image, (round(height * zoom), round(width * zoom)))
    weight = (_tent(height)[:, None] * _tent(width))[..., None]
    whole = ask(resize_image(image, size))
    total, weights = (np.zeros((*large.shape[:2], count), np.float32) for count in (whole.shape[2], 1))
    for top, left in product(_starts(large.shape[0], height), _starts(large.shape[1], width)):
        here = np.s_[top : top + height, left : left + width]
        total[here] += ask(large[here]) * weight
        weights[here] += weight
    enlarged = resize_scores(whole, (large.shape[0], large.shape[1]))
    mean: Scores = (total / weights + enlarged) / np.float32(2)
    return mean


def _tent(length: int) -> npt.NDArray[np.float32]:
    """1 in the middle, falling to nearly 0 at both ends."""
    places = np.arange(length, dtype=np.float32) + np.float32(0.5)
    tent: npt.NDArray[np.float32] = np.minimum(places, length - places) * np.float32(2 / length)
    return tent


def _starts(length: int, window: int) -> list[int]:
    """Where windows begin that are spread evenly from end to end, at most half a window apart."""
    gaps = -(-(length - window) * 2 // window)
    return [round(i * (length - window) / max(gaps, 1)) for i in range(gaps + 1)]
