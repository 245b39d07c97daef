"""Transforms of colour. A run of linear ones is one matrix; the packed class id passes through it unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import log, pi
from typing import Final

import numpy as np
import tensorflow as tf

from kseg.augment.settings import Brightness, Contrast, Gamma, Hue, Saturation, Transform
from kseg.data.pipeline.transforms.graph import compiled
from kseg.data.pipeline.transforms.packed import join, masked, shifted

__all__ = ["gamma_step", "linear_step"]

_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
# Grey and two axes of colour at right angles to each other (YIQ, ITU-R BT.601 luma).
_YIQ: Final = np.array([_LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float64)
_RGB: Final = np.linalg.inv(_YIQ)

Linear = tuple[tf.Tensor, tf.Tensor]
"""A matrix ``[3, 3]`` and an offset ``[3]``."""


def linear_step(group: Sequence[tuple[Transform, tf.Tensor]], packed: tf.Tensor) -> tf.Tensor:
    """Do a run of brightness, contrast, hue and saturation as one; rounded, and cut to 0..255, at its end.

    Args:
        group: The transforms with their random numbers.
        packed: uint8 ``[H, W, 4]``.
    """

    transforms = tuple(transform for transform, _ in group)
    rows = tf.stack([draws for _, draws in group])
    done = tf.reduce_any(rows[:, 0] < tf.constant([one.probability for one in transforms]))
    return tf.cond(done, lambda: _recolor(transforms)(packed, rows), lambda: packed)


@lru_cache(maxsize=32)
def _recolor(transforms: tuple[Transform, ...]) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A run of linear transforms as one function of a packed sample and their random numbers."""

    @compiled
    def recolor(packed: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        pixels = tf.bitcast(packed, tf.int32)
        colors = [tf.cast(masked(shifted(pixels, 8 * i), 255), tf.float32) for i in range(3)]
        needed = any(isinstance(one, Contrast) for one in transforms)
        mean = tf.stack([tf.reduce_mean(color) for color in colors]) if needed else tf.zeros(3)
        matrix, offset = _compose([(one, rows[i]) for i, one in enumerate(transforms)], mean)
        mixed = [tf.reduce_sum([matrix[i, k] * colors[k] for k in range(3)], 0) + offset[i] for i in range(3)]
        levels = [tf.cast(tf.clip_by_value(one + 0.5, 0.0, 255.0), tf.int32) for one in mixed]
        return join(levels, shifted(pixels, 24))

    return recolor


def _bytes(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.clip_by_value(values + 0.5, 0.0, 255.0), tf.uint8)


def _compose(group: Sequence[tuple[Transform, tf.Tensor]], mean: tf.Tensor) -> Linear:
    matrix, offset = tf.eye(3), tf.zeros(3)
    for transform, draws in group:
        now = tf.linalg.matvec(matrix, mean) + offset
        by, plus = _linear(transform, draws, now)
        on = draws[0] < transform.probability
        matrix, offset = (
            tf.where(on, tf.matmul(by, matrix), matrix),
            tf.where(on, tf.linalg.matvec(by, offset) + plus, offset),
        )
    return matrix, offset


def _linear(transform: Transform, draws: tf.Tensor, mean: tf.Tensor) -> Linear:
    swing = 2.0 * draws[1] - 1.0
    if isinstance(transform, Brightness):
        return tf.eye(3), tf.fill([3], 255.0 * transform.by * swing)
    if isinstance(transform, Contrast):
        factor = 1.0 + transform.by * swing
        gray = tf.reduce_sum(mean * _LUMA)
        return factor * tf.eye(3), tf.fill([3], gray * (1.0 - factor))
    if isinstance(transform, Saturation):
        factor = 1.0 + transform.by * swing
        return factor * tf.eye(3) + (1.0 - factor) * tf.constant(np.tile(_LUMA, (3, 1))), tf.zeros(3)
    assert isinstance(transform, Hue)
    return _hue(transform.degrees * pi / 180 * swing), tf.zeros(3)


def _hue(angle: tf.Tensor) -> tf.Tensor:
    """The turn of the plane of colours that leaves grey and luma as they are."""
    cosine, sine = tf.cos(angle), tf.sin(angle)
    to, back = (tf.constant(one, tf.float32) for one in (_YIQ, _RGB))
    turn = tf.reshape(tf.stack([1.0, 0.0, 0.0, 0.0, cosine, -sine, 0.0, sine, cosine]), (3, 3))
    return tf.matmul(back, tf.matmul(turn, to))


def gamma_step(transform: Gamma, draws: tf.Tensor, packed: tf.Tensor) -> tf.Tensor:
    """Look every colour up in a table of 256; ids in one that leaves them."""
    low, high = transform.by

    def bend() -> tf.Tensor:
        exponent = low * tf.exp(draws[1] * log(high / low))
        levels = tf.range(256, dtype=tf.float32)
        table = tf.concat([_bytes(255.0 * (levels / 255.0) ** exponent), tf.cast(levels, tf.uint8)], axis=0)
        return tf.gather(table, tf.cast(packed, tf.int32) + tf.constant([0, 0, 0, 256]))

    return tf.cond(draws[0] < transform.probability, bend, lambda: packed)
