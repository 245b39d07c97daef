"""Keras and TensorFlow in this process: import them without log lines, choose the device, query GPUs and oneDNN."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from kseg.errors import UsageError
from kseg.processor import is_x86

__all__ = [
    "DeviceName", "Gpu", "load_keras", "load_tensorflow", "quiet_stderr", "set_keras_defaults", "use_device",
    "uses_onednn", "visible_gpus",
]  # fmt: skip

DeviceName = Literal["auto", "cpu", "gpu"]

_ONEDNN: Final = "TF_ENABLE_ONEDNN_OPTS"
"""Read by TensorFlow once, when it is imported."""

_KERAS_DEFAULTS: Final = {"image_data_format": "channels_last", "floatx": "float32", "epsilon": 1e-7}
"""Keras' global settings that kseg's networks, losses and metrics are written for → their values."""

_BACKENDS: Final = ("tensorflow", "jax")

_log = logging.getLogger("kseg")


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Suppress what native code writes to file descriptor 2 (stderr); written after all if the block raises.

    Does nothing in a process without stderr.
    """
    try:
        saved_fd = os.dup(2)
    except OSError:
        yield
        return
    _flush_stderr()
    # In memory: the disk of temporary files may be full.
    with os.fdopen(os.memfd_create("stderr"), "w+b") as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved_fd, 2)
            captured.seek(0)
            os.write(2, captured.read())
            raise
        finally:
            _flush_stderr()
            os.dup2(saved_fd, 2)
            os.close(saved_fd)


def _flush_stderr() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()


def load_keras() -> str:
    """Import Keras without log lines, with the settings that kseg is written for; see `set_keras_defaults`.

    Returns:
        The name of its backend.

    Raises:
        UsageError: Its backend is not installed or none that kseg runs on, or Keras cannot read its keras.json.
    """
    if "keras" in sys.modules:
        set_keras_defaults()
    else:
        _import_keras()
        for name, value in _KERAS_DEFAULTS.items():
            _set_keras(name, value)
    backend = str(_keras().config.backend())
    if backend not in _BACKENDS:
        raise _wrong_backend(backend, "kseg does not run on this backend of Keras")
    return backend


def set_keras_defaults() -> None:
    """Set Keras' global settings to the values that kseg is written for, with a warning for each that was another.

    They are channels last, float32 and an epsilon of 1e-7, which are Keras' own defaults. A keras.json in the home
    folder, often of another project, changes them for all programs; neither it nor the dtype policy is changed here.
    """
    for name, value in _KERAS_DEFAULTS.items():
        earlier = getattr(_keras().config, name)()
        if earlier != value:
            _set_keras(name, value)
            _log.warning("Keras' %s is set to %s in this process (it was %s): kseg needs it", name, value, earlier)


def _set_keras(name: str, value: Any) -> None:
    getattr(_keras().config, f"set_{name}")(value)


def _keras() -> Any:
    import keras

    return keras


def _import_keras() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    failure: Exception
    try:
        with quiet_stderr():
            import keras  # noqa: F401
        return
    except (ImportError, ValueError, AttributeError, TypeError, OSError) as error:
        failure = error
    backend = _backend_of(failure)
    if backend is not None:
        raise _wrong_backend(backend, "Keras' backend cannot be imported", failure) from failure
    settings = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "keras.json"
    if "keras.src.backend.config" not in sys.modules and settings.exists():
        raise UsageError(
            "Keras cannot read its settings", where=str(settings), found=str(failure),
            remedy="correct the file, or remove it: Keras writes a new one",
        ) from failure  # fmt: skip
    raise failure


def _backend_of(failure: Exception) -> str | None:
    """The backend that Keras failed to import; None where the failure has another reason."""
    if isinstance(failure, ImportError) and failure.name == "torch":
        return failure.name
    # This module reads keras.json and KERAS_BACKEND, and stays loaded where the import of the backend fails.
    config = sys.modules.get("keras.src.backend.config")
    backend = "tensorflow" if config is None else str(config.backend())
    return None if backend == "tensorflow" else backend


def _wrong_backend(backend: str, what: str, failure: Exception | None = None) -> UsageError:
    """The error for a backend that is not installed, or that kseg does not run on."""
    by_variable = bool(os.environ.get("KERAS_BACKEND"))
    otherwise = "unset KERAS_BACKEND" if by_variable else "set the environment variable KERAS_BACKEND=tensorflow"
    return UsageError(
        what, where="KERAS_BACKEND" if by_variable else "keras.json: backend", expected=" or ".join(_BACKENDS),
        found=backend + (f" ({failure})" if failure else ""),
        remedy=f"pip install jax, or {otherwise}" if backend == "jax" else otherwise,
    )  # fmt: skip


def load_tensorflow(*, onednn: bool = False) -> None:
    """Import TensorFlow and Keras (`load_keras`) and initialise the devices, without their log lines.

    TensorFlow writes its first lines before any log level is read (``TF_CPP_MIN_LOG_LEVEL`` comes too late), and
    again when it looks for CUDA.

    Args:
        onednn: Use oneDNN on every x86 CPU. TensorFlow enables it by itself only where the CPU has instructions for
            neural networks (AVX-512 VNNI, AMX). On a CPU with AVX2 only, it makes training faster and the prediction
            of one image slower. Ignored where ``TF_ENABLE_ONEDNN_OPTS`` is set or TensorFlow is already loaded.

    Raises:
        UsageError: As from `load_keras`.
    """
    if "tensorflow" in sys.modules:
        load_keras()
        return
    set_onednn = onednn and is_x86() and _ONEDNN not in os.environ
    if set_onednn:
        os.environ[_ONEDNN] = "1"
    try:
        load_keras()
        with quiet_stderr():
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
            remedy="install a driver and pip install 'kseg[gpu]', or use --device auto",
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
