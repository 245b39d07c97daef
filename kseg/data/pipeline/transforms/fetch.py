"""`Fetch`: how the augmentation gets a sample, or a crop of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

__all__ = ["Fetch"]


@dataclass(frozen=True)
class Fetch:
    """Functions that get a packed sample, for use in TensorFlow's graph.

    Args:
        full: Index (int64 scalar) → the sample, uint8 ``[H, W, 4]``.
        crop: Index, and a function from the mask's class ids uint8 ``[h, w]`` to a window (top, left, height, width as
            fractions, float32 ``[4]``) → that part of the sample at full resolution, resized to uint8 ``[H, W, 4]``.
            None if the original image is not available.
    """

    full: Callable[[tf.Tensor], tf.Tensor]
    crop: Callable[[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]], tf.Tensor] | None = None
