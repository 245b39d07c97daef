"""A layer of Keras beside one that takes its place in training."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

__all__ = ["check_alike", "outputs_and_gradients", "pair"]


def pair(own: Any, other: Any, shape: tuple[int, ...], **settings: Any) -> tuple[keras.Layer, keras.Layer]:
    """A layer of each kind, of the same weights."""
    layers = own(**settings), other(**settings)
    rng = np.random.default_rng(0)
    for layer in layers:
        layer.build(shape)
    weights = [rng.normal(size=weight.shape) for weight in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def outputs_and_gradients(layer: keras.Layer, shape: tuple[int, ...], *, training: bool = False) -> list[np.ndarray]:
    """In a graph, of batches of any number; or as a training computes them, which knows their number."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec(shape if training else (None, *shape[1:]))])
    def step(images: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images, training=training)
            loss = tf.reduce_sum(tf.sin(tf.cast(outputs, tf.float32)))
        return [outputs, *tape.gradient(loss, [images, *(weight.value for weight in layer.weights)])]

    images = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return [np.asarray(tf.cast(one, tf.float32)) for one in step(images)]


def check_alike(own: keras.Layer, other: keras.Layer, shape: tuple[int, ...]) -> None:
    """See that both give the same outputs and gradients."""
    for found, expected in zip(outputs_and_gradients(other, shape), outputs_and_gradients(own, shape), strict=True):
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
