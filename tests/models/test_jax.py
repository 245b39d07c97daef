"""Networks that were saved on TensorFlow, loaded, scored and trained on JAX.

Skipped unless ``KSEG_JAX_PYTHON`` names a Python that has ``keras`` and ``jax``.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

import kseg
from kseg.losses.loss import SupervisedLoss
from kseg.models import build_model
from tests.models.scripts.jax_side import HEADS, SUPERVISED, TRAINED
from tests.models.test_models import images, spec_of

CHOSEN = ("batch", "group", "bilinear", "sigmoid", "residual", "separable", "attention", "aspp", "gates", "u-net++",
          "deeplabv3+", "mobilenetv3_small", "efficientnet_lite0", "mit_b0")  # fmt: skip
"""Every kind of layer once."""


def supervise(folder: Path) -> None:
    """A network with an auxiliary head, and its loss on TensorFlow."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, (2, *SUPERVISED.size)).astype(np.uint8)
    model = build_model(SUPERVISED, logits=True, supervised=True)
    model.compile(loss=SupervisedLoss("cross_entropy", heads=HEADS), jit_compile=False)
    loss = model.test_on_batch(images(SUPERVISED), truth)
    weights = {f"weight{i}": weight for i, weight in enumerate(model.get_weights())}
    np.savez(folder / "supervised.npz", images=images(SUPERVISED), truth=truth, loss=loss, **weights)
    keras.backend.clear_session()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = os.environ.get("KSEG_JAX_PYTHON")
    if not python:
        pytest.skip("KSEG_JAX_PYTHON names no Python with keras and jax")
    folder = tmp_path_factory.mktemp("jax")
    for name in CHOSEN:
        spec = spec_of(name)
        keras.utils.set_random_seed(2)
        model = build_model(spec)
        model.save(folder / f"{name}.keras")
        np.savez(folder / f"{name}.npz", images=images(spec), scores=model(images(spec), training=False))
        keras.backend.clear_session()
    supervise(folder)
    done = subprocess.run(
        [python, str(Path(__file__).with_name("scripts") / "jax_side.py"), str(folder)],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu",
             "PYTHONPATH": str(Path(kseg.__file__).parents[1])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("name", CHOSEN)
def test_jax_scores_as_tensorflow_does(name: str, folder: Path) -> None:
    with np.load(folder / f"{name}.npz") as held, np.load(folder / f"{name}.out.npz") as found:
        np.testing.assert_allclose(found["scores"], held["scores"], atol=1e-4)


@pytest.mark.parametrize("name", TRAINED)
def test_jax_trains(name: str, folder: Path) -> None:
    with np.load(folder / f"{name}.out.npz") as found:
        assert np.isfinite(found["loss"])
        assert found["learnt"].mean() > 0.9


@pytest.mark.parametrize("name", ["Unet", "UnetPlusPlus", "DeepLabV3Plus"])
def test_a_network_built_and_trained_on_jax_is_the_same_on_tensorflow(name: str, folder: Path) -> None:
    model = keras.saving.load_model(folder / "built" / f"{name}.keras", compile=False, safe_mode=True)
    with np.load(folder / "built" / f"{name}.npz") as held:
        assert np.isfinite(held["loss"])
        np.testing.assert_allclose(model(held["images"], training=False), held["scores"], atol=1e-4)


def test_jax_supervises_a_coarser_level(folder: Path) -> None:
    with np.load(folder / "supervised.npz") as held, np.load(folder / "supervised.out.npz") as found:
        np.testing.assert_allclose(found["loss"], held["loss"], rtol=1e-4)
        assert found["learnt"].all()
