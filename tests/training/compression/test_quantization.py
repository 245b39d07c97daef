"""The copy of a network that computes with int8's rounding."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kseg.training.compression.quantization import FixRanges, quantization_aware
from kseg.training.compression.quantized_layers import FakeQuantization, has_kernel
from tests.training.compression.networks import FIXED, images, make_network

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="networks are compared in TensorFlow")

NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {"widths": (4, 8)},
    "separable": {"widths": (4, 8), "block": "separable", "norm": "batch"},
    "mobilenetv3": {"encoder": "mobilenetv3_small", **FIXED},
    "unet++": {"arch": "unetplusplus", "widths": (4, 8)},
    "mit": {"encoder": "mit_b0", "size": (64, 64), **FIXED},
}


@pytest.fixture(autouse=True)
def _forget_networks() -> Any:
    yield
    keras.backend.clear_session()


def ranges(network: keras.Model) -> dict[str, tuple[float, float]]:
    """Name of a layer → the range of its result in int8."""
    layers = [layer for layer in network.layers if isinstance(layer, FakeQuantization)]
    return {layer.name.removesuffix("_int8"): (float(layer.low), float(layer.high)) for layer in layers}


def unrounded(network: keras.Model) -> None:
    """Make every weight one of int8's already, so that only activations are rounded."""
    for layer in network.layers:
        if has_kernel(layer):
            kernel, *others = layer.get_weights()
            layer.set_weights([np.sign(kernel) * np.float32(0.05), *others])


@pytest.mark.parametrize("name", NETWORKS)
def test_before_there_are_ranges_the_copy_is_the_network(name: str) -> None:
    network = make_network(**NETWORKS[name])
    unrounded(network)
    copy = quantization_aware(network)
    pixels = images(network.input_shape[1:3])
    expected = np.asarray(network(pixels))
    np.testing.assert_allclose(copy(pixels), expected, atol=1e-4 * max(1.0, np.abs(expected).max()))
    assert {weight.path for weight in network.weights} <= {weight.path for weight in copy.weights}


@pytest.mark.parametrize("name", NETWORKS)
def test_with_ranges_the_copy_is_the_network_but_for_the_rounding(name: str) -> None:
    network = make_network(**NETWORKS[name])
    copy = quantization_aware(network)
    pixels = images(network.input_shape[1:3])
    for layer in copy.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 1.0
    copy(pixels, training=True)
    expected, rounded = np.asarray(network(pixels)), np.asarray(copy(pixels))
    assert np.corrcoef(expected.ravel(), rounded.ravel())[0, 1] > 0.95
    assert np.abs(expected - rounded).max() > 0
    low, high = ranges(copy)["logits"]
    steps = rounded / ((high - low) / 255)
    np.testing.assert_allclose(steps, np.round(steps), atol=0.01)


def test_what_a_converter_fuses_is_rounded_once_and_what_moves_values_is_not() -> None:
    names = set(ranges(quantization_aware(make_network(widths=(4, 8), norm="batch"))))
    assert "encoder0_1_relu" in names
    assert {"encoder0_1_conv", "encoder0_1_norm", "image"}.isdisjoint(names)
    assert not [name for name in names if "pool" in name]


def test_a_range_grows_with_the_batches_until_it_is_fixed() -> None:
    layer = FakeQuantization()
    batch = np.array([[-1.0, 2.0]], np.float32)
    layer(batch, training=True)
    layer(batch / 2, training=True)
    assert (float(layer.low), float(layer.high)) == (-1.0, 2.0)
    layer(batch * 2, training=True)
    assert (float(layer.low), float(layer.high)) == (-2.0, 4.0)
    network = keras.Sequential([keras.Input((2,)), layer])
    fix = FixRanges(2)
    fix.set_model(network)
    for epoch in range(4):
        fix.on_epoch_begin(epoch)
        layer(batch * 4 * (epoch + 1), training=True)
    assert (float(layer.low), float(layer.high)) == (-8.0, 16.0)


def test_every_weight_gets_a_gradient() -> None:
    import tensorflow as tf

    copy = quantization_aware(make_network(widths=(4, 8), norm="batch"))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(copy(images((32, 32)), training=True) ** 2)
    gradients = tape.gradient(loss, [variable.value for variable in copy.trainable_variables])
    assert all(gradient is not None and np.abs(gradient.numpy()).max() > 0 for gradient in gradients)
