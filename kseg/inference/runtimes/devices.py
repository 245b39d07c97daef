"""Device and number of threads: code that several runtimes share."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from kseg.errors import ArtifactError, UsageError
from kseg.tensorflow_runtime import DeviceName, load_tensorflow, use_device

__all__ = ["prepare_tensorflow", "refuse_gpu", "single"]

_log = logging.getLogger("kseg")

T = TypeVar("T")


def refuse_gpu(device: str, message: str) -> None:
    """Raise UsageError with the message if ``device`` is ``gpu``: for runtimes that use the CPU only."""
    if device == "gpu":
        raise UsageError(
            message, where="--device", found="gpu", remedy="use --device cpu, or predict with the .keras file"
        )


def single(values: Sequence[T], path: Path) -> T:
    """The only input, or output, of a network. Raises ArtifactError if there are none or several."""
    if len(values) != 1:
        raise ArtifactError("the network has more than one input or output", where=str(path))
    return values[0]


def prepare_tensorflow(device: DeviceName, threads: int | None) -> None:
    """Import TensorFlow, and set the device and the number of threads.

    Raises:
        UsageError: A GPU is asked for and there is none, or the CPU is and TensorFlow already uses the GPU.
    """
    load_tensorflow()
    use_device(device, where="--device")
    if threads is not None:
        _set_threads(threads)


def _set_threads(threads: int) -> None:
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        # The layers of a network wait for one another; two at a time would use more threads than asked for.
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            _log.warning("TensorFlow is running already: the number of threads stays as it was, not %d", threads)
