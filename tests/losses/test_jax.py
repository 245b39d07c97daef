"""The losses compiled on JAX, with their gradients and trainings, beside those on TensorFlow.

Skipped unless ``KSEG_JAX_PYTHON`` names a Python that has ``keras`` and ``jax``.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kseg
from kseg.losses import LOSSES
from tests.losses.cases import CASES, WEIGHTS, Array, call, draw, gradient
from tests.losses.keras_cases import TRAININGS, make, other_arguments, train_and_load

CASE_NAMES = tuple(f"{channels} {activation}" for channels, activation in CASES)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Array]:
    python = os.environ.get("KSEG_JAX_PYTHON")
    if not python:
        pytest.skip("KSEG_JAX_PYTHON names no Python with keras and jax")
    folder = tmp_path_factory.mktemp("jax")
    batch: dict[str, Any] = {}
    for (channels, _), case in zip(CASES, CASE_NAMES, strict=True):
        ids, logits = draw(channels)
        batch |= {f"ids {case}": ids, f"logits {case}": logits, f"weights {case}": np.array(WEIGHTS[channels])}
    np.savez(folder / "batch.npz", **batch)
    root = Path(kseg.__file__).parents[1]
    done = subprocess.run(
        [python, str(Path(__file__).with_name("jax_side.py")), str(folder / "batch.npz"), str(folder / "out.npz")],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(root)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(folder / "out.npz") as results:
        return dict(results)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("channels", "activation"), CASES)
def test_functions_on_jax_are_those_on_tensorflow(
    name: str, channels: int, activation: Any, theirs: dict[str, Array]
) -> None:
    ids, logits = draw(channels)
    options = {"activation": activation, "class_weights": WEIGHTS[channels]}
    value = theirs[f"{name} {channels} {activation} value"]
    assert value.dtype == np.float32
    assert float(value) == pytest.approx(call(name, ids, logits, **options), rel=1e-5)
    slopes = theirs[f"{name} {channels} {activation} gradient"]
    np.testing.assert_allclose(slopes, gradient(name, ids, logits, **options), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("kind", "channels", "activation"), TRAININGS)
def test_trainings_on_jax_are_those_on_tensorflow(
    kind: str, channels: int, activation: Any, theirs: dict[str, Array], tmp_path: Path
) -> None:
    ids, images = draw(channels)
    loss = make(kind, activation, class_weights=WEIGHTS[channels], **other_arguments(kind))
    ours = train_and_load(loss, activation, ids, images, tmp_path / "model.keras")
    for key, value in ours.items():
        np.testing.assert_allclose(theirs[f"{kind} {channels} {activation} {key}"], value, rtol=1e-4, atol=1e-6)
