"""Scripts that run on JAX, by a Python that has it beside Keras: it need not live beside TensorFlow."""

from __future__ import annotations

import os
import subprocess

import pytest


def run_jax(*command: object, needs: str = "keras and jax") -> str:
    """What ``python COMMAND`` prints on JAX; the test skips, and says so, where ``KSEG_JAX_PYTHON`` names no Python."""
    python = os.environ.get("KSEG_JAX_PYTHON")
    if not python:
        pytest.skip(f"KSEG_JAX_PYTHON names no Python with {needs}")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([python, *map(str, command)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
