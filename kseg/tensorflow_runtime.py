"""TensorFlow in this process: import it without log lines, choose the device, and query GPUs and oneDNN."""

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
    """Suppress what native code writes to file descriptor 2 (stderr); written after all if the block raises."""
    sys.stderr.flush()
    saved_fd = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved_fd, 2)
            captured.seek(0)
            os.write(2, captured.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved_fd, 2)
            os.close(saved_fd)


def load_tensorflow(*, onednn: bool = False) -> None:
    """Import TensorFlow and Keras and initialise the devices, without their log lines.

    TensorFlow writes its first lines before any log level is read (``TF_CPP_MIN_LOG_LEVEL`` comes too late), and
    again when it looks for CUDA.

    Args:
        onednn: Use oneDNN on every x86 CPU. TensorFlow enables it by itself only where the CPU has instructions for
            neural networks (AVX-512 VNNI, AMX). On a CPU with AVX2 only, it makes training faster and the prediction
            of one image slower. Ignored where ``TF_ENABLE_ONEDNN_OPTS`` is set or TensorFlow is already loaded.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    set_onednn = onednn and is_x86() and _ONEDNN not in os.environ
    if set_onednn:
        os.environ[_ONEDNN] = "1"
    try:
        with quiet_stderr():
            import keras  # noqa: F401
            import tensorflow as tf

            tf.config.list_physical_devices()
    finally:
        if set_onednn:
            del os.environ[_ONEDNN]  # not inherited by child processes


class Gpu(NamedTuple):
    """A GPU visible to TensorFlow: its name and, for CUDA, its compute capability (major, minor)."""

    name: str
    capability: tuple[int, int] | None


def visible_gpus() -> list[Gpu]:
    """The GPUs visible to TensorFlow, in its order; empty if none."""
    import tensorflow as tf

    with quiet_stderr():
        devices = tf.config.list_physical_devices("GPU")
    details = [(device, tf.config.experimental.get_device_details(device)) for device in devices]
    return [Gpu(str(d.get("device_name", device.name)), d.get("compute_capability")) for device, d in details]


def use_device(device: DeviceName, *, where: str) -> Gpu | None:
    """Choose the device, before TensorFlow runs its first operation.

    Args:
        device: ``cpu`` hides the GPUs, ``gpu`` requires one, ``auto`` uses one if there is any.
        where: The key or flag that asked for it, for messages.

    Returns:
        The GPU, or None for the CPU.

    Raises:
        UsageError: ``gpu`` without a GPU, or ``cpu`` after TensorFlow has initialised the GPU.
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
            # By default TensorFlow reserves all of the memory at once, leaving none for other processes.
            tf.config.experimental.set_memory_growth(physical, True)
    except RuntimeError as error:  # the devices are initialised already
        if device == "cpu" and tf.config.list_logical_devices("GPU"):
            raise UsageError(
                "TensorFlow holds the GPU already", where=where, found=str(error),
                remedy="choose the CPU before anything runs on the GPU",
            ) from error  # fmt: skip
    return gpus[0] if gpus and device != "cpu" else None


def uses_onednn() -> bool:
    """Whether the loaded TensorFlow uses oneDNN.

    There is no public API for this; False where the private one is gone.
    """
    try:
        from tensorflow.python.util import _pywrap_util_port
    except ImportError:
        return False
    return bool(getattr(_pywrap_util_port, "IsMklEnabled", bool)())
