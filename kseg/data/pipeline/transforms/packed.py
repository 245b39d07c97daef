"""Packed samples: uint8 ``[..., H, W, 4]``, red, green, blue and class id, so that image and mask stay aligned.

The four bytes of a pixel are also one int32 (little-endian), whose channels are extracted and combined by bit shifts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import tensorflow as tf

from kseg.labels import IGNORE_INDEX

__all__ = ["VOID", "VOID_PIXEL", "bits_of", "ids_of", "join", "pack", "shift_right", "unpack"]

VOID: Final = (0, 0, 0, IGNORE_INDEX)
"""A pixel outside the image: black and ignored."""

VOID_PIXEL: Final = -(1 << 24)
"""`VOID` as an int32; also the bit mask of the class id."""


def pack(image: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Pack images uint8 ``[..., H, W, 3]`` and class ids uint8 ``[..., H, W]`` into uint8 ``[..., H, W, 4]``."""
    return tf.concat([image, mask[..., tf.newaxis]], axis=-1)


def unpack(packed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The inverse of `pack`: images uint8 ``[..., H, W, 3]`` and class ids uint8 ``[..., H, W]``."""
    return packed[..., :3], ids_of(packed)


def ids_of(packed: tf.Tensor) -> tf.Tensor:
    """The class ids of packed samples: uint8 ``[..., H, W]``."""
    return tf.cast(tf.bitwise.right_shift(tf.bitcast(packed, tf.uint32), 24), tf.uint8)


def join(colors: Sequence[tf.Tensor], ids: tf.Tensor) -> tf.Tensor:
    """Pack red, green, blue and class ids, each int32 ``[..., H, W]`` in 0..255: uint8 ``[..., H, W, 4]``."""
    red, green, blue = colors
    low = tf.bitwise.bitwise_or(red, tf.bitwise.left_shift(green, 8))
    high = tf.bitwise.bitwise_or(tf.bitwise.left_shift(blue, 16), tf.bitwise.left_shift(ids, 24))
    return tf.bitcast(tf.bitwise.bitwise_or(low, high), tf.uint8)


def shift_right(pixels: tf.Tensor, bits: int) -> tf.Tensor:
    """``pixels >> bits``, elementwise."""
    return tf.bitwise.right_shift(pixels, bits)


def bits_of(pixels: tf.Tensor, bits: int) -> tf.Tensor:
    """``pixels & bits``, elementwise."""
    return tf.bitwise.bitwise_and(pixels, bits)
