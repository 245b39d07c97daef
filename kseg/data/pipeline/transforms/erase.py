"""Cut-out (DeVries & Taylor 2017, arXiv:1708.04552): rectangles without content."""

from __future__ import annotations

import tensorflow as tf

from kseg.augment.settings import Cutout
from kseg.data.pipeline.transforms.draws import NOISE, Draws, stateless_key
from kseg.data.pipeline.transforms.packed import VOID

__all__ = ["cutout_step"]


def cutout_step(transform: Cutout, draws: tf.Tensor, packed: tf.Tensor, source: Draws) -> tf.Tensor:
    """Black rectangles; unlike in the paper the truth is ignored there, since nobody can see it."""
    height, width = int(packed.shape[0]), int(packed.shape[1])

    def cut() -> tf.Tensor:
        key = stateless_key(source.seed, NOISE, source.number) - 1 - tf.cast(draws[2] * 2.0**20, tf.int64)
        places = tf.random.stateless_uniform((transform.count, 4), key, alg="philox")
        least, most = transform.size
        sides = least + (most - least) * places[:, :2]
        rows = _inside(places[:, 2], sides[:, 0], height)
        columns = _inside(places[:, 3], sides[:, 1], width)
        holes = tf.reduce_any(rows[:, :, tf.newaxis] & columns[:, tf.newaxis, :], axis=0)
        return tf.where(holes[..., tf.newaxis], tf.constant(VOID, tf.uint8), packed)

    return tf.cond(draws[0] < transform.probability, cut, lambda: packed)


def _inside(place: tf.Tensor, side: tf.Tensor, length: int) -> tf.Tensor:
    """Which of ``length`` lines each hole covers: bool ``[count, length]``; each at least one, none beyond the end."""
    lines = tf.range(length, dtype=tf.float32)
    pixels = tf.maximum(tf.round(side * length), 1.0)
    first = tf.round(place * (length - pixels))
    return (lines >= first[:, tf.newaxis]) & (lines < (first + pixels)[:, tf.newaxis])
