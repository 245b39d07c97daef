"""The bytes of a file inside a TensorFlow graph, and the chunks of a PNG.

A PNG consists of 8 bytes, then chunks: length (4 bytes), name (4), content, checksum (4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["FileBytes", "png_chunk"]

_FIRST_CHUNK: Final = 8
_LAST_CHUNK: Final = b"IEND"


class FileBytes:
    """The bytes of a file as numbers; beyond its end are zeros."""

    def __init__(self, data: tf.Tensor) -> None:
        import tensorflow as tf

        # A byte more than the file has, so that an empty file has one to look at.
        self.values = tf.io.decode_raw(tf.strings.join([data, tf.constant(b"\0")]), tf.uint8)
        self.size = tf.size(self.values) - 1

    def number(self, at: Any, size: int, *, little: Any = False) -> tf.Tensor:
        """The unsigned number of ``size`` bytes at a place, or at each of several places; at most 2³¹ - 1."""
        import tensorflow as tf

        places = tf.expand_dims(at, -1) + tf.range(size)
        inside = (places >= 0) & (places < self.size)
        digits = tf.where(inside, tf.cast(tf.gather(self.values, tf.where(inside, places, 0)), tf.int32), 0)
        digits = tf.where(little, tf.reverse(digits, [-1]), digits)
        powers = [256**power for power in reversed(range(size))]
        number = tf.reduce_sum(tf.cast(digits, tf.int64) * tf.constant(powers, tf.int64), axis=-1)
        return tf.cast(tf.minimum(number, tf.int32.max), tf.int32)

    def equal(self, at: Any, text: bytes) -> tf.Tensor:
        """Whether a text stands at a place."""
        import tensorflow as tf

        digits = self.number(at + tf.range(len(text)), 1)
        return tf.reduce_all(digits == tf.constant(list(text)))


def png_chunk(content: FileBytes, name: bytes, *, before: bytes = _LAST_CHUNK) -> tf.Tensor:
    """The place of the content of a chunk of a PNG; -1 if there is none before the chunk of another name."""
    import tensorflow as tf

    def more(at: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
        return (start < 0) & (at + 12 <= content.size) & ~content.equal(at + 4, before)

    def step(at: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        length = tf.minimum(content.number(at, 4), content.size)
        return at + 12 + length, tf.where(content.equal(at + 4, name), at + 8, start)

    return tf.while_loop(more, step, (tf.constant(_FIRST_CHUNK), tf.constant(-1)))[1]
