"""Training networks whose coarser levels answer for scores of their own, and the plain network in them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kseg.losses.loss import SupervisedLoss
from kseg.models import NetworkSpec, build_model
from kseg.models.supervision import head_weights, plain_network
from kseg.training.acceleration.accelerate import accelerate

SMALL: dict[str, Any] = {"size": (32, 48), "widths": (4, 6, 8), "norm": "batch", "dropout": 0.5}
FIXED: dict[str, Any] = {"size": (32, 64), "encoder": "mobilenetv2", "decoder_widths": (8, 8, 4, 4, 4)}
NETWORKS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "unet": ({**SMALL, "channels": 1}, [2, 4]),
    "gates": ({**SMALL, "channels": 3, "attention_gates": True, "block": "residual"}, [2, 4]),
    "u-net++": ({**SMALL, "channels": 3, "arch": "unetplusplus"}, [1, 1]),
    "mobilenetv2": ({**FIXED, "channels": 1}, [2, 4, 8, 16]),
    "mobilenetv2 u-net++": ({**FIXED, "channels": 1, "arch": "unetplusplus"}, [1, 1, 1, 1]),
}
"""Settings, and the strides of the auxiliary heads in their order."""
EVERY = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture(autouse=True)
def _forget_networks() -> Any:
    yield
    keras.backend.clear_session()


def build(spec: NetworkSpec, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(4)
    return build_model(spec, **options)


def supervised(name: str) -> tuple[NetworkSpec, list[int], keras.Model]:
    settings, strides = NETWORKS[name]
    spec = NetworkSpec(**settings)
    return spec, strides, build(spec, logits=True, supervised=True)


def images(spec: NetworkSpec) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (2, *spec.size, 3)).astype(np.float32)


def paths(model: keras.Model) -> list[tuple[str, tuple[int, ...]]]:
    return [(weight.path, tuple(weight.shape)) for weight in model.weights]


@EVERY
@pytest.mark.parametrize("fuse", [False, True])
def test_the_plain_network_in_it_is_the_one_without(name: str, fuse: bool) -> None:
    """The same layers and weights in the same order, which begin alike and lead to the same scores."""
    spec, strides, model = supervised(name)
    whole = accelerate(model) if fuse else model
    inner, plain = plain_network(whole), build(spec, logits=True)
    assert [layer.name for layer in inner.layers] == [layer.name for layer in plain.layers]
    assert paths(inner) == paths(plain) == paths(build_model(spec))
    for one, other in zip(inner.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    found, expected = np.asarray(whole(images(spec))), np.asarray(plain(images(spec)))
    assert found.shape == (2, *spec.size, spec.channels * (1 + len(strides)))
    np.testing.assert_allclose(found[..., : spec.channels], expected, atol=1e-5)
    assert np.abs(found[..., spec.channels : 2 * spec.channels] - expected).max() > 1e-3


def test_the_plain_network_learns_with_it() -> None:
    *_, model = supervised("unet")
    inner = plain_network(model)
    model.get_layer("logits").bias.assign([7.0])
    np.testing.assert_array_equal(inner.get_layer("logits").bias, [7.0])
    assert inner.count_params() < model.count_params()


def test_a_plain_network_is_its_own() -> None:
    plain = build(NetworkSpec(**NETWORKS["unet"][0]), logits=True)
    assert plain_network(plain) is plain


@EVERY
def test_each_head_reads_a_level_and_is_scaled_up(name: str) -> None:
    spec, strides, model = supervised(name)
    pictures, count = images(spec), len(strides)
    outputs = np.asarray(model(pictures))
    for place, stride in enumerate(strides, start=1):
        layer = model.get_layer(f"auxiliary{count - place}")
        level = np.asarray(keras.Model(model.input, layer.input)(pictures))
        assert level.shape[1:3] == (spec.size[0] // stride, spec.size[1] // stride)
        scores = level @ np.asarray(layer.kernel)[0, 0] + np.asarray(layer.bias)
        expected = tf.image.resize(scores, spec.size, method="bilinear")
        found = outputs[..., place * spec.channels : (place + 1) * spec.channels]
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["unet", "u-net++"])
def test_a_step_moves_every_head_and_the_first_level_under_it(name: str) -> None:
    """Also where the network's own head counts nothing: the levels have a way of their own to the loss."""
    spec, strides, model = supervised(name)
    count = len(strides)
    loss = SupervisedLoss("cross_entropy", heads=(0.0, *[1 / count] * count))
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    before = {weight.path: np.array(weight) for weight in model.trainable_weights}
    model.train_on_batch(images(spec), (images(spec)[..., 0] > 127).astype(np.uint8))
    still = {path for path, was in before.items() if np.array_equal(was, model_weight(model, path))}
    assert {f"auxiliary{i}/kernel" for i in range(count)} <= set(before) - still
    assert {"logits/kernel", "logits/bias"} <= still
    first = "decoder0_1_conv/kernel" if name == "unet" else "node2_1_1_conv/kernel"
    assert first in set(before) - still


def model_weight(model: keras.Model, path: str) -> np.ndarray:
    return np.asarray(next(weight for weight in model.weights if weight.path == path))


def test_a_decoder_of_one_level_has_nothing_to_supervise() -> None:
    for settings in (
        {"widths": (4,)},
        {"widths": (4,), "arch": "unetplusplus"},
        {"widths": (4, 4, 8), "arch": "deeplabv3plus", "decoder_widths": (8,)},
    ):
        spec = NetworkSpec(size=(32, 48), channels=1, **settings)
        model = build_model(spec, logits=True, supervised=True)
        assert not spec.deep
        assert model.output_shape == (None, 32, 48, 1)
        assert plain_network(model) is model


def test_mixed_precision_gives_float32_logits() -> None:
    spec = NetworkSpec(**NETWORKS["unet"][0])
    model = build(spec, logits=True, supervised=True, precision="mixed_bfloat16")
    assert {model.get_layer(f"auxiliary{i}").compute_dtype for i in range(2)} == {"float32"}
    assert keras.backend.standardize_dtype(model(images(spec)).dtype) == "float32"


def test_coarser_levels_count_half_as_much_and_those_of_one_size_the_same() -> None:
    spec, nested = (NetworkSpec(**NETWORKS[name][0]) for name in ("unet", "u-net++"))
    assert head_weights(spec, 3) == pytest.approx((4 / 7, 2 / 7, 1 / 7))
    assert head_weights(nested, 3) == pytest.approx((1 / 3,) * 3)
    assert head_weights(spec, 1) == (1.0,)
