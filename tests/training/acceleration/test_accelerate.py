"""The network as it is trained beside the one that is kept."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kseg.models import NetworkSpec, build_model
from kseg.training.acceleration.accelerate import accelerate
from kseg.training.acceleration.activations import CompiledActivation
from kseg.training.acceleration.depthwise import FastGradientDepthwiseConv2D
from kseg.training.acceleration.winograd import WinogradConv2D

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="they are for TensorFlow")


@pytest.fixture(autouse=True)
def _forget_networks() -> Any:
    yield
    keras.backend.clear_session()


@pytest.mark.parametrize("encoder", [{"widths": (4, 8)}, {"encoder": "mobilenetv2", "decoder_widths": (4,) * 5}])
def test_networks_keep_their_weights_and_outputs(encoder: dict[str, Any]) -> None:
    model = build_model(NetworkSpec(size=(32, 32), channels=1, norm="batch", **encoder))
    accelerated = accelerate(model)
    assert not any(type(layer) is keras.layers.BatchNormalization for layer in accelerated.layers)
    assert [layer.name for layer in accelerated.layers] == [layer.name for layer in model.layers]
    images = np.random.default_rng(1).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(accelerated(images), model(images), atol=1e-5)
    model.set_weights(accelerated.get_weights())


def test_networks_without_such_layers_stay_themselves() -> None:
    model = build_model(NetworkSpec(size=(32, 32), channels=1, widths=(4, 8)))
    assert accelerate(model) is model


def depthwise(policy: str, **settings: Any) -> keras.Model:
    image = keras.Input((16, 16, 4))
    layer = keras.layers.DepthwiseConv2D(padding="same", dtype=policy, **settings)
    return keras.Model(image, layer(image))


@pytest.mark.parametrize(
    ("policy", "settings", "swapped"),
    [
        ("float32", {"kernel_size": 5}, True),
        ("float32", {"kernel_size": 3, "strides": 2}, False),
        ("mixed_bfloat16", {"kernel_size": 3, "strides": 2}, True),
        ("mixed_bfloat16", {"kernel_size": 3}, False),
        ("mixed_bfloat16", {"kernel_size": 5, "dilation_rate": 2}, False),
    ],
)
def test_depthwise_convolutions_are_swapped_where_their_gradients_are_slow(
    policy: str, settings: dict[str, Any], swapped: bool
) -> None:
    model = depthwise(policy, **settings)
    accelerated = accelerate(model)
    assert isinstance(accelerated.layers[1], FastGradientDepthwiseConv2D) is swapped
    assert (accelerated is not model) is swapped


@pytest.fixture
def avx2(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A processor with AVX2 and no more, and oneDNN asked for."""
    monkeypatch.setattr("kseg.training.acceleration.accelerate.cpu_flags", lambda: frozenset({"avx", "avx2"}))
    monkeypatch.setattr("kseg.training.acceleration.accelerate.uses_onednn", lambda: True)
    return monkeypatch


def convolution(**settings: Any) -> keras.Model:
    image = keras.Input(settings.pop("shape", (8, 8, 64)))
    layer = keras.layers.Conv2D(**{"filters": 64, "kernel_size": 3, "padding": "same", **settings})
    return keras.Model(image, layer(image))


@pytest.mark.parametrize(
    ("settings", "swapped"),
    [
        ({}, True),
        ({"shape": (8, 8, 32), "filters": 32}, True),
        ({"shape": (8, 8, 16)}, True),
        ({"filters": 16}, True),
        ({"filters": 15}, False),
        ({"shape": (8, 8, 15)}, False),
        ({"shape": (8, 8, 31), "filters": 32}, False),
        ({"kernel_size": (1, 3)}, False),
        ({"kernel_size": 5}, False),
        ({"shape": (None, None, 64)}, False),
        ({"strides": 2}, False),
        ({"dilation_rate": 2}, False),
        ({"padding": "valid"}, False),
        ({"groups": 2}, False),
        ({"dtype": "mixed_bfloat16"}, False),
    ],
)
@pytest.mark.usefixtures("avx2")
def test_convolutions_are_swapped_where_winograds_algorithm_is_faster(settings: dict[str, Any], swapped: bool) -> None:
    accelerated = accelerate(convolution(**settings))
    assert isinstance(accelerated.layers[1], WinogradConv2D) is swapped


def test_other_processors_keep_convolutions_as_they_are(avx2: pytest.MonkeyPatch) -> None:
    model = convolution()
    assert accelerate(model) is not model
    for flags in ({"avx2", "avx512f"}, set()):
        avx2.setattr("kseg.training.acceleration.accelerate.cpu_flags", lambda flags=flags: frozenset(flags))
        assert accelerate(model) is model
    avx2.setattr("kseg.training.acceleration.accelerate.cpu_flags", lambda: frozenset({"avx2"}))
    avx2.setattr("kseg.training.acceleration.accelerate.uses_onednn", lambda: False)
    assert accelerate(model) is model


@pytest.mark.parametrize(("name", "swapped"), [("gelu", True), ("silu", True), ("relu", False), ("sigmoid", False)])
def test_activations_of_many_operations_are_swapped(name: str, swapped: bool) -> None:
    image = keras.Input((4, 4, 2))
    model = keras.Model(image, keras.layers.Activation(name)(image))
    assert isinstance(accelerate(model).layers[1], CompiledActivation) is swapped


def test_a_frozen_layer_stays_frozen() -> None:
    model = depthwise("float32", kernel_size=5)
    model.layers[1].trainable = False
    assert not accelerate(model).trainable_variables


@pytest.mark.usefixtures("avx2")
def test_a_network_is_trained_to_the_same_weights() -> None:
    """Of stages as EfficientNets and U-Nets have them, three steps."""
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(64, 1)(image)
    x = keras.layers.Conv2D(32, 3, padding="same")(x)
    x = keras.layers.DepthwiseConv2D(5, strides=2, padding="same")(x)
    model = keras.Model(image, keras.layers.Conv2D(1, 1)(keras.layers.BatchNormalization()(x)))
    accelerated = accelerate(model)
    assert {WinogradConv2D, FastGradientDepthwiseConv2D} < {type(layer) for layer in accelerated.layers}
    before = model.get_weights()
    rng = np.random.default_rng(0)
    images, truth = rng.normal(size=(6, 32, 32, 3)), rng.normal(size=(6, 16, 16, 1))
    for one in (model, accelerated):
        one.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
        for _ in range(3):
            one.train_on_batch(images, truth)
    for expected, found in zip(model.get_weights(), accelerated.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert np.abs(before[2] - accelerated.get_weights()[2]).max() > 1e-3
