"""Rounding to int8's values, against an int8 tensor made by hand, and its gradient."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseg.training.compression.fake_quantization import fake_quantize, fake_quantize_kernel
from tests.jax_python import run_jax

SCRIPT = """
import numpy as np, keras
from kseg.training.compression.fake_quantization import fake_quantize
x = np.linspace(-2, 5, 40, dtype="float32")
print(np.asarray(fake_quantize(keras.ops.convert_to_tensor(x), -1.3, 3.7)).tolist())
"""


def by_hand(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """What TFLite stores for x, and what it stands for."""
    scale = (high - low) / 255
    zero = round(-low / scale)
    return (np.clip(np.floor(x / scale + 0.5) + zero, 0, 255) - zero) * scale


def test_activations_have_the_values_of_int8_and_zero_is_one_of_them() -> None:
    x = np.linspace(-2, 5, 1001, dtype=np.float32)
    rounded = np.asarray(fake_quantize(keras.ops.convert_to_tensor(x), -1.3, 3.7))
    np.testing.assert_allclose(rounded, by_hand(x, -1.3, 3.7), atol=1e-5)
    assert len(np.unique(rounded)) == 256
    assert 0.0 in rounded


def test_weights_have_255_values_for_each_channel_whatever_its_scale() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 64, 2)).astype(np.float32) * [1.0, 100.0]
    rounded = np.asarray(fake_quantize_kernel(keras.ops.convert_to_tensor(kernel, "float32"), (0, 1, 2)))
    for channel in range(2):
        steps = rounded[..., channel] / (np.abs(kernel[..., channel]).max() / 127)
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
        assert np.abs(steps).max() == pytest.approx(127, abs=1e-3)


def test_folding_a_normalisation_into_the_kernel_does_not_change_what_is_rounded() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 8, 4)).astype(np.float32)
    factors = np.array([0.01, -3.0, 1.0, 40.0], np.float32)

    def rounded(weights: np.ndarray) -> np.ndarray:
        return np.asarray(fake_quantize_kernel(keras.ops.convert_to_tensor(weights), (0, 1, 2)))

    np.testing.assert_allclose(rounded(kernel * factors), rounded(kernel) * factors, rtol=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes the gradient by TensorFlow")
def test_the_gradient_passes_as_if_nothing_were_rounded_but_not_outside_the_range() -> None:
    import tensorflow as tf

    x = tf.constant([-2.0, -1.0, 0.013, 3.0, 9.0])
    kernel = tf.constant(np.random.default_rng(0).normal(size=(3, 3, 2, 2)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        loss = tf.reduce_sum(fake_quantize(x, -1.3, 3.7)) + tf.reduce_sum(fake_quantize_kernel(kernel, (0, 1, 2)))
    of_x, of_kernel = tape.gradient(loss, [x, kernel])
    assert of_x.numpy().tolist() == [0, 1, 1, 1, 0]
    assert (of_kernel.numpy() == 1).all()


def test_jax_rounds_as_tensorflow_does() -> None:
    """The operation of TensorFlow and the formula for other backends are two texts of one function."""
    values = np.array(eval(run_jax("-c", SCRIPT).splitlines()[-1]))
    np.testing.assert_allclose(values, by_hand(np.linspace(-2, 5, 40, dtype=np.float32), -1.3, 3.7), atol=1e-5)
