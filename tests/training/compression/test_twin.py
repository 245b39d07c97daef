"""The twin in Keras 2, and the way back. What tensorflow-model-optimization does with it: test_fit.py."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from tests.training.compression.networks import FIXED, images, make_network

pytest.importorskip("tf_keras", reason="needs kseg[qat]")
pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="Keras 2 is TensorFlow's")

NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {"widths": (4, 8)},
    "residual": {"encoder": "residual", "widths": (4, 8)},
    "deeplabv3+": {"arch": "deeplabv3plus", "widths": (4, 4, 8), "decoder_widths": (8,)},
    "attention": {"widths": (4, 8), "bottleneck": "attention", "attention_heads": 2, "attention_gates": True},
    "group": {"widths": (4, 8), "norm": "group", "upsampling": "bilinear"},
    "mobilenetv3": {"encoder": "mobilenetv3_small", **FIXED},
    "mit": {"encoder": "mit_b0", "size": (64, 64), **FIXED},
}


@pytest.fixture(autouse=True)
def _forget_networks() -> Any:
    yield
    keras.backend.clear_session()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_twin_answers_as_its_network_does_and_gives_its_weights_back(name: str) -> None:
    from kseg.training.compression.twin import make_twin

    network = make_network(**NETWORKS[name])
    twin = make_twin(network)
    pixels = images(network.input_shape[1:3])
    expected = np.asarray(network(pixels))
    tolerance = 1e-5 * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(twin.model(pixels), expected, atol=tolerance)
    assert len(twin.model.trainable_variables) == len(network.trainable_variables)

    for variable in twin.model.trainable_variables:
        variable.assign(variable * 1.02)
    twin.settle({})
    moved = np.asarray(network(pixels))
    assert np.abs(moved - expected).max() > 100 * tolerance
    np.testing.assert_allclose(moved, twin.model(pixels), atol=1e-5 * max(1.0, float(np.abs(moved).max())))


def test_layers_that_cannot_be_pruned_are_named() -> None:
    from kseg.training.compression.twin import make_twin

    twin = make_twin(make_network(widths=(4, 8), block="separable", norm="batch"), lambda layer: layer)
    assert "encoder0_1_conv" in twin.wrappers
    assert "encoder0_1_depthwise" in twin.skipped
    assert {name.rpartition("_")[2] for name in twin.skipped} == {"depthwise"}
