"""Where a network runs, and on how many threads; what several runtimes share."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from kseg.errors import ArtifactError, UsageError
from kseg.quiet import load_tensorflow, quiet_stderr

__all__ = ["prepare_tensorflow", "refuse_gpu", "the_only"]

_log = logging.getLogger("kseg")

T = TypeVar("T")


def refuse_gpu(device: str, why: str) -> None:
    """Say that a runtime has the CPU alone. Raises UsageError where ``device`` is a GPU."""
    if device == "gpu":
        raise UsageError(why, where="--device", found="gpu", remedy="use --device cpu, or predict with the .keras file")


def the_only(values: Sequence[T], path: Path) -> T:
    """The one input, or output, of a network. Raises ArtifactError where it has another number."""
    if len(values) != 1:
        raise ArtifactError("the network has more than one input or output", where=str(path))
    return values[0]


def prepare_tensorflow(device: str, threads: int | None) -> None:
    """Import TensorFlow and settle device and threads.

    Raises:
        UsageError: A GPU is asked for and there is none, or the CPU is and TensorFlow already holds the GPU.
    """
    load_tensorflow()
    _choose_device(device)
    if threads is not None:
        _set_threads(threads)


def _choose_device(device: str) -> None:
    import tensorflow as tf

    with quiet_stderr():
        gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise UsageError(
            "no GPU is visible to TensorFlow", where="--device", expected="a CUDA GPU",
            remedy="install kseg[gpu] and a driver, or use --device auto",
        )  # fmt: skip
    try:
        if device == "cpu":
            tf.config.set_visible_devices([], "GPU")
        else:
            for gpu in gpus:
                # TensorFlow would take all of the memory at once, whoever else needs some.
                tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        if device == "cpu" and tf.config.list_logical_devices("GPU"):
            raise UsageError(
                "TensorFlow holds the GPU already", where="--device", found=str(error),
                remedy="choose the CPU before anything runs on the GPU",
            ) from error  # fmt: skip


def _set_threads(threads: int) -> None:
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        # The operations of a network wait for one another; a second one at a time would only break the promise.
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            _log.warning("TensorFlow is running already: the number of threads stays as it was, not %d", threads)
