"""Convolution by Winograd's algorithm, against Keras' own layer."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest

from kseg.training.acceleration.winograd import WinogradConv2D
from tests.training.acceleration.layers import outputs_and_gradients, pair

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the operations are TensorFlow's")

TILES = (4, 32, 32, 64)
"""A batch that is large enough."""


def layers(shape: tuple[int, ...], filters: int = 64, **settings: Any) -> tuple[keras.Layer, keras.Layer]:
    """Keras' and the other, with weights that keep the values about one."""
    both = pair(keras.layers.Conv2D, WinogradConv2D, shape, kernel_size=3, filters=filters, padding="same", **settings)
    for layer in both:
        layer.set_weights([weight / math.sqrt(9 * shape[3]) for weight in layer.get_weights()])
    return both


def operations(layer: keras.Layer, shape: tuple[int | None, ...], training: bool) -> set[str]:
    """The kinds in the graph of outputs and gradients."""
    import tensorflow as tf

    @tf.function
    def step(images: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images, training=training)
        return tape.gradient(outputs, [images, layer.kernel.value])

    return {one.type for one in step.get_concrete_function(tf.TensorSpec(shape)).graph.get_operations()}


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        (TILES, {}),
        (TILES, {"use_bias": False}),
        (TILES, {"activation": "relu"}),
        ((2, 37, 46, 64), {}),  # no multiples of a tile's side
        ((4, 33, 30, 24), {"filters": 129}),
        ((16, 6, 6, 192), {"filters": 128}),
        ((5, 64, 64, 16), {}),  # of more images than are taken at a time
    ],
)
def test_it_gives_keras_outputs_and_gradients(shape: tuple[int, ...], settings: dict[str, Any]) -> None:
    keras_own, other = layers(shape, **settings)
    assert "BatchMatMulV2" in operations(other, shape, training=True)
    expected = outputs_and_gradients(keras_own, shape, training=True)
    for found, right in zip(outputs_and_gradients(other, shape, training=True), expected, strict=True):
        largest = np.abs(right).max()
        assert largest > 0.1
        np.testing.assert_allclose(found, right, rtol=0, atol=5e-5 * largest)


def test_a_filter_of_one_pixel_moves_the_image() -> None:
    """Exactly by one pixel, zeros coming in: no tile is out of its place."""
    shape = (4, 30, 34, 64)
    layer = layers(shape, use_bias=False)[1]
    kernel = np.zeros(layer.kernel.shape)
    kernel[0, 2] = np.eye(64)
    layer.set_weights([kernel])
    images = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = np.zeros_like(images)
    expected[:, 1:, :-1] = images[:, :-1, 1:]
    np.testing.assert_allclose(layer(images, training=True), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "training"),
    [
        (TILES, False),  # exact, and for batches of any number
        ((None, *TILES[1:]), True),
        ((1, 32, 32, 64), True),  # little work
        ((3, 8, 8, 1024), True),  # few tiles
        ((16, 5, 5, 512), True),  # tiles that are half empty
    ],
)
def test_where_it_gains_nothing_it_is_keras_own(shape: tuple[int | None, ...], training: bool) -> None:
    found = operations(layers((1, *shape[1:]))[1], shape, training)  # type: ignore[arg-type]
    assert {"Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"} < found
    assert "BatchMatMulV2" not in found
