"""TFLite: a single file that runs without TensorFlow. Here in float32, and what all kinds of TFLite files share."""

from __future__ import annotations

import re
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kseg.card import ModelCard, write_card
from kseg.errors import ArtifactError
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.graph import SIGNATURE, save_graph
from kseg.exporters.formats.tflite_metadata import LABELS_FILE, add_metadata, labels_text
from kseg.tensorflow_runtime import quiet_stderr

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    import tensorflow as tf

__all__ = ["convert", "save_file", "write_tflite"]

_MISSING: Final = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
"""How the converter says that TFLite lacks an operation."""
_FAILED_NODE: Final = re.compile(r"Node number \d+ \((\w+)\) failed to (?:prepare|invoke)")
_OTHER_FORMAT: Final = "use --format saved_model, which takes every operation"
_OTHER_NETWORK: Final = f"train with another encoder, norm, bottleneck or upsampling, or {_OTHER_FORMAT}"


def write_tflite(conversion: Conversion, path: Path) -> None:
    """Write a float32 ``.tflite``: uint8 ``[1, h, w, 3]`` → float32 ``[1, h, w, C]``, with metadata, labels and card.

    Raises:
        ArtifactError: TensorFlow's converter refuses the network, or LiteRT does not run the result.
    """
    import tensorflow as tf

    save_file(convert(conversion.model, tf.uint8, lambda _: None), conversion.card, path)


def save_file(flatbuffer: bytes, card: ModelCard, path: Path) -> None:
    """Write a converted network to a file, with the metadata that other runtimes read, its labels and its card.

    Args:
        flatbuffer: What `convert` returned: one uint8 image ``[1, h, w, 3]`` in, scores ``[1, h, w, C]`` out.
        card: The model card.
        path: The file; it need not exist.

    Raises:
        ArtifactError: LiteRT does not run the network.
    """
    path.write_bytes(add_metadata(flatbuffer, card))
    _check_runs(path)
    with zipfile.ZipFile(path, "a") as associated_files:
        associated_files.writestr(zipfile.ZipInfo(LABELS_FILE), labels_text(card))
    write_card(path, card)


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
        The content of the ``.tflite`` file, without metadata and card.

    Raises:
        ArtifactError: The conversion fails; it names the operations that TFLite lacks, else ``found`` is the first
            line of the converter's error.
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
    raise _refused(str(failure) or type(failure).__name__) from failure


def _refused(message: str) -> ArtifactError:
    """The error for what the converter said."""
    if missing := sorted(set(_MISSING.findall(message))):
        return ArtifactError(
            f"TFLite lacks operations of this network: {', '.join(missing)}", remedy=_OTHER_NETWORK
        )  # fmt: skip
    return ArtifactError(
        "TensorFlow's TFLite converter failed", found=message.strip().splitlines()[0][:300], remedy=_OTHER_FORMAT
    )  # fmt: skip


def _check_runs(path: Path) -> None:
    """Run the file once: LiteRT lacks some operations that the converter writes. Raises ArtifactError."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet_stderr():
        try:
            interpreter = Interpreter(model_path=str(path))
            interpreter.allocate_tensors()
            image = interpreter.get_input_details()[0]
            interpreter.set_tensor(image["index"], np.zeros(image["shape"], image["dtype"]))
            interpreter.invoke()
            return
        except (RuntimeError, ValueError) as error:
            failure = error
    message = str(failure).strip()
    operation = _FAILED_NODE.search(message)
    raise ArtifactError(
        f"LiteRT cannot run the operation {operation[1]} of the converted network" if operation
        else "LiteRT cannot run the converted network",
        where=path.name, found=None if operation else (message.splitlines() or [type(failure).__name__])[0][:300],
        remedy=f"use another --quantize, or {_OTHER_FORMAT}",
    ) from failure  # fmt: skip
