"""Depthwise convolution with gradients of other operations, against Keras' own layer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kseg.training.acceleration.depthwise import FastGradientDepthwiseConv2D
from tests.training.acceleration.layers import check_alike, outputs_and_gradients, pair

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the operations are TensorFlow's")

KINDS = keras.layers.DepthwiseConv2D, FastGradientDepthwiseConv2D


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 6, 7, 9, (5, 3), (2, 7)])
def test_it_gives_keras_outputs_and_gradients(kernel: Any, stride: int, padding: str) -> None:
    shape = (3, 13, 16, 4)
    check_alike(*pair(*KINDS, shape, kernel_size=kernel, strides=stride, padding=padding), shape)


@pytest.mark.parametrize("settings", [{"use_bias": False}, {"activation": "relu"}, {"depth_multiplier": 2}])
def test_whatever_else_the_layer_does(settings: dict[str, Any]) -> None:
    shape = (2, 9, 8, 3)
    check_alike(*pair(*KINDS, shape, kernel_size=5, strides=2, padding="same", **settings), shape)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 1), (5, 2)])
def test_half_precision_is_as_near_as_keras_own(kernel: int, stride: int) -> None:
    shape = (2, 16, 16, 8)
    settings = {"kernel_size": kernel, "strides": stride, "padding": "same"}
    exact = outputs_and_gradients(pair(*KINDS, shape, **settings)[0], shape)
    own, other = (outputs_and_gradients(one, shape) for one in pair(*KINDS, shape, dtype="mixed_bfloat16", **settings))
    for found, usual, expected in zip(other, own, exact, strict=True):
        largest = np.abs(expected).max()
        allowed = np.abs(usual - expected).max() + 0.01 * largest
        assert np.abs(found - expected).max() < min(allowed, 0.1 * largest)


def test_only_operations_that_are_fast_compute_the_gradients() -> None:
    """Which is what the layer is for: filters of 3×3 at most, and no input's gradient of stride 2 in half precision."""
    import tensorflow as tf

    shape = (2, 16, 16, 8)
    layer = pair(*KINDS, shape, kernel_size=5, strides=2, padding="same", dtype="mixed_bfloat16")[1]

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
