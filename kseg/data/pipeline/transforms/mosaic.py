"""Mosaic (Bochkovskiy et al. 2020, arXiv:2004.10934): parts of four samples in one."""

from __future__ import annotations

import tensorflow as tf

__all__ = ["join_four"]


def join_four(four: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Cut a window out of two by two samples, so that their common corner lies anywhere in its middle half.

    Nothing is resampled: objects keep their size, and ``scale`` after it changes that.

    Args:
        four: Packed samples uint8 ``[4, H, W, 4]``.
        draws: Two uniform numbers.

    Returns:
        uint8 ``[H, W, 4]``.
    """
    _, height, width, channels = four.shape
    sheet = tf.concat([tf.concat([four[0], four[1]], axis=1), tf.concat([four[2], four[3]], axis=1)], axis=0)
    top = tf.cast(height * (0.25 + 0.5 * draws[0]), tf.int32)
    left = tf.cast(width * (0.25 + 0.5 * draws[1]), tf.int32)
    return tf.ensure_shape(tf.slice(sheet, [top, left, 0], [height, width, channels]), (height, width, channels))
