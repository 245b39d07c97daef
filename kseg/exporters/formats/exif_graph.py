"""The EXIF orientation of a JPEG or PNG file, read inside a TensorFlow graph.

::

    JPEG    FF D8, then segments: FF, marker, length (2 bytes, itself included), content; EXIF: marker E1, "Exif\\0\\0"
    PNG     the chunk "eXIf", which may be the last
    EXIF    "II" (little-endian) or "MM", 42, place of the table; the table: count, then 12 bytes an entry:
            tag (2), type (2), count (4), value (4)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kseg.exporters.formats.file_graph import FileBytes, png_chunk

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["orientation", "upright"]

_ORIENTATION_TAG: Final = 0x0112
_SHORT: Final = 3
_START_OF_SCAN: Final = 0xDA
_APP1: Final = 0xE1
_MAX_ENTRIES: Final = 512


def upright(pixels: tf.Tensor, content: FileBytes, *, is_jpeg: tf.Tensor) -> tf.Tensor:
    """Turn decoded pixels ``[H, W, 3]`` as the EXIF block of their file says."""
    import tensorflow as tf

    turn = orientation(content, is_jpeg=is_jpeg)

    def one_of(*numbers: int) -> tf.Tensor:
        return tf.reduce_any(turn == tf.constant(numbers))

    pixels = tf.cond(turn >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    pixels = tf.cond(one_of(3, 4, 7, 8), lambda: tf.reverse(pixels, [0]), lambda: pixels)
    return tf.cond(one_of(2, 3, 6, 7), lambda: tf.reverse(pixels, [1]), lambda: pixels)


def orientation(content: FileBytes, *, is_jpeg: tf.Tensor) -> tf.Tensor:
    """The EXIF orientation, 1 (upright) to 8, of a file; 1 where it is missing or damaged."""
    import tensorflow as tf

    start = tf.cond(is_jpeg, lambda: _exif_of_jpeg(content), lambda: png_chunk(content, b"eXIf"))
    return tf.cond(start < 0, lambda: 1, lambda: _orientation_at(content, start))


def _exif_of_jpeg(content: FileBytes) -> tf.Tensor:
    """The place of the TIFF header in the EXIF block; -1 if there is none."""
    import tensorflow as tf

    def more(at: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
        is_marker = (content.number(at, 1) == 0xFF) & (content.number(at + 1, 1) != _START_OF_SCAN)
        return (start < 0) & (at + 4 <= content.size) & is_marker

    def step(at: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        marker = content.number(at + 1, 1)
        is_exif = (marker == _APP1) & content.equal(at + 4, b"Exif\0\0")
        length = tf.where(marker == 0xFF, 1, 2 + content.number(at + 2, 2))  # FF may be repeated before a marker
        return at + length, tf.where(is_exif, at + 10, start)

    return tf.while_loop(more, step, (tf.constant(2), tf.constant(-1)))[1]


def _orientation_at(content: FileBytes, start: tf.Tensor) -> tf.Tensor:
    """The orientation in the first table of a TIFF header; 1 if there is none."""
    import tensorflow as tf

    little = content.equal(start, b"II")
    table = start + tf.minimum(content.number(start + 4, 4, little=little), content.size)
    count = tf.minimum(content.number(table, 2, little=little), _MAX_ENTRIES)
    entries = table + 2 + 12 * tf.range(count)
    tags, types = (content.number(entries + offset, 2, little=little) for offset in (0, 2))
    values = tf.where(
        types == _SHORT, content.number(entries + 8, 2, little=little), content.number(entries + 8, 4, little=little)
    )
    # Beside a 1, which stands for a file without orientation.
    candidates = tf.concat([tf.boolean_mask(values, tags == _ORIENTATION_TAG), [1]], axis=0)
    return tf.where((candidates[0] >= 1) & (candidates[0] <= 8), candidates[0], 1)
