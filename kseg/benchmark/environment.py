"""What a benchmark ran on, without loading TensorFlow."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from kseg import __version__
from kseg.processor import cpu_name, usable_cores

__all__ = ["describe", "environment"]

PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "onnxruntime", "numpy")


def environment() -> dict[str, Any]:
    """Machine and library versions, plain JSON types."""
    return {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "kseg": __version__,
        "packages": {name: _version(name) for name in PACKAGES},
    }


def describe(environment: dict[str, Any]) -> str:
    """The line above a table: the CPU, its cores and the versions."""
    packages = environment["packages"]
    gpus = environment.get("gpus") or []
    parts = [
        f"{environment['cpu']}, {environment['cores']} cores",
        *gpus,
        f"TensorFlow {packages.get('tensorflow')}",
        f"LiteRT {packages.get('ai-edge-litert')}",
        *([f"ONNX Runtime {packages['onnxruntime']}"] if packages.get("onnxruntime") else []),
        f"Python {environment['python']}",
    ]
    return " · ".join(parts)


def _memory_gb() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
