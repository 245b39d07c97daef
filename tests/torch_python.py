"""Scripts that compare with PyTorch, run by a Python that has it: it need not live beside TensorFlow."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def run_torch(script: Path, *arguments: Path, needs: str = "torch") -> str:
    """What a script prints; the test skips, and says so, where ``KSEG_TORCH_PYTHON`` names no Python."""
    python = os.environ.get("KSEG_TORCH_PYTHON")
    if not python:
        pytest.skip(f"KSEG_TORCH_PYTHON names no Python with {needs}")
    done = subprocess.run([python, str(script), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
