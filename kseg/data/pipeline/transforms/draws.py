"""The random numbers of a sample: a function of the seed and of the sample's number alone, whatever runs beside it."""

from __future__ import annotations

from typing import Final

import tensorflow as tf

from kseg.augment import TRANSFORMS

__all__ = ["EACH", "MOSAIC", "NOISE", "ORDER", "PICKS", "Draws", "stateless_key"]

EACH: Final = 8
"""Random numbers for each transform; the first decides whether it is done."""

# One generator, told apart by purpose, so that orders and variations share no random numbers.
VARY, ORDER, PICKS, MOSAIC, NOISE, _PURPOSES = range(6)
_ROWS: Final = tuple(TRANSFORMS)


def stateless_key(seed: int, purpose: int, number: tf.Tensor | int) -> tf.Tensor:
    """The seed of TensorFlow's stateless operations: int64 ``[2]``."""
    return tf.stack([tf.constant(seed * _PURPOSES + purpose, tf.int64), tf.cast(number, tf.int64)])


class Draws:
    """Uniform numbers in 0..1, a row a transform.

    A row belongs to a transform's name, not to its place in the list, so that adding one, leaving one out or changing
    one leaves the others' chances as they were.

    Args:
        seed: The training's.
        number: Which sample of the training this is, int64 scalar, counted from its beginning.
        repeats: How often one transform may stand in the list.
    """

    def __init__(self, seed: int, number: tf.Tensor | int, repeats: int = 1) -> None:
        self.seed = seed
        self.number = number
        # One operation for all: its numbers come one after another, so a longer list begins as a shorter one does.
        shape = (repeats, len(_ROWS), EACH)
        self._all = tf.random.stateless_uniform(shape, stateless_key(seed, VARY, number), alg="philox")

    def row(self, name: str, repeat: int = 0) -> tf.Tensor:
        """float32 ``[EACH]`` for the transform of this name, where it stands in the list for the ``repeat``-th time."""
        return self._all[repeat, _ROWS.index(name)]
