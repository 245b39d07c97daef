"""Scripts that compare with PyTorch, run by a Python that has it: it need not live beside TensorFlow."""

from __future__ import annotations

from pathlib import Path

from tests.other_python import run_by


def run_torch(script: Path, *arguments: Path, needs: str = "torch") -> str:
    """What a script prints; the test skips, and says so, where ``KSEG_TORCH_PYTHON`` names no Python."""
    return run_by("KSEG_TORCH_PYTHON", script, *arguments, needs=needs)
