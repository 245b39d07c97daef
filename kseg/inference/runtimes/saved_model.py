"""SavedModel folders, run by TensorFlow without Keras' layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kseg.card import CardContradiction, ModelCard
from kseg.inference.runtimes.devices import prepare_tensorflow
from kseg.inference.runtimes.failures import load_failure
from kseg.inference.runtimes.operations import check_operations
from kseg.tensorflow_runtime import DeviceName, quiet_stderr

if TYPE_CHECKING:
    from kseg.inference.predictor import Run

__all__ = ["load"]

_SIGNATURE = "serving_default"


def load(path: Path, card: ModelCard, *, device: DeviceName, threads: int | None) -> Run:
    """Load a SavedModel folder.

    Args:
        path: The folder.
        card: Its card.
        device: ``auto``, ``cpu`` or ``gpu``.
        threads: The number of CPU threads of one operation; None takes TensorFlow's default.

    Raises:
        UsageError: There is no such device.
        ArtifactError: The folder is damaged, or contradicts its card.
    """
    prepare_tensorflow(device, threads)
    import tensorflow as tf

    check_operations(path)
    with quiet_stderr():
        try:
            module = tf.saved_model.load(str(path))
            signature = module.signatures[_SIGNATURE]
            failure: Exception | None = None
        # TensorFlow raises almost anything for damaged folders. The error is raised outside the block, where
        # `quiet_stderr` does not print TensorFlow's own log.
        except Exception as error:
            failure = error
    if failure:
        raise load_failure(path, str(failure) or type(failure).__name__, runtime="TensorFlow") from failure
    return _caller(module, signature, card, path)


def _caller(module: Any, signature: Any, card: ModelCard, path: Path) -> Run:
    import tensorflow as tf

    inputs = list(signature.structured_input_signature[1].items())
    outputs = list(signature.structured_outputs.items())
    size = (card.height, card.width)
    if len(inputs) != 1 or len(outputs) != 1 or not _fits(inputs[0][1], outputs[0][1], card):
        raise CardContradiction(
            path, expected=f"images {('B', *size, 3)} → scores float32 {('B', *size, card.channels)}".replace("'", ""),
            found=f"{_shapes(inputs)} → {_shapes(outputs)}",
        )  # fmt: skip
    (input_name, spec), (output_name, _) = inputs[0], outputs[0]

    def run(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        batch = tf.constant(images.astype(spec.dtype.as_numpy_dtype, copy=False))
        scores: npt.NDArray[np.float32] = signature(**{input_name: batch})[output_name].numpy()
        return scores

    run.module = module  # type: ignore[attr-defined]  # keeps the variables alive, which the signature does not
    return run


def _fits(input: Any, output: Any, card: ModelCard) -> bool:
    """Whether the tensors are those of the card; a dimension that the graph leaves open fits any."""
    shapes = [None, card.height, card.width, 3], [None, card.height, card.width, card.channels]
    fits = input.shape.is_compatible_with(shapes[0]) and output.shape.is_compatible_with(shapes[1])
    return bool(fits and output.dtype.name == "float32")


def _shapes(tensors: Any) -> str:
    return ", ".join(f"{name} {spec.dtype.name} {spec.shape}" for name, spec in tensors) or "none"
