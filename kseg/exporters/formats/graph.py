"""The TensorFlow graph that all exporters write: raw uint8 RGB in, scores out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kseg.errors import UsageError
from kseg.tensorflow_runtime import load_keras

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

__all__ = ["INPUT", "OUTPUT", "SIGNATURE", "require_tensorflow", "save_graph", "serving_module"]

SIGNATURE = "serving_default"
INPUT = "images"
OUTPUT = "scores"


def save_graph(model: keras.Model, folder: str, *, batch: int | None, dtype: Any) -> None:
    """Write the model as a SavedModel with one signature and without Keras' objects.

    Args:
        model: float32 ``[B, h, w, 3]`` in 0..255 → float32 ``[B, h, w, C]``.
        folder: The folder to write; it must not exist.
        batch: The batch size, or None for any.
        dtype: The type of the input: ``tf.uint8``, or ``tf.float32`` for the quantiser.

    Raises:
        UsageError: Keras' backend is not TensorFlow, so there is no TensorFlow graph.
    """
    import tensorflow as tf

    module = serving_module(model, batch=batch, dtype=dtype)
    tf.saved_model.save(module, folder, signatures={SIGNATURE: module.serve})


def require_tensorflow() -> None:
    """Check that Keras' backend is TensorFlow, whose graphs are exported. Raises UsageError."""
    backend = load_keras()
    if backend != "tensorflow":
        raise UsageError(
            "only a network of Keras' TensorFlow backend can be exported", found=f"Keras' backend {backend}",
            remedy="set the environment variable KERAS_BACKEND=tensorflow",
        )  # fmt: skip


def serving_module(model: keras.Model, *, batch: int | None, dtype: Any) -> tf.Module:
    """A module whose function ``serve`` takes the input `INPUT` and returns ``{OUTPUT: scores}``.

    Arguments and errors are those of `save_graph`.
    """
    import tensorflow as tf

    require_tensorflow()
    spec = tf.TensorSpec([batch, *model.input_shape[1:]], dtype, name=INPUT)

    @tf.function(input_signature=[spec])  # type: ignore[untyped-decorator]
    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {OUTPUT: model(tf.cast(images, tf.float32), training=False)}

    module = tf.Module()
    # The variables instead of the model: loading a SavedModel with Keras' objects would need Keras.
    module.variables_of_model = [variable.value for variable in model.variables]
    module.serve = serve
    return module
