"""Weights against class imbalance: of the classes in the loss, and of the images in sampling.

Both are computed from the number of pixels of each class in each image, int64 ``[N, K]``, without ignored pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["METHODS", "Method", "class_weights", "sample_weights"]

Counts = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]
Method = Literal["inverse", "median", "effective"]

BETA: Final = 0.999
"""β of the effective number of samples: 10 images count as 10, 1000 as 632, and any number as less than 1000."""


def class_weights(method: Method, image_pixels: Counts) -> Weights:
    """Compute the class weights for the loss.

    ::

        inverse     N / (K n_c)            n_c pixels of class c among N
        median      median(f) / f_c        f_c = pixels of c / pixels of the images that have c
        effective   (1 - β) / (1 - β^m_c)  m_c images that have c, β = 0.999

    *inverse* gives all classes the same total weight. *median* is median frequency balancing (Eigen & Fergus 2015,
    https://arxiv.org/abs/1411.4734): it does not raise a class that is in few images, but large in these. *effective*
    is the effective number of samples (Cui et al. 2019, https://arxiv.org/abs/1901.05555), the mildest. It counts
    images instead of pixels: β^n is 0 for the number of pixels in any image, and the pixels of an object overlap in
    the sense of the paper.

    Args:
        method: One of the above.
        image_pixels: Number of pixels of each class in each training image, int64 ``[N, K]``.

    Returns:
        float64 ``[K]`` with a mean of 1 over the classes that occur; 0 for the others.
    """
    occurs = image_pixels.sum(axis=0) > 0
    weights = np.zeros(image_pixels.shape[1])
    if occurs.any():
        weights[occurs] = METHODS[method](image_pixels[:, occurs])
        weights[occurs] /= weights[occurs].mean()
    return weights


def _inverse(pixels: Counts) -> Weights:
    total: Weights = pixels.sum(axis=0).astype(np.float64)
    weights: Weights = total.sum() / (len(total) * total)
    return weights


def _median(pixels: Counts) -> Weights:
    pixels_of_images = ((pixels > 0) * pixels.sum(axis=1, keepdims=True)).sum(axis=0)
    frequency: Weights = pixels.sum(axis=0) / pixels_of_images
    weights: Weights = np.median(frequency) / frequency
    return weights


def _effective(pixels: Counts) -> Weights:
    images = (pixels > 0).sum(axis=0)
    weights: Weights = (1 - BETA) / (1 - BETA**images)
    return weights


METHODS: Final[dict[Method, Callable[[Counts], Weights]]] = {
    "inverse": _inverse,
    "median": _median,
    "effective": _effective,
}


def sample_weights(image_pixels: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Weights:
    """Compute sampling weights of the images, so that rare classes are seen more often.

    An image's weight is the maximum over its classes of 1 / (number of images with the class). With the mean instead,
    the common classes that most images also contain would hide a rare one. (The repeat factors of LVIS, Gupta et al.
    2019, https://arxiv.org/abs/1908.03195, use the maximum for the same reason.)

    Args:
        image_pixels: Number of pixels of each class in each image, or whether the image has the class, ``[N, K]``.

    Returns:
        float64 ``[N]`` with a mean of 1; 0 for images in which all pixels are ignored.
    """
    contains = image_pixels > 0
    images = contains.sum(axis=0)
    weights: Weights = np.where(contains, 1 / np.maximum(images, 1), 0.0).max(axis=1, initial=0.0)
    if not weights.any():
        return np.ones(len(weights))
    weights /= weights.mean()
    return weights
