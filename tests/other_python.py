"""Scripts run by another Python, with packages that cannot live beside TensorFlow or kseg's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def run_by(variable: str, script: Path, *arguments: Path, needs: str) -> str:
    """What a script prints; the test skips, and says so, where the environment variable names no Python."""
    python = os.environ.get(variable)
    if not python:
        pytest.skip(f"{variable} names no Python with {needs}")
    done = subprocess.run([python, str(script), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
