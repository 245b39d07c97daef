"""Mosaic (Bochkovskiy et al. 2020, https://arxiv.org/abs/2004.10934): parts of four samples in one."""

from __future__ import annotations

import tensorflow as tf

__all__ = ["join_four"]


def join_four(samples: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Crop a window out of a 2 × 2 arrangement of samples, so that their common corner is in its central half.

    Nothing is resampled, so objects keep their size; use ``scale`` after it to change that.

    Args:
        samples: Packed samples uint8 ``[4, H, W, 4]``.
        draws: Two uniform numbers.

    Returns:
        uint8 ``[H, W, 4]``.
    """
    _, height, width, channels = samples.shape
    arrangement = tf.concat(
        [tf.concat([samples[0], samples[1]], axis=1), tf.concat([samples[2], samples[3]], axis=1)], axis=0
    )
    top = tf.cast(height * (0.25 + 0.5 * draws[0]), tf.int32)
    left = tf.cast(width * (0.25 + 0.5 * draws[1]), tf.int32)
    return tf.ensure_shape(tf.slice(arrangement, [top, left, 0], [height, width, channels]), (height, width, channels))
