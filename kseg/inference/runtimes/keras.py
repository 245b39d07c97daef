"""``.keras`` files, run by Keras on its current backend."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.inference.runtimes.devices import prepare_tensorflow
from kseg.tensorflow_runtime import DeviceName, load_keras

if TYPE_CHECKING:
    import keras

    from kseg.inference.predictor import Run

__all__ = ["load"]

_log = logging.getLogger("kseg")


def load(path: Path, card: ModelCard, *, device: DeviceName, threads: int | None) -> Run:
    """Load a ``.keras`` file in Keras' safe mode.

    Args:
        path: The file.
        card: Its card.
        device: ``auto``, ``cpu`` or ``gpu``.
        threads: The number of CPU threads of one operation; None takes TensorFlow's default.

    Raises:
        UsageError: There is no such device, or Keras' backend cannot be used.
        ArtifactError: The file cannot be loaded.
    """
    backend = load_keras()
    if backend == "tensorflow":
        prepare_tensorflow(device, threads)
    elif device != "auto" or threads is not None:
        _log.warning("--device and --threads are ignored: only TensorFlow has them, and Keras runs on %s", backend)
    from kseg.models import load_model

    model, _ = load_model(path, card)
    return _compiled(model, (card.height, card.width))


def _compiled(model: keras.Model, size: tuple[int, int]) -> Run:
    import keras

    if keras.backend.backend() != "tensorflow":
        return lambda images: np.asarray(model.predict_on_batch(images.astype(np.float32)))
    import tensorflow as tf

    # One signature for all batch sizes, so that TensorFlow traces the network once.
    @tf.function(input_signature=[tf.TensorSpec([None, *size, 3], tf.uint8)], autograph=False)  # type: ignore[untyped-decorator]
    def forward(images: Any) -> Any:
        return model(tf.cast(images, tf.float32), training=False)

    def run(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        scores: npt.NDArray[np.float32] = forward(images).numpy()
        return scores

    return run
