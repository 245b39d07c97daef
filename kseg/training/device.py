"""The device that a training runs on, and its precision (Keras' dtype policy)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

import keras

from kseg.errors import UsageError
from kseg.processor import cpu_flags, cpu_name, usable_cores
from kseg.tensorflow_runtime import DeviceName, use_device

__all__ = ["Device", "choose_device", "choose_precision"]


_TENSOR_CORES: Final = (7, 0)
"""The first compute capability with float16 matrix units (Volta); bfloat16 needs 8.0 (Ampere)."""

_BFLOAT16_FLAGS: Final = frozenset({"amx_bf16", "avx512_bf16"})
"""Linux' names for bfloat16 units: of matrices (Intel, since Sapphire Rapids), of vectors (AMD, since Zen 4)."""


@dataclass(frozen=True)
class Device:
    """The device of a training.

    Args:
        kind: ``cpu`` or ``gpu``.
        name: The product name, to be shown.
        capability: The compute capability of a GPU; None where it is unknown, and on a CPU.
    """

    kind: Literal["cpu", "gpu"]
    name: str
    capability: tuple[int, int] | None = None


def choose_device(device: DeviceName) -> Device:
    """Choose the device, and hide the GPUs from TensorFlow if it is the CPU.

    Raises:
        UsageError: A GPU is asked for and Keras' backend sees none, or the CPU is and JAX already holds a GPU.
    """
    if keras.backend.backend() == "tensorflow":
        gpu = use_device(device, where="train.device")
        return Device("gpu", gpu.name, gpu.capability) if gpu else Device("cpu", _processor())
    # All devices, not `list_devices("gpu")`: for that JAX raises where there is none.
    gpus = [name for name in map(str, keras.distribution.list_devices()) if name.startswith("gpu")]
    if device == "cpu" and gpus:
        raise UsageError(
            "this Keras backend takes the GPU before kseg can hide it", where="train.device", found="cpu",
            remedy=f"start with {keras.backend.backend().upper()}_PLATFORMS=cpu",
        )  # fmt: skip
    return _jax_gpu() if gpus else _no_gpu(device)


def _jax_gpu() -> Device:
    """The name and compute capability of the first GPU, which Keras does not tell, but JAX does."""
    import jax

    chip = jax.devices()[0]
    version = re.fullmatch(r"(\d+)\.(\d+)", str(getattr(chip, "compute_capability", "")))
    # AMD's GPUs have no such number; those that JAX supports have bfloat16 units, as NVIDIA's from 8.0 on.
    return Device("gpu", str(chip.device_kind), (int(version[1]), int(version[2])) if version else (8, 0))


def _no_gpu(device: DeviceName) -> Device:
    if device == "gpu":
        raise UsageError(
            f"no GPU is visible to {keras.backend.backend()}", where="train.device", expected="a CUDA GPU",
            remedy="install a driver and pip install 'jax[cuda12]', or use --device auto",
        )  # fmt: skip
    return Device("cpu", _processor())


def choose_precision(precision: str, device: Device) -> str:
    """Keras' dtype policy: ``precision`` itself; for ``auto`` a mixed one where the hardware is faster with it.

    A CPU is so only if it has bfloat16 units: elsewhere bfloat16 is emulated, which is slower than float32.
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
