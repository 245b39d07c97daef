"""Convolution with a gradient that is a product of matrices, against Keras' own layer."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from kseg.models.convolution import FastGradientConv2D
from tests.models.layers import check_alike, pair

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the operations are TensorFlow's")

KINDS = keras.layers.Conv2D, FastGradientConv2D


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 7, (5, 3), (2, 7), (1, 4)])
@pytest.mark.parametrize("shape", [(3, 13, 16, 4), (2, 1, 5, 3), (1, 6, 1, 2), (2, 2, 3, 1)])
def test_it_gives_keras_outputs_and_gradients(kernel: Any, shape: tuple[int, ...]) -> None:
    check_alike(*pair(*KINDS, shape, kernel_size=kernel, filters=6, padding="same"), shape)


@pytest.mark.parametrize("settings", [{"use_bias": False}, {"activation": "relu"}, {"filters": 1}])
def test_whatever_else_the_layer_does(settings: dict[str, Any]) -> None:
    shape = (2, 9, 8, 3)
    check_alike(*pair(*KINDS, shape, **{"kernel_size": 3, "filters": 5, "padding": "same", **settings}), shape)


def test_products_of_matrices_compute_the_filters_gradient() -> None:
    """Which is what the layer is for."""
    import tensorflow as tf

    shape = (2, 16, 16, 8)
    layer = pair(*KINDS, shape, kernel_size=3, filters=4, padding="same")[1]

    @tf.function
    def step(images: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = layer(images)
        return tape.gradient(outputs, layer.kernel.value)

    kinds = [one.type for one in step.get_concrete_function(tf.TensorSpec(shape)).graph.get_operations()]
    assert kinds.count("MatMul") == 3
    assert "Conv2DBackpropFilter" not in kinds
