"""Weights that make up for rare classes: of the classes in the loss, and of the images in the order of training.

All come from one table: how many pixels of each class each image has, int64 ``[N, K]``, ignored pixels left out.
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
"""Of the effective number: with it, ten images count as 10, a thousand as 632, and no number as more than 1000."""


def class_weights(method: Method, image_pixels: Counts) -> Weights:
    """A weight for each class, for `kseg.losses`.

    ::

        inverse     N / (K n_c)            n_c pixels of class c among N
        median      median(f) / f_c        f_c = pixels of c / pixels of the images that have c
        effective   (1 - β) / (1 - β^m_c)  m_c images that have c, β = 0.999

    *inverse* makes all classes count the same, however few pixels they have. *median* is median frequency balancing
    (Eigen & Fergus 2015, https://arxiv.org/abs/1411.4734): a class that is in few images, but large there, is not
    raised. *effective* is the effective number of samples (Cui et al. 2019, https://arxiv.org/abs/1901.05555), the
    mildest: it counts images, since β^n is 0 for any number of pixels that an image has, and since the pixels of one
    object are nearly one sample, which is the very overlap that the effective number is about.

    Args:
        method: One of the above.
        image_pixels: Pixels of each class in each training image, int64 ``[N, K]``.

    Returns:
        float64 ``[K]`` with a mean of 1 over the classes that occur; 0 for a class that does not.
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
    of_images = ((pixels > 0) * pixels.sum(axis=1, keepdims=True)).sum(axis=0)
    frequency: Weights = pixels.sum(axis=0) / of_images
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
    """How often to draw each image, so that rare classes are seen more often.

    An image's weight is the largest of 1 / (images that have the class) over its classes. Not their mean: the common
    classes around a rare one would all but hide it, since most images hold many of them. (The repeat factors of LVIS,
    Gupta et al. 2019, https://arxiv.org/abs/1908.03195, take the largest for the same reason.)

    Args:
        image_pixels: Pixels of each class in each image, or whether the image has it, ``[N, K]``.

    Returns:
        float64 ``[N]`` with a mean of 1; 0 for an image without any known pixel, from which nothing can be learnt.
    """
    has = image_pixels > 0
    images = has.sum(axis=0)
    weights: Weights = np.where(has, 1 / np.maximum(images, 1), 0.0).max(axis=1, initial=0.0)
    if not weights.any():
        return np.ones(len(weights))
    weights /= weights.mean()
    return weights
