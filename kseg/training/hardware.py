"""Which device a training runs on, and in which precision."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Literal

import keras

from kseg.errors import UsageError
from kseg.processor import cpu_flags, cpu_name, usable_cores
from kseg.quiet import computes_by_onednn, quiet_stderr

__all__ = ["Device", "choose_device", "choose_precision", "describe_environment"]

DeviceName = Literal["auto", "cpu", "gpu"]
PACKAGES: Final = ("kseg", "tensorflow", "tensorflow-cpu", "keras", "jax", "numpy", "opencv-python-headless", "pillow")

_TENSOR_CORES: Final = (7, 0)
"""Compute capability from which on float16 matrix units exist (Volta); bfloat16 came with 8.0 (Ampere)."""

_BFLOAT16_FLAGS: Final = frozenset({"amx_bf16", "avx512_bf16"})
"""What Linux calls the units: of matrices (Intel from Sapphire Rapids on), of vectors (AMD from Zen 4 on)."""


@dataclass(frozen=True)
class Device:
    """Where a training runs: ``cpu`` or ``gpu``, a name for people, and the GPU's compute capability."""

    kind: Literal["cpu", "gpu"]
    name: str
    capability: tuple[int, int] | None = None


def choose_device(device: DeviceName) -> Device:
    """Pick the device and hide the GPUs if it is the CPU.

    Raises:
        UsageError: A GPU is asked for and Keras' backend sees none.
    """
    if keras.backend.backend() == "tensorflow":
        return _tensorflow_device(device)
    # Asked for GPUs by name, JAX raises where there are none.
    gpus = [name for name in map(str, keras.distribution.list_devices()) if name.startswith("gpu")]
    if device == "cpu" and gpus:
        raise UsageError(
            "this Keras backend takes the GPU before kseg can hide it", where="train.device",
            remedy=f"start with {keras.backend.backend().upper()}_PLATFORMS=cpu",
        )  # fmt: skip
    return _jax_gpu() if gpus else _no_gpu(device)


def _jax_gpu() -> Device:
    """What Keras does not say of the chip, JAX does."""
    import jax

    chip = jax.devices()[0]
    told = re.fullmatch(r"(\d+)\.(\d+)", str(getattr(chip, "compute_capability", "")))
    # Where it tells none (AMD's), everything that JAX runs on today has bfloat16 units.
    return Device("gpu", str(chip.device_kind), (int(told[1]), int(told[2])) if told else (8, 0))


def _tensorflow_device(device: DeviceName) -> Device:
    import tensorflow as tf

    with quiet_stderr():
        gpus = tf.config.list_physical_devices("GPU")
    if device == "cpu" and gpus:
        try:
            tf.config.set_visible_devices([], "GPU")
        except RuntimeError as error:
            raise UsageError("the GPU is in use already", where="train.device", found=str(error)) from error
        return _no_gpu(device)
    if not gpus:
        return _no_gpu(device)
    for gpu in gpus:
        # TensorFlow would take all of the memory at once, whoever else needs some.
        tf.config.experimental.set_memory_growth(gpu, True)
    details: dict[str, Any] = tf.config.experimental.get_device_details(gpus[0])
    capability = details.get("compute_capability")
    return Device("gpu", str(details.get("device_name", gpus[0].name)), tuple(capability) if capability else None)


def _no_gpu(device: DeviceName) -> Device:
    if device == "gpu":
        raise UsageError(
            f"no GPU is visible to {keras.backend.backend()}", where="train.device", expected="a CUDA GPU",
            remedy='install kseg[gpu] and a driver, or use --device auto',
        )  # fmt: skip
    return Device("cpu", _processor())


def choose_precision(precision: str, device: Device) -> str:
    """Keras' dtype policy: mixed where the hardware gains by it, if ``precision`` is ``auto``.

    A CPU gains only where it multiplies bfloat16 itself: elsewhere bfloat16 is emulated and slower.
    """
    if precision != "auto":
        return precision
    if device.kind == "gpu":
        capability = device.capability or (0, 0)
        if capability >= (8, 0):
            return "mixed_bfloat16"
        return "mixed_float16" if capability >= _TENSOR_CORES else "float32"
    return "mixed_bfloat16" if _BFLOAT16_FLAGS & cpu_flags() else "float32"


def _processor() -> str:
    """The processor's name and the number of cores that this process may use."""
    return f"{cpu_name()}, {usable_cores()} cores"


def describe_environment(device: Device, precision: str) -> dict[str, Any]:
    """What env.json holds: the command, versions, hardware and precision."""
    return {
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "backend": keras.backend.backend(),
        "device": {"kind": device.kind, "name": device.name},
        "cpu": _processor(),
        "precision": precision,
        "onednn": keras.backend.backend() == "tensorflow" and computes_by_onednn(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
