"""SavedModel folders, run by TensorFlow without Keras' layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.errors import ArtifactError
from kseg.inference.runtimes.devices import prepare_tensorflow
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
        threads: How many CPU threads one operation may use; None takes TensorFlow's default.

    Raises:
        UsageError: The device cannot be had.
        ArtifactError: The folder is damaged, or contradicts its card.
    """
    prepare_tensorflow(device, threads)
    import tensorflow as tf

    with quiet_stderr():
        try:
            module = tf.saved_model.load(str(path))
            signature = module.signatures[_SIGNATURE]
            failure: Exception | None = None
        # TensorFlow raises almost anything on damaged folders. It is raised again outside, since `quiet_stderr` tells
        # the native log where its block fails.
        except Exception as error:
            failure = error
    if failure:
        reason = (str(failure).strip().splitlines() or [type(failure).__name__])[0][:200]
        raise ArtifactError(
            "the SavedModel cannot be loaded", where=str(path), found=reason, remedy="export it again"
        ) from failure
    return _caller(module, signature, card, path)


def _caller(module: Any, signature: Any, card: ModelCard, path: Path) -> Run:
    import tensorflow as tf

    takes = list(signature.structured_input_signature[1].items())
    gives = list(signature.structured_outputs.items())
    size = (card.height, card.width)
    if len(takes) != 1 or len(gives) != 1 or tuple(takes[0][1].shape[1:]) != (*size, 3):
        raise ArtifactError(
            "the network contradicts its card", where=str(path), expected=f"images [B, {size[0]}, {size[1]}, 3]",
            found=str({name: list(spec.shape) for name, spec in takes}),
        )  # fmt: skip
    (source, spec), (target, _) = takes[0], gives[0]

    def run(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        batch = tf.constant(images.astype(spec.dtype.as_numpy_dtype, copy=False))
        scores: npt.NDArray[np.float32] = signature(**{source: batch})[target].numpy()
        return scores

    run.module = module  # type: ignore[attr-defined]  # the signature does not keep its variables alive
    return run
