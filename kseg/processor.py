"""This machine's processor: its name, its instruction sets, and the cores that this process may use."""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["cpu_flags", "cpu_name", "is_x86", "saturates_int8", "usable_cores"]


def usable_cores() -> int:
    """Number of CPU cores that this process may use; in a container often fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    """The processor's model name, or its architecture where the system does not say."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def cpu_flags() -> frozenset[str]:
    """Instruction sets by Linux' names (``avx2``, ``amx_bf16``, …); empty on other systems."""
    return frozenset(_cpuinfo("flags").split())


def is_x86() -> bool:
    """Whether the processor is a 64-bit x86 (Intel or AMD)."""
    return platform.machine().lower() in ("x86_64", "amd64")


def saturates_int8() -> bool:
    """Whether the fast int8 instruction of this processor (VPMADDUBSW) saturates sums of products at 16 bits.

    It does on x86 with AVX2 or AVX-512; newer ones have VNNI or AMX instructions beside it, whose sums have 32 bits.
    """
    flags = cpu_flags()
    exact = {"avx512_vnni", "avx_vnni", "amx_int8"}
    return is_x86() and bool(flags & {"avx2", "avx512bw"}) and not flags & exact


def _cpuinfo(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == key), "")
