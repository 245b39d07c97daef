"""TensorFlow in this process: its import without log lines, its GPUs, and whether it computes by oneDNN."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, NamedTuple

from kseg.errors import UsageError
from kseg.processor import is_x86

__all__ = ["DeviceName", "Gpu", "load_tensorflow", "quiet_stderr", "use_device", "uses_onednn", "visible_gpus"]

DeviceName = Literal["auto", "cpu", "gpu"]

_ONEDNN: Final = "TF_ENABLE_ONEDNN_OPTS"
"""Read by TensorFlow once, when it is imported."""


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what native code writes to file descriptor 2; tell it after all if the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def load_tensorflow(*, onednn: bool = False) -> None:
    """Import TensorFlow and Keras, and let TensorFlow look for its devices, in silence.

    TensorFlow writes its first lines before any log level is read (``TF_CPP_MIN_LOG_LEVEL`` comes too late), and
    again when it looks for CUDA.

    Args:
        onednn: Compute by oneDNN on every x86 CPU; TensorFlow does by itself only where the CPU has instructions for
            neural networks (AVX-512 VNNI, AMX). Where there is AVX2 and no more, training is faster by it, the
            prediction of one image slower. ``TF_ENABLE_ONEDNN_OPTS`` in the environment overrules it, and a
            TensorFlow that is loaded already stays as it is.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    ask = onednn and is_x86() and _ONEDNN not in os.environ
    if ask:
        os.environ[_ONEDNN] = "1"
    try:
        with quiet_stderr():
            import keras  # noqa: F401
            import tensorflow as tf

            tf.config.list_physical_devices()
    finally:
        if ask:
            del os.environ[_ONEDNN]  # processes that this one starts choose for themselves


class Gpu(NamedTuple):
    """A GPU that TensorFlow sees: its name, and its compute capability where it has one."""

    name: str
    capability: tuple[int, int] | None


def visible_gpus() -> list[Gpu]:
    """The GPUs that TensorFlow sees."""
    import tensorflow as tf

    with quiet_stderr():
        devices = tf.config.list_physical_devices("GPU")
    details = [(device, tf.config.experimental.get_device_details(device)) for device in devices]
    return [Gpu(str(d.get("device_name", device.name)), d.get("compute_capability")) for device, d in details]


def use_device(device: DeviceName, *, where: str) -> Gpu | None:
    """Settle where TensorFlow computes, before it does.

    Args:
        device: ``cpu`` hides the GPUs, ``auto`` takes one if there is any.
        where: The key or flag that asked for it, for messages.

    Returns:
        The GPU, or None for the CPU.

    Raises:
        UsageError: A GPU is asked for and there is none, or the CPU is and TensorFlow already holds the GPU.
    """
    import tensorflow as tf

    gpus = visible_gpus()
    if device == "gpu" and not gpus:
        raise UsageError(
            "no GPU is visible to TensorFlow", where=where, expected="a CUDA GPU",
            remedy="install kseg[gpu] and a driver, or use --device auto",
        )  # fmt: skip
    try:
        if device == "cpu":
            tf.config.set_visible_devices([], "GPU")
            return None
        for physical in tf.config.list_physical_devices("GPU"):
            # TensorFlow would take all of the memory at once, whoever else needs some.
            tf.config.experimental.set_memory_growth(physical, True)
    except RuntimeError as error:  # TensorFlow computes already
        if device == "cpu" and tf.config.list_logical_devices("GPU"):
            raise UsageError(
                "TensorFlow holds the GPU already", where=where, found=str(error),
                remedy="choose the CPU before anything runs on the GPU",
            ) from error  # fmt: skip
    return gpus[0] if gpus and device != "cpu" else None


def uses_onednn() -> bool:
    """Whether the TensorFlow that is loaded computes by oneDNN.

    TensorFlow tells it by no public name; where it no longer tells, the answer is no.
    """
    try:
        from tensorflow.python.util import _pywrap_util_port
    except ImportError:
        return False
    return bool(getattr(_pywrap_util_port, "IsMklEnabled", bool)())
