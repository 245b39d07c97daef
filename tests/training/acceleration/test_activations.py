"""Compiled activations against Keras' own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kseg.training.acceleration.activations import CompiledActivation

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the compiled functions are TensorFlow's"
)

NAMES = pytest.mark.parametrize("name", ["gelu", "silu"])


def outputs_and_gradients(layer: keras.Layer, values: np.ndarray) -> list[np.ndarray]:
    """In training, in a graph, of batches of any number."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, *values.shape[1:]))])
    def step(x: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, **({"training": True} if isinstance(layer, CompiledActivation) else {}))
            loss = tf.reduce_sum(tf.sin(tf.cast(outputs, tf.float32)))
        return [outputs, tape.gradient(loss, x)]

    return [np.asarray(tf.cast(one, tf.float32)) for one in step(values)]


def values() -> np.ndarray:
    return np.concatenate([np.linspace(-30, 30, 601), [-1e4, -0.0, 0, 1e4]], dtype=np.float32).reshape(5, 121)


@NAMES
def test_it_gives_keras_outputs_and_gradients(name: str) -> None:
    own, other = keras.layers.Activation(name), CompiledActivation(name)
    for found, expected in zip(
        outputs_and_gradients(other, values()), outputs_and_gradients(own, values()), strict=True
    ):
        assert np.abs(expected).max() > 0.9
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@NAMES
def test_half_precision_rounds_the_exact_value_once(name: str) -> None:
    import tensorflow as tf

    halves = np.asarray(tf.cast(tf.cast(values()[:, :120], tf.bfloat16), tf.float32))
    exact = np.asarray(keras.layers.Activation(name)(halves))
    found = np.asarray(tf.cast(CompiledActivation(name, dtype="mixed_bfloat16")(halves, training=True), tf.float32))
    np.testing.assert_allclose(found, exact, rtol=2**-8, atol=1e-7)


@NAMES
def test_outside_of_training_it_is_keras_own(name: str) -> None:
    np.testing.assert_array_equal(CompiledActivation(name)(values()), keras.layers.Activation(name)(values()))


@NAMES
def test_a_training_runs_two_compiled_functions_and_nothing_else(name: str) -> None:
    import tensorflow as tf

    layer = CompiledActivation(name)

    @tf.function
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
        return tape.gradient(outputs, x)

    graph = step.get_concrete_function(tf.TensorSpec((2, 3))).graph
    calls = [one for one in graph.get_operations() if one.type.endswith("PartitionedCall")]
    assert [one.get_attr("_XlaMustCompile") for one in calls] == [True, True]
    assert {one.type for one in graph.get_operations()} <= {
        "Placeholder", "Identity", "IdentityN", "Shape", "Const", "Fill", "ones_like", "OnesLike", calls[0].type,
    }  # fmt: skip
