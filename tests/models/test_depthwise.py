"""Depthwise convolution with gradients of other operations, against Keras' own layer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kseg.models.depthwise import FastGradientDepthwiseConv2D

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the operations are TensorFlow's")


def pair(shape: tuple[int, ...], **settings: Any) -> tuple[keras.Layer, keras.Layer]:
    """Keras' layer and the other one, of the same weights."""
    layers = keras.layers.DepthwiseConv2D(**settings), FastGradientDepthwiseConv2D(**settings)
    rng = np.random.default_rng(0)
    for layer in layers:
        layer.build(shape)
    weights = [rng.normal(size=weight.shape) for weight in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def outputs_and_gradients(layer: keras.Layer, shape: tuple[int, ...]) -> list[np.ndarray]:
    """As a training computes them: in a graph, of batches of any number."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, *shape[1:]))])
    def step(images: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images)
            loss = tf.reduce_sum(tf.sin(tf.cast(outputs, tf.float32)))
        return [outputs, *tape.gradient(loss, [images, *(weight.value for weight in layer.weights)])]

    images = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return [np.asarray(tf.cast(one, tf.float32)) for one in step(images)]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 6, 7, 9, (5, 3), (2, 7)])
def test_it_gives_keras_outputs_and_gradients(kernel: Any, stride: int, padding: str) -> None:
    shape = (3, 13, 16, 4)
    own, other = pair(shape, kernel_size=kernel, strides=stride, padding=padding)
    for found, expected in zip(outputs_and_gradients(other, shape), outputs_and_gradients(own, shape), strict=True):
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("settings", [{"use_bias": False}, {"activation": "relu"}, {"depth_multiplier": 2}])
def test_whatever_else_the_layer_does(settings: dict[str, Any]) -> None:
    shape = (2, 9, 8, 3)
    own, other = pair(shape, kernel_size=5, strides=2, padding="same", **settings)
    for found, expected in zip(outputs_and_gradients(other, shape), outputs_and_gradients(own, shape), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 1), (5, 2)])
def test_half_precision_is_as_near_as_keras_own(kernel: int, stride: int) -> None:
    shape = (2, 16, 16, 8)
    settings = {"kernel_size": kernel, "strides": stride, "padding": "same"}
    exact = outputs_and_gradients(pair(shape, **settings)[0], shape)
    own, other = (outputs_and_gradients(one, shape) for one in pair(shape, dtype="mixed_bfloat16", **settings))
    for found, usual, expected in zip(other, own, exact, strict=True):
        largest = np.abs(expected).max()
        allowed = np.abs(usual - expected).max() + 0.01 * largest
        assert np.abs(found - expected).max() < min(allowed, 0.1 * largest)


def test_only_operations_that_are_fast_compute_the_gradients() -> None:
    """Which is what the layer is for: filters of 3×3 at most, and no input's gradient of stride 2 in half precision."""
    import tensorflow as tf

    shape = (2, 16, 16, 8)
    layer = pair(shape, kernel_size=5, strides=2, padding="same", dtype="mixed_bfloat16")[1]

    @tf.function
    def step(images: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images)
        return tape.gradient(outputs, [images, layer.kernel.value])

    found = step.get_concrete_function(tf.TensorSpec(shape)).graph.get_operations()
    filters = [one for one in found if one.type == "DepthwiseConv2dNativeBackpropFilter"]
    inputs = [one for one in found if one.type == "DepthwiseConv2dNativeBackpropInput"]
    assert [tuple(one.outputs[0].shape) for one in filters] == [(3, 3, 8, 1)] * 4
    assert [one.outputs[0].dtype for one in inputs] == [tf.float32]
