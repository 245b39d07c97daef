"""Averaged weights: what is validated and saved, and that the training goes on as if there were none."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kseg.config import TrainConfig
from kseg.models import load_model
from kseg.training import Reporter, fit
from kseg.training.average import average_callbacks
from tests.training.conftest import config_for, draw_discs


class Notes(keras.callbacks.Callback):
    """The weights as each epoch's training leaves them, as its end finds them, and as the next one takes them."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[Any] = []
        self.trained: list[Any] = []
        self.kept: list[Any] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.begun.append(self.model.get_weights())

    def on_test_begin(self, logs: Any = None) -> None:
        self.trained.append(self.model.get_weights())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.kept.append((self.model.get_weights(), (logs or {})["val_loss"]))


def run(average: int, epochs: int = 4) -> Notes:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization(momentum=0.5), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.compile("sgd", "mse", jit_compile=False)
    inputs = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    truth = inputs.sum(axis=1, keepdims=True)
    notes = Notes()
    averages = average_callbacks(TrainConfig(average=average))
    # The notes come first at the validation's beginning, and last elsewhere, where averages has nothing to do.
    first = keras.callbacks.LambdaCallback()
    first.on_test_begin = notes.on_test_begin  # type: ignore[method-assign]
    last = keras.callbacks.LambdaCallback(on_epoch_begin=notes.on_epoch_begin, on_epoch_end=notes.on_epoch_end)
    notes.set_model(model)
    model.fit(
        inputs, truth, batch_size=4, epochs=epochs, shuffle=False, validation_data=(inputs, truth),
        callbacks=[first, *averages, last], verbose=0,
    )  # fmt: skip
    for weights, loss in notes.kept:
        model.set_weights(weights)
        np.testing.assert_allclose(model.evaluate(inputs, truth, verbose=0), loss, rtol=1e-4)
    assert len(notes.begun) == len(notes.trained) == len(notes.kept) == epochs
    return notes


def assert_same(weights: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for weight, expected_weight in zip(weights, expected, strict=True):
        np.testing.assert_allclose(weight, expected_weight, rtol=1e-5, atol=1e-7)


def test_the_mean_of_the_epochs_is_validated_and_kept() -> None:
    notes = run(average=10)
    for epoch, (kept, _) in enumerate(notes.kept):
        assert_same(kept, [np.mean(values, axis=0) for values in zip(*notes.trained[: epoch + 1], strict=True)])


def test_a_short_average_forgets() -> None:
    notes = run(average=2)
    first, second, third, _ = notes.trained
    assert_same(notes.kept[1][0], [(a + b) / 2 for a, b in zip(first, second, strict=True)])
    assert_same(notes.kept[2][0], [(a + b) / 4 + c / 2 for a, b, c in zip(first, second, third, strict=True)])


def test_training_goes_on_as_without() -> None:
    plain, averaged = run(average=1), run(average=3)
    for plain_weights, averaged_weights in zip(plain.trained, averaged.trained, strict=True):
        assert_same(plain_weights, averaged_weights)
    for end, begin in pairwise(zip(averaged.trained, averaged.begun, strict=True)):
        assert_same(begin[1], end[0])


def test_a_run_saves_its_average(tmp_path: Path) -> None:
    """Two epochs that average two: the file has other weights than without, and the score that the log says."""
    data = draw_discs(tmp_path / "data", 24)
    results = {
        average: fit(config_for(data, tmp_path / f"of_{average}", train__average=average), reporter=Reporter())
        for average in (1, 2)
    }
    plain, averaged = (load_model(results[average].folder / "weights" / "last.keras")[0] for average in (1, 2))
    assert not np.allclose(plain.get_weights()[0], averaged.get_weights()[0])
    assert results[1].rows[0]["val_loss"] == results[2].rows[0]["val_loss"]
    assert results[1].rows[1]["loss"] == results[2].rows[1]["loss"]
    assert results[1].rows[1]["val_loss"] != results[2].rows[1]["val_loss"]
