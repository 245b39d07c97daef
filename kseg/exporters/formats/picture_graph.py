"""Pictures inside a TensorFlow graph: decode and resize them as `kseg.images` does, with TensorFlow's operations.

JPEG and PNG only. What `read_image` refuses is refused with the same words: more than 8 bits a channel, and transparent
pixels. An orientation that only XMP states is ignored, where Pillow reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kseg.exporters.formats.exif_graph import upright
from kseg.exporters.formats.file_graph import FileBytes, png_chunk
from kseg.sizes import Size

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["decode_picture", "resize_picture", "resize_planes"]

_JPEG: Final = b"\xff\xd8\xff"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_DEPTH: Final = 24
"""The place of a PNG's bits per channel."""
_KIND: Final = 25
"""The place of a PNG's kind of pixels."""
_WITH_ALPHA: Final = (4, 6)
"""Kinds of pixels: grey with alpha, RGB with alpha. Of the others, a chunk may say which value is transparent."""

NEITHER: Final = "the picture is neither JPEG nor PNG; convert it"
DEEP: Final = "the image has more than 8 bits a channel; convert it to 8 bits, choosing the range"
TRANSPARENT: Final = "the image has transparent pixels; flatten it onto the background that the model should see"


def decode_picture(data: tf.Tensor) -> tf.Tensor:
    """The bytes of a JPEG or PNG file, a string → RGB uint8 ``[H, W, 3]``, turned as its EXIF block says."""
    import tensorflow as tf

    content = FileBytes(data)
    is_jpeg = content.equal(0, _JPEG)
    pixels = tf.cond(is_jpeg, lambda: _decode_jpeg(data), lambda: _decode_png(data, content))
    return upright(pixels, content, is_jpeg=is_jpeg)


def _decode_jpeg(data: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    # As Pillow decodes.
    return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")


def _decode_png(data: tf.Tensor, content: FileBytes) -> tf.Tensor:
    import tensorflow as tf

    with tf.control_dependencies([tf.debugging.Assert(content.equal(0, _PNG), [NEITHER])]):
        depth = content.number(_DEPTH, 1)
    with tf.control_dependencies([tf.debugging.Assert(depth <= 8, [DEEP])]):
        has_alpha = tf.reduce_any(content.number(_KIND, 1) == tf.constant(_WITH_ALPHA))
        has_alpha |= png_chunk(content, b"tRNS", before=b"IDAT") >= 0
    return tf.cond(has_alpha, lambda: _decode_opaque(data), lambda: tf.io.decode_png(data, channels=3))


def _decode_opaque(data: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    pixels = tf.io.decode_png(data, channels=4)
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(pixels[..., 3] == 255), [TRANSPARENT])]):
        return pixels[..., :3]


def resize_picture(pixels: tf.Tensor, size: Size) -> tf.Tensor:
    """As `kseg.images.resize_image`: uint8 ``[H, W, 3]`` → uint8 ``[h, w, 3]``."""
    import tensorflow as tf

    own = tf.shape(pixels)[:2]
    smaller = tf.minimum(own, size)
    shrunk = tf.cond(tf.reduce_all(smaller == own), lambda: pixels, lambda: _average_areas(pixels, own, smaller))
    # Exact where the size is right already.
    grown = tf.image.resize(shrunk, size, "bilinear")
    return tf.cast(tf.round(grown), tf.uint8)


def _average_areas(pixels: tf.Tensor, own: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    means = tf.raw_ops.ResizeArea(images=pixels[tf.newaxis], size=size)[0]
    # OpenCV rounds halves up where four pixels become one, else to the even neighbour.
    is_half = tf.reduce_all(own == 2 * size)
    return tf.cast(tf.cond(is_half, lambda: tf.floor(means + 0.5), lambda: tf.round(means)), tf.uint8)


def resize_planes(planes: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """As `kseg.images.resize_scores`, for a batch: float32 ``[B, h, w, C]`` → ``[B, H, W, C]``, size: int32 ``[2]``."""
    import tensorflow as tf

    return tf.image.resize(planes, size, "bilinear")
