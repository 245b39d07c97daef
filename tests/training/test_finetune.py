"""The optimiser and what learns when: on a small network, with plain Keras around it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kseg.config import TrainConfig
from kseg.errors import ConfigError
from kseg.models import NetworkSpec, build_model
from kseg.models.encoders.features import is_encoder
from kseg.training import Reporter, fit
from kseg.training.finetune import freeze, unfreeze_callbacks
from kseg.training.optimizer import FusedAdamW, make_optimizer
from tests.training.conftest import config_for, draw_discs

Weights = dict[str, list[np.ndarray]]


@pytest.fixture(autouse=True)
def _forget_networks() -> Any:
    yield
    keras.backend.clear_session()


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(NetworkSpec(size=(16, 16), channels=1, widths=(4,), norm="batch"), logits=True)


def weights(model: keras.Model, kind: type[keras.Layer] = keras.Layer) -> Weights:
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights and isinstance(layer, kind)}


def changed(before: Weights, after: Weights, select: Callable[[str], bool]) -> set[bool]:
    """Whether the weights of the wanted layers have changed: of all, of none, or of some."""
    return {
        any(not np.array_equal(one, other) for one, other in zip(before[name], after[name], strict=True))
        for name in before
        if select(name)
    }


def run(model: keras.Model, epochs: int = 1, **settings: Any) -> list[Weights]:
    """Train as `kseg fit` does; the weights before it and after each epoch."""
    train = TrainConfig(lr=1e-2, epochs=epochs, schedule="constant", **settings)
    optimizer = make_optimizer(train, model, steps=2)
    optimizer.build(model.trainable_variables)
    freeze(model, train)
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    epochs_weights = [weights(model)]
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: epochs_weights.append(weights(model)))
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (4, 16, 16, 3)).astype(np.float32)
    truth = (images[..., :1] > 127).astype(np.float32)
    model.fit(images, truth, batch_size=2, epochs=epochs, callbacks=[*unfreeze_callbacks(train), note], verbose=0)
    return epochs_weights


def of_encoder(name: str) -> bool:
    return name.startswith("encoder")


def of_rest(name: str) -> bool:
    return not of_encoder(name)


def test_everything_learns_where_nothing_is_said() -> None:
    before, after = run(network())
    assert changed(before, after, lambda _: True) == {True}


def test_a_frozen_encoder_stays_as_it_is() -> None:
    before, after = run(network(), encoder_trainable=False)
    assert changed(before, after, of_encoder) == {False}
    assert changed(before, after, of_rest) == {True}


def test_an_encoder_learns_from_an_epoch_on() -> None:
    epochs_weights = run(network(), epochs=3, encoder_trainable=2)
    assert [changed(a, b, of_encoder) for a, b in pairwise(epochs_weights)] == [{False}, {False}, {True}]
    assert [changed(a, b, of_rest) for a, b in pairwise(epochs_weights)] == [{True}] * 3


@pytest.mark.parametrize("trainable", [True, 1])
def test_batch_statistics_are_kept_where_they_are_to_be(trainable: bool | int) -> None:
    before, *_, after = run(network(), epochs=2, encoder_trainable=trainable, freeze_batch_norm=True)
    assert changed(before, after, lambda name: of_encoder(name) and name.endswith("norm")) == {False}
    assert changed(before, after, lambda name: of_encoder(name) and name.endswith("conv")) == {True}
    assert changed(before, after, of_rest) == {True}


def test_the_encoder_goes_at_its_own_pace() -> None:
    """Adam's first step is as long as the learning rate, whatever the gradient; the decay is in proportion to it."""
    steps: dict[float, dict[str, np.ndarray]] = {}
    for pace in (1.0, 0.1):
        model = network()
        optimizer = make_optimizer(
            TrainConfig(lr=1e-2, schedule="constant", weight_decay=0.5, encoder_lr=pace), model, 1
        )
        optimizer.build(model.trainable_variables)
        before = {v.path: np.array(v) for v in model.trainable_variables}
        rng = np.random.default_rng(0)
        optimizer.apply([keras.ops.convert_to_tensor(rng.choice([-1.0, 1.0], v.shape).astype("float32")) for v in
                         model.trainable_variables])  # fmt: skip
        steps[pace] = {v.path: np.array(v) - before[v.path] for v in model.trainable_variables}
    for path, step in steps[1.0].items():
        expected = step * (0.1 if path.startswith("encoder") else 1.0)
        np.testing.assert_allclose(steps[0.1][path], expected, rtol=1e-3, atol=1e-6, err_msg=path)
    assert any(is_encoder(layer) for layer in model.layers)


