"""The fused batch normalisation against Keras' own layer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kseg.training.acceleration.accelerate import accelerate
from kseg.training.acceleration.batch_norm import FusedBatchNormalization

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the fused operation is TensorFlow's")


@pytest.fixture(autouse=True)
def _forget_networks() -> Any:
    yield
    keras.backend.clear_session()


def network(**settings: Any) -> keras.Model:
    keras.utils.set_random_seed(3)
    image = keras.Input((8, 6, 5))
    x = keras.layers.Conv2D(4, 3, use_bias=False)(image)
    x = keras.layers.BatchNormalization(**{"momentum": 0.8, **settings})(x)
    return keras.Model(image, keras.layers.Conv2D(1, 1)(keras.layers.ReLU()(x)))


def batch(count: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(2, 3, (count, 8, 6, 5)).astype(np.float32), rng.normal(size=(count, 6, 4, 1)).astype(np.float32)


def step(model: keras.Model, times: int = 3) -> list[np.ndarray]:
    model.compile(keras.optimizers.SGD(0.05), "mse", jit_compile=False)
    for _ in range(times):
        model.train_on_batch(*batch())
    return [np.asarray(weight) for weight in model.get_weights()]


@pytest.mark.parametrize(
    "settings", [{}, {"scale": False}, {"center": False}, {"scale": False, "center": False, "epsilon": 0.1}]
)
def test_a_training_leads_to_the_same_weights_and_statistics(settings: dict[str, Any]) -> None:
    own = network(**settings)
    fused = accelerate(own)
    assert isinstance(fused.layers[2], FusedBatchNormalization)
    before = [np.asarray(weight) for weight in own.get_weights()]
    expected, found = step(own), step(fused)
    for start, one, other in zip(before, expected, found, strict=True):
        assert np.abs(one - start).max() > 1e-4, "nothing was learned that could differ"
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fused(batch()[0]), own(batch()[0]), rtol=1e-4, atol=1e-4)


def test_the_moving_variance_is_the_biased_one_even_of_a_few_values() -> None:
    layer = FusedBatchNormalization(momentum=0.0)
    values = np.array([1.0, 4.0], np.float32).reshape(2, 1, 1, 1)
    layer(values, training=True)
    np.testing.assert_allclose(layer.moving_mean, [2.5])
    np.testing.assert_allclose(layer.moving_variance, [2.25], rtol=1e-6)


def test_a_single_value_has_no_variance() -> None:
    layer = FusedBatchNormalization(momentum=0.0)
    out = layer(np.full((1, 1, 1, 2), 7, np.float32), training=True)
    np.testing.assert_array_equal(layer.moving_variance, [0, 0])
    np.testing.assert_array_equal(out, np.zeros((1, 1, 1, 2)))


def test_a_frozen_layer_stays_as_it_is() -> None:
    own = network()
    own.layers[2].trainable = False
    fused = accelerate(own)
    assert not fused.layers[2].trainable
    before = fused.layers[2].get_weights()
    step(fused)
    for one, other in zip(before, fused.layers[2].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_bfloat16_data_keep_float32_statistics() -> None:
    layer = FusedBatchNormalization(dtype="mixed_bfloat16", momentum=0.0)
    values = np.random.default_rng(0).normal(100, 1, (8, 16, 16, 3)).astype(np.float32)
    out = layer(values, training=True)
    assert keras.backend.standardize_dtype(out.dtype) == "bfloat16"
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    np.testing.assert_allclose(np.asarray(layer.moving_mean), values.mean((0, 1, 2)), atol=0.05)
