"""Sliding-window prediction of an enlarged image, so that a network of a fixed size finds small objects."""

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
"""At zoom 4, scores of 20 classes of a 512×512 network take 0.3 GB, and the network runs 50 times."""


def check_zoom(zoom: float) -> None:
    """Check that a zoom factor is in 1..`MAX_ZOOM`. Raises UsageError."""
    if not 1.0 <= zoom <= MAX_ZOOM:
        raise UsageError("not a zoom factor", where="--zoom", expected=f"a number in 1..{MAX_ZOOM:g}", found=str(zoom))


def zoomed_scores(predict: Callable[[Pixels], Scores], image: Pixels, size: tuple[int, int], zoom: float) -> Scores:
    """The mean of the scores of the whole image and of windows of the enlarged image.

    The image is enlarged to ``zoom`` times the network's size. Neighbouring windows overlap by at least half their
    length and are weighted most in their centre, where they have most context (as in nnU-Net, Isensee et al. 2021,
    https://doi.org/10.1038/s41592-020-01008-z). The scores of the whole image add the context that windows lack.

    Args:
        predict: RGB uint8 ``[h, w, 3]`` of ``size`` → float32 scores ``[h, w, C]`` in 0..1.
        image: RGB uint8 ``[H, W, 3]`` of any size.
        size: The network's height and width, ``(h, w)``.
        zoom: The zoom factor, above 1.

    Returns:
        float32 ``[round(h * zoom), round(w * zoom), C]`` in 0..1.
    """
    height, width = size
    large = resize_image(image, (round(height * zoom), round(width * zoom)))
    weight = (_tent(height)[:, None] * _tent(width))[..., None]
    coarse = predict(resize_image(image, size))
    total, weights = (np.zeros((*large.shape[:2], count), np.float32) for count in (coarse.shape[2], 1))
    for top, left in product(_starts(large.shape[0], height), _starts(large.shape[1], width)):
        window = np.s_[top : top + height, left : left + width]
        total[window] += predict(large[window]) * weight
        weights[window] += weight
    mean: Scores = (total / weights + resize_scores(coarse, (large.shape[0], large.shape[1]))) / np.float32(2)
    return mean


def _tent(length: int) -> npt.NDArray[np.float32]:
    """Weights ``[length]`` of a window's pixels: 1 in the middle, falling linearly to nearly 0 at both ends."""
    centres = np.arange(length, dtype=np.float32) + np.float32(0.5)
    tent: npt.NDArray[np.float32] = np.minimum(centres, length - centres) * np.float32(2 / length)
    return tent


def _starts(length: int, window: int) -> list[int]:
    """The first pixels of windows that are spread evenly over ``length``, at most half a window apart."""
    gaps = -(-(length - window) * 2 // window)
    return [round(i * (length - window) / max(gaps, 1)) for i in range(gaps + 1)]