@pytest.mark.parametrize(
    "settings", [{}, {"weight_decay": 0.5}, {"clipnorm": 0.1}, {"beta_1": 0.5, "epsilon": 1e-3}, {"amsgrad": True}]
)
@pytest.mark.parametrize("compiled", [True, False])
def test_the_fused_step_is_the_one_of_keras(settings: dict[str, float], compiled: bool) -> None:
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (4, 16, 16, 3)).astype(np.float32)
    truth = (images[..., :1] > 127).astype(np.float32)
    begin, ends = network().get_weights(), []
    for kind in (keras.optimizers.AdamW, FusedAdamW):
        model = network()
        model.set_weights(begin)
        rate = keras.optimizers.schedules.ExponentialDecay(1e-2, 2, 0.9)
        model.compile(kind(rate, **settings), "mse", run_eagerly=not compiled, jit_compile=False)
        model.fit(images, truth, batch_size=2, epochs=2, shuffle=False, verbose=0)
        ends.append([*model.get_weights(), *(np.array(v) for v in model.optimizer.variables)])
    assert max(np.abs(a - b).max() for a, b in zip(begin, ends[0], strict=False)) > 1e-2
    for value, expected in zip(ends[1], ends[0], strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("pace", [1.0, 0.1])
def test_a_variable_is_updated_by_one_operation(pace: float) -> None:
    model = network()
    optimizer = make_optimizer(TrainConfig(encoder_lr=pace), model, steps=1)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step() -> None:
        optimizer.apply([tf.ones(v.shape) for v in model.trainable_variables])

    kinds = [operation.type for operation in step.get_concrete_function().graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == len(model.trainable_variables)


def test_the_one_cycle_rises_for_three_tenths_and_falls() -> None:
    train = TrainConfig(lr=0.1, epochs=10, schedule="one_cycle")
    rate = make_optimizer(train, network(), steps=10)._learning_rate
    rates = [float(rate(step)) for step in range(101)]
    assert rates[0] == pytest.approx(0.1 / 25)
    assert int(np.argmax(rates)) == 30
    assert rates[30] == pytest.approx(0.1)
    assert np.all(np.diff(rates[:31]) > 0)
    assert np.all(np.diff(rates[30:]) < 0)
    assert rates[-1] == pytest.approx(0, abs=1e-6)


def rates_of(**settings: Any) -> list[float]:
    """The learning rate before each step, and after the last one: ten steps an epoch."""
    train = TrainConfig(lr=0.1, **settings)
    rate = make_optimizer(train, network(), steps=10)._learning_rate
    return [float(rate(step)) for step in range(10 * train.epochs + 1)]


def test_the_cosine_rises_in_a_twentieth_of_the_steps_and_falls() -> None:
    rates = rates_of(epochs=10, schedule="cosine")
    assert rates[0] == pytest.approx(0.01)
    assert np.all(np.diff(rates[:6]) > 0)
    falling = 0.1 * (1 + np.cos(np.pi * np.arange(96) / 95)) / 2
    np.testing.assert_allclose(rates[5:], falling, atol=1e-6)
    assert rates_of(epochs=300, schedule="cosine")[100] == pytest.approx(0.1), "after 100 steps at the latest"


@pytest.mark.parametrize("pace", [1.0, 0.1])
def test_kernels_decay_and_nothing_else(pace: float) -> None:
    """Without a gradient the decay is all that is left of a step."""
    model = network()
    settings = TrainConfig(lr=0.1, schedule="constant", weight_decay=0.5, encoder_lr=pace)
    optimizer = make_optimizer(settings, model, steps=1)
    optimizer.build(model.trainable_variables)
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    optimizer.apply([keras.ops.zeros(variable.shape) for variable in model.trainable_variables])
    decayed = set()
    for variable in model.trainable_variables:
        is_kernel = variable.name == "kernel"
        rate = 0.1 * (pace if of_encoder(variable.path) else 1.0)
        np.testing.assert_allclose(variable, 1 - is_kernel * rate * 0.5, rtol=1e-6, err_msg=variable.path)
        decayed.add((is_kernel, of_encoder(variable.path)))
    assert len(decayed) == 4


def test_a_random_encoder_is_not_to_be_frozen(tmp_path: Path) -> None:
    config = config_for(draw_discs(tmp_path / "data", 10), tmp_path / "runs", train__encoder_trainable=False)
    with pytest.raises(ConfigError, match=r"train\.encoder_trainable: the encoder has no pretrained weights.*true"):
        fit(config, reporter=Reporter())
