"""The random numbers of a sample, which depend only on the seed and the sample's position in the training."""

from __future__ import annotations

from typing import Final

import tensorflow as tf

from kseg.augment import TRANSFORMS

__all__ = ["EACH", "MOSAIC", "NOISE", "ORDER", "PICKS", "Draws", "stateless_key"]

EACH: Final = 8
"""Random numbers per transform; the first decides whether it is applied."""

# One generator with a stream per purpose, so that the order and the augmentation share no random numbers.
VARY, ORDER, PICKS, MOSAIC, NOISE, _PURPOSES = range(6)
_ROWS: Final = tuple(TRANSFORMS)


def stateless_key(seed: int, purpose: int, number: tf.Tensor | int) -> tf.Tensor:
    """The seed argument of TensorFlow's stateless operations: int64 ``[2]``."""
    return tf.stack([tf.constant(seed * _PURPOSES + purpose, tf.int64), tf.cast(number, tf.int64)])


class Draws:
    """Uniform random numbers in 0..1, a row per transform.

    A row belongs to a transform's name, not to its position in the list, so that adding, removing or changing a
    transform does not change the random numbers of the others.

    Args:
        seed: The training's seed.
        number: Position of the sample in the training, from 0, int64 scalar.
        repeats: How often a transform may occur in the list.
    """

    def __init__(self, seed: int, number: tf.Tensor | int, repeats: int = 1) -> None:
        self.seed = seed
        self.number = number
        # One operation for all rows: its numbers are a sequence, so more repeats do not change the first ones.
        shape = (repeats, len(_ROWS), EACH)
        self._all = tf.random.stateless_uniform(shape, stateless_key(seed, VARY, number), alg="philox")

    def row(self, name: str, repeat: int = 0) -> tf.Tensor:
        """The numbers, float32 ``[EACH]``, of the ``repeat``-th occurrence (from 0) of a transform in the list."""
        return self._all[repeat, _ROWS.index(name)]
