"""Pictures inside a TensorFlow graph: decode and resize them as `kseg.images` does, with TensorFlow's operations.

JPEG and PNG only. What `read_image` refuses is refused with the same words: more than 8 bits a channel, and transparent
pixels. An orientation that only XMP states is ignored, where Pillow reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kseg.exporters.formats.exif_graph import upright
from kseg.sizes import Size

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["decode_picture", "resize_picture", "resize_planes"]

_JPEG: Final = b"\xff\xd8\xff"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_BIT_DEPTH: Final = 24
"""The place of a PNG's bits per channel, which its first chunk holds."""

NEITHER: Final = "the picture is neither JPEG nor PNG; convert it"
DEEP: Final = "the image has more than 8 bits a channel; convert it to 8 bits, choosing the range"
TRANSPARENT: Final = "the image has transparent pixels; flatten it onto the background that the model should see"


def decode_picture(data: tf.Tensor) -> tf.Tensor:
    """The bytes of a JPEG or PNG file, a string → RGB uint8 ``[H, W, 3]``, turned as its EXIF block says."""
    import tensorflow as tf

    is_jpeg = tf.equal(tf.strings.substr(data, 0, len(_JPEG)), tf.constant(_JPEG))
    pixels = tf.cond(is_jpeg, lambda: _decode_jpeg(data), lambda: _decode_png(data))
    return upright(pixels, data, is_jpeg=is_jpeg)


def _decode_jpeg(data: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    # Pillow's choice; TensorFlow's own default is a faster approximation.
    return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")


def _decode_png(data: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    is_png = tf.equal(tf.strings.substr(data, 0, len(_PNG)), tf.constant(_PNG))
    with tf.control_dependencies([tf.debugging.Assert(is_png, [NEITHER])]):
        depth = tf.io.decode_raw(tf.strings.substr(data, _BIT_DEPTH, 1), tf.uint8)
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(depth <= 8), [DEEP])]):
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
