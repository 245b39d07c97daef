"""Which device a training runs on, and in which precision."""

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
        gpu = use_device(device, where="train.device")
        return Device("gpu", gpu.name, gpu.capability) if gpu else Device("cpu", _processor())
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
