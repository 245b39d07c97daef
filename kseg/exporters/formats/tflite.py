"""TFLite in float32: a single file that runs without TensorFlow."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kseg.card import write_card
from kseg.errors import ArtifactError
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.graph import SIGNATURE, save_graph
from kseg.tensorflow_runtime import quiet_stderr

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    import tensorflow as tf

__all__ = ["convert", "write_tflite"]


def write_tflite(conversion: Conversion, path: Path) -> None:
    """Write a float32 ``.tflite``: uint8 ``[1, h, w, 3]`` → float32 ``[1, h, w, C]``, with the card appended.

    Raises:
        ArtifactError: TensorFlow's converter refuses the network.
    """
    import tensorflow as tf

    path.write_bytes(convert(conversion.model, tf.uint8, lambda _: None))
    write_card(path, conversion.card)


def convert(model: keras.Model, dtype: Any, configure: Callable[[tf.lite.TFLiteConverter], None]) -> bytes:
    """Convert a network to TFLite, without the converter's log.

    The converter reads a SavedModel, since its other sources do not work here: ``from_concrete_functions`` does not
    store the variables of a Keras 3 model (NaN scores, and ``READ_VARIABLE`` fails during calibration), and
    ``from_keras_model`` takes no uint8 images.

    Args:
        model: The network, float32 images in 0..255 → scores.
        dtype: The type of the graph's input.
        configure: Sets the converter's options.

    Returns:
        The content of the ``.tflite`` file.

    Raises:
        ArtifactError: The conversion fails; ``found`` is the first line of the converter's error.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory(prefix="kseg-") as folder, quiet_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save_graph(model, f"{folder}/graph", batch=1, dtype=dtype)
        converter = tf.lite.TFLiteConverter.from_saved_model(f"{folder}/graph", signature_keys=[SIGNATURE])
        configure(converter)
        try:
            return bytes(converter.convert())
        # ConverterError for a refused graph, and RuntimeError or ValueError from the calibrator.
        except Exception as error:
            failure = error
    lines = str(failure).strip().splitlines() or [type(failure).__name__]
    raise ArtifactError("TensorFlow's TFLite converter failed", found=lines[0][:300]) from failure
