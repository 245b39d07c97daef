"""What is known of this machine's processor: its name, its instructions, the cores that are ours."""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["cpu_flags", "cpu_name", "is_x86", "usable_cores"]


def usable_cores() -> int:
    """How many CPU cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    """The processor's name, as far as the system tells it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def cpu_flags() -> frozenset[str]:
    """The processor's instructions by Linux' names (``avx2``, ``amx_bf16``, …); none known elsewhere."""
    return frozenset(_cpuinfo("flags").split())


def is_x86() -> bool:
    """Whether it is one of Intel's and AMD's 64-bit processors."""
    return platform.machine().lower() in ("x86_64", "amd64")


def _cpuinfo(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == key), "")
