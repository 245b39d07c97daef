"""Cutout (DeVries & Taylor 2017, https://arxiv.org/abs/1708.04552): erase rectangles."""

from __future__ import annotations

import tensorflow as tf

from kseg.augment.settings import Cutout
from kseg.data.pipeline.transforms.draws import NOISE, Draws, stateless_key
from kseg.data.pipeline.transforms.packed import VOID

__all__ = ["cutout_step"]


def cutout_step(transform: Cutout, draws: tf.Tensor, packed: tf.Tensor, source: Draws) -> tf.Tensor:
    """Fill random rectangles with black; unlike in the paper, the mask is ignored there, as it cannot be predicted."""
    height, width = int(packed.shape[0]), int(packed.shape[1])

    def cut() -> tf.Tensor:
        key = stateless_key(source.seed, NOISE, source.number) - 1 - tf.cast(draws[2] * 2.0**20, tf.int64)
        draws_of_holes = tf.random.stateless_uniform((transform.count, 4), key, alg="philox")
        smallest, largest = transform.size
        sides = smallest + (largest - smallest) * draws_of_holes[:, :2]
        rows = _inside(draws_of_holes[:, 2], sides[:, 0], height)
        columns = _inside(draws_of_holes[:, 3], sides[:, 1], width)
        holes = tf.reduce_any(rows[:, :, tf.newaxis] & columns[:, tf.newaxis, :], axis=0)
        return tf.where(holes[..., tf.newaxis], tf.constant(VOID, tf.uint8), packed)

    return tf.cond(draws[0] < transform.probability, cut, lambda: packed)


def _inside(position: tf.Tensor, side: tf.Tensor, length: int) -> tf.Tensor:
    """Which rows (or columns) each rectangle covers: bool ``[count, length]``; at least one, all inside the image."""
    lines = tf.range(length, dtype=tf.float32)
    pixels = tf.maximum(tf.round(side * length), 1.0)
    first = tf.round(position * (length - pixels))
    return (lines >= first[:, tf.newaxis]) & (lines < (first + pixels)[:, tf.newaxis])
