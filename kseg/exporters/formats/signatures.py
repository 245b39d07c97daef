"""The signatures of a SavedModel: functions that a server offers by name, so that its clients need no code of kseg.

===================  ==================================================  ==========================================
signature            takes                                               returns
===================  ==================================================  ==========================================
``serving_default``  ``images``: uint8 ``[B, h, w, 3]``                  ``scores``: float32 ``[B, h, w, C]``
``classify_pixels``  ``images``: uint8 ``[B, h, w, 3]``                  ``class_ids``: uint8 ``[B, h, w]``
``decode``           ``image_bytes``: string ``[B]``, JPEG or PNG files  ``class_ids``: uint8 ``[B, H, W]``
===================  ==================================================  ==========================================

``decode`` does what `kseg.inference.Predictor.predict` does. The images of one call must have the same size, since
their answers are one array; images of different sizes are an error, and go into a call each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kseg.card import ModelCard
from kseg.exporters.formats.graph import OUTPUT, SIGNATURE, serving_module
from kseg.exporters.formats.picture_graph import decode_picture, resize_picture, resize_planes

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

__all__ = ["CLASSIFY", "CLASS_IDS", "DECODE", "IMAGE_BYTES", "signed_module"]

CLASSIFY: Final = "classify_pixels"
DECODE: Final = "decode"
IMAGE_BYTES: Final = "image_bytes"
CLASS_IDS: Final = "class_ids"

NO_PICTURE: Final = "there is no picture in this call"
SIZES_DIFFER: Final = "the pictures of one call differ in size; send each in a call of its own"


def signed_module(model: keras.Model, card: ModelCard) -> tuple[tf.Module, dict[str, Any]]:
    """A module with the weights and functions of a network, and its functions by the name of their signature.

    Args:
        model: float32 ``[B, h, w, 3]`` in 0..255 → float32 ``[B, h, w, C]``.
        card: Its card; the threshold becomes part of the graph.

    Raises:
        UsageError: Keras' backend is not TensorFlow.
    """
    import tensorflow as tf

    module = serving_module(model, batch=None, dtype=tf.uint8)

    @tf.function(input_signature=module.serve.input_signature, autograph=False)  # type: ignore[untyped-decorator]
    def classify_pixels(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {CLASS_IDS: _class_ids(module.serve(images)[OUTPUT], card)}

    spec = tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)

    @tf.function(input_signature=[spec], autograph=False)  # type: ignore[untyped-decorator]
    def decode(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        images, size = _read(image_bytes, card)
        return {CLASS_IDS: _class_ids(module.serve(images)[OUTPUT], card, size)}

    module.classify_pixels, module.decode = classify_pixels, decode
    return module, {SIGNATURE: module.serve, CLASSIFY: classify_pixels, DECODE: decode}


def _read(image_bytes: tf.Tensor, card: ModelCard) -> tuple[tf.Tensor, tf.Tensor]:
    """Files, string ``[B]`` → images at the network's size, uint8 ``[B, h, w, 3]``, and their own, int32 ``[2]``."""
    import tensorflow as tf

    network_size = (card.height, card.width)

    def read(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = decode_picture(data)
        return resize_picture(pixels, network_size), tf.shape(pixels)[:2]

    types = (tf.TensorSpec([*network_size, 3], tf.uint8), tf.TensorSpec([2], tf.int32))
    with tf.control_dependencies([tf.debugging.Assert(tf.size(image_bytes) > 0, [NO_PICTURE])]):
        images, sizes = tf.map_fn(read, image_bytes, fn_output_signature=types)
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(sizes == sizes[0]), [SIZES_DIFFER, sizes])]):
        return images, tf.identity(sizes[0])


def _class_ids(scores: tf.Tensor, card: ModelCard, size: tf.Tensor | None = None) -> tf.Tensor:
    """Scores ``[B, h, w, C]`` → class ids ``[B, H, W]``, of the scores at another size where one is named."""
    import tensorflow as tf

    if card.channels == 1:
        planes = scores if size is None else resize_planes(scores, size)
        return tf.cast(planes[..., 0] >= card.threshold, tf.uint8)
    return tf.cast(tf.argmax(scores, axis=-1), tf.uint8) if size is None else _best_class(scores, size)


def _best_class(scores: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """The argmax of the resized scores, one class at a time: 20 classes of a 12-megapixel photo would take a GB."""
    import tensorflow as tf

    def compare(k: tf.Tensor, ids: tf.Tensor, best: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        plane = resize_planes(tf.gather(scores, [k], axis=-1), size)[..., 0]
        return k + 1, tf.where(plane > best, tf.cast(k, tf.uint8), ids), tf.maximum(plane, best)

    first = resize_planes(scores[..., :1], size)[..., 0]
    start = (tf.constant(1), tf.zeros_like(first, tf.uint8), first)
    return tf.while_loop(lambda k, *_: k < scores.shape[-1], compare, start, parallel_iterations=1)[1]
