"""What a run or a measurement ran on: the machine and the versions of the libraries. Loads no TensorFlow."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from kseg import __version__
from kseg.processor import cpu_name, usable_cores

__all__ = ["describe_environment", "environment"]

_PACKAGES: Final = (
    "tensorflow", "tensorflow-cpu", "keras", "jax", "ai-edge-litert", "onnxruntime", "openvino", "numpy",
    "opencv-python-headless", "pillow",
)  # fmt: skip


def environment() -> dict[str, Any]:
    """Facts about this machine and the versions of the libraries, as plain JSON types; memory in GB."""
    versions = {name: _version(name) for name in _PACKAGES}
    return {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "kseg": __version__,
        "packages": {name: number for name, number in versions.items() if number},
    }


def describe_environment(environment: dict[str, Any]) -> str:
    """What `environment` returned as one line, for the heading of a table: CPU, cores, GPUs and versions."""
    packages = environment["packages"]
    runtimes = {
        "TensorFlow": "tensorflow",
        "LiteRT": "ai-edge-litert",
        "ONNX Runtime": "onnxruntime",
        "OpenVINO": "openvino",
    }
    parts = [
        f"{environment['cpu']}, {environment['cores']} cores",
        *(environment.get("gpus") or []),
        *(f"{name} {packages[package]}" for name, package in runtimes.items() if packages.get(package)),
        f"Python {environment['python']}",
    ]
    return " · ".join(parts)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
