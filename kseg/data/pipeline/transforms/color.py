"""Colour transforms. Consecutive linear ones are combined into one affine map; the packed class id is unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import log, pi
from typing import Final

import numpy as np
import tensorflow as tf

from kseg.augment.settings import Brightness, Contrast, Gamma, Hue, Saturation, Transform
from kseg.data.pipeline.transforms.graph import compiled
from kseg.data.pipeline.transforms.packed import bits_of, join, shift_right

__all__ = ["gamma_step", "linear_step"]

_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
# RGB → YIQ (NTSC; luma of ITU-R BT.601): luma and two axes of chroma, in whose plane hue is an angle.
_YIQ: Final = np.array([_LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float64)
_RGB: Final = np.linalg.inv(_YIQ)

Linear = tuple[tf.Tensor, tf.Tensor]
"""A matrix ``[3, 3]`` and an offset ``[3]``."""


def linear_step(group: Sequence[tuple[Transform, tf.Tensor]], packed: tf.Tensor) -> tf.Tensor:
    """Apply consecutive linear transforms as one; the result is rounded and clipped to 0..255 once.

    Args:
        group: The transforms with their random numbers.
        packed: uint8 ``[H, W, 4]``.
    """

    transforms = tuple(transform for transform, _ in group)
    rows = tf.stack([draws for _, draws in group])
    any_applied = tf.reduce_any(rows[:, 0] < tf.constant([transform.probability for transform in transforms]))
    return tf.cond(any_applied, lambda: _recolor(transforms)(packed, rows), lambda: packed)


@lru_cache(maxsize=32)
def _recolor(transforms: tuple[Transform, ...]) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Linear transforms as one function of a packed sample and their random numbers ``[n, EACH]``."""

    @compiled
    def recolor(packed: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        pixels = tf.bitcast(packed, tf.int32)
        colors = [tf.cast(bits_of(shift_right(pixels, 8 * i), 255), tf.float32) for i in range(3)]
        needed = any(isinstance(transform, Contrast) for transform in transforms)
        mean = tf.stack([tf.reduce_mean(color) for color in colors]) if needed else tf.zeros(3)
        matrix, offset = _compose([(transform, rows[i]) for i, transform in enumerate(transforms)], mean)
        mixed = [tf.reduce_sum([matrix[i, k] * colors[k] for k in range(3)], 0) + offset[i] for i in range(3)]
        levels = [tf.cast(tf.clip_by_value(channel + 0.5, 0.0, 255.0), tf.int32) for channel in mixed]
        return join(levels, shift_right(pixels, 24))

    return recolor


def _bytes(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.clip_by_value(values + 0.5, 0.0, 255.0), tf.uint8)


def _compose(group: Sequence[tuple[Transform, tf.Tensor]], mean: tf.Tensor) -> Linear:
    """The composition of the transforms that are applied.

    ``mean`` is that of the image. Contrast needs it after the transforms before, which is their map applied to it.
    """
    matrix, offset = tf.eye(3), tf.zeros(3)
    for transform, draws in group:
        current_mean = tf.linalg.matvec(matrix, mean) + offset
        step_matrix, step_offset = _linear(transform, draws, current_mean)
        is_applied = draws[0] < transform.probability
        matrix, offset = (
            tf.where(is_applied, tf.matmul(step_matrix, matrix), matrix),
            tf.where(is_applied, tf.linalg.matvec(step_matrix, offset) + step_offset, offset),
        )
    return matrix, offset


def _linear(transform: Transform, draws: tf.Tensor, mean: tf.Tensor) -> Linear:
    signed_draw = 2.0 * draws[1] - 1.0
    if isinstance(transform, Brightness):
        return tf.eye(3), tf.fill([3], 255.0 * transform.by * signed_draw)
    if isinstance(transform, Contrast):
        factor = 1.0 + transform.by * signed_draw
        gray = tf.reduce_sum(mean * _LUMA)
        return factor * tf.eye(3), tf.fill([3], gray * (1.0 - factor))
    if isinstance(transform, Saturation):
        factor = 1.0 + transform.by * signed_draw
        return factor * tf.eye(3) + (1.0 - factor) * tf.constant(np.tile(_LUMA, (3, 1))), tf.zeros(3)
    assert isinstance(transform, Hue)
    return _hue(transform.degrees * pi / 180 * signed_draw), tf.zeros(3)


def _hue(angle: tf.Tensor) -> tf.Tensor:
    """The rotation of the chroma plane of YIQ, as a matrix on RGB ``[3, 3]``; greys and luma are fixed."""
    cosine, sine = tf.cos(angle), tf.sin(angle)
    to_yiq, to_rgb = (tf.constant(matrix, tf.float32) for matrix in (_YIQ, _RGB))
    rotation = tf.reshape(tf.stack([1.0, 0.0, 0.0, 0.0, cosine, -sine, 0.0, sine, cosine]), (3, 3))
    return tf.matmul(to_rgb, tf.matmul(rotation, to_yiq))


def gamma_step(transform: Gamma, draws: tf.Tensor, packed: tf.Tensor) -> tf.Tensor:
    """Apply a gamma curve by a table of 256 levels; a second, identical table keeps the class ids."""
    low, high = transform.by

    def bend() -> tf.Tensor:
        exponent = low * tf.exp(draws[1] * log(high / low))
        levels = tf.range(256, dtype=tf.float32)
        table = tf.concat([_bytes(255.0 * (levels / 255.0) ** exponent), tf.cast(levels, tf.uint8)], axis=0)
        return tf.gather(table, tf.cast(packed, tf.int32) + tf.constant([0, 0, 0, 256]))

    return tf.cond(draws[0] < transform.probability, bend, lambda: packed)
