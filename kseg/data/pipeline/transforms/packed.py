"""Packed samples: uint8 ``[..., H, W, 4]``, red, green, blue and the class id, so that picture and mask cannot part.

A pixel's four bytes are also one int32, lowest byte first, which is how its parts are had and put together fastest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import tensorflow as tf

from kseg.labels import IGNORE_INDEX

__all__ = ["VOID", "VOID_PIXEL", "ids_of", "join", "masked", "pack", "shifted", "unpack"]

VOID: Final = (0, 0, 0, IGNORE_INDEX)
"""A pixel where nothing is."""

VOID_PIXEL: Final = -(1 << 24)
"""The same as an int32; also the bits of the id."""


def pack(image: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """A picture uint8 ``[..., H, W, 3]`` and its class ids uint8 ``[..., H, W]`` as one uint8 ``[..., H, W, 4]``."""
    return tf.concat([image, mask[..., tf.newaxis]], axis=-1)


def unpack(packed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What `pack` took."""
    return packed[..., :3], ids_of(packed)


def ids_of(packed: tf.Tensor) -> tf.Tensor:
    """The class ids uint8 ``[..., H, W]``."""
    return tf.cast(tf.bitwise.right_shift(tf.bitcast(packed, tf.uint32), 24), tf.uint8)


def join(colors: Sequence[tf.Tensor], ids: tf.Tensor) -> tf.Tensor:
    """Red, green, blue and the class ids, each int32 ``[..., H, W]`` in 0..255, as packed samples."""
    red, green, blue = colors
    low = tf.bitwise.bitwise_or(red, tf.bitwise.left_shift(green, 8))
    high = tf.bitwise.bitwise_or(tf.bitwise.left_shift(blue, 16), tf.bitwise.left_shift(ids, 24))
    return tf.bitcast(tf.bitwise.bitwise_or(low, high), tf.uint8)


def shifted(pixels: tf.Tensor, bits: int) -> tf.Tensor:
    """Moved to the right."""
    return tf.bitwise.right_shift(pixels, bits)


def masked(pixels: tf.Tensor, bits: int) -> tf.Tensor:
    """These bits alone."""
    return tf.bitwise.bitwise_and(pixels, bits)
