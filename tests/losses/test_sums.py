"""Sums and multiples of Keras losses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kseg.errors import ConfigError
from kseg.losses import (
    BinaryCrossentropy,
    Boundary,
    CategoricalCrossentropy,
    CategoricalFocal,
    Dice,
    FocalTversky,
    Jaccard,
    Lovasz,
    base,
)
from kseg.losses.base import LossSum
from kseg.losses.loss import SegmentationLoss
from tests.losses.cases import SHAPE, WEIGHTS, Array, draw

LOGITS: Any = {"from_logits": True}


def value(loss: Any, ids: Array, logits: Array) -> float:
    return float(np.asarray(loss(ids, logits)))


@pytest.mark.parametrize("channels", [1, 4])
def test_sums_and_multiples_are_those_of_the_values(channels: int) -> None:
    ids, logits = draw(channels)
    dice, focal, lovasz = Dice(**LOGITS), CategoricalFocal(3, **LOGITS), Lovasz(**LOGITS)
    d, f, v = (value(loss, ids, logits) for loss in (dice, focal, lovasz))
    for loss, expected in (
        (dice + focal, d + f),
        (dice + 0.5 * focal, d + 0.5 * f),
        (focal * 2 + dice, 2 * f + d),
        (sum([dice, focal, lovasz]), d + f + v),
        (sum([dice, focal]) / 4, (d + f) / 4),
        (3 * (dice + 0.5 * (focal + lovasz)), 3 * d + 1.5 * f + 1.5 * v),
        (dice + dice, 2 * d),
        (np.float32(0.5) * dice, 0.5 * d),
        (2 * SegmentationLoss("dice + lovasz") + focal, 2 * d + 2 * v + f),
    ):
        assert value(loss, ids, logits) == pytest.approx(expected, rel=1e-5)


def test_terms_may_read_the_batch_in_different_ways() -> None:
    ids, logits = draw(4)
    parts = [
        CategoricalCrossentropy(class_weights=WEIGHTS[4], **LOGITS),
        BinaryCrossentropy(**LOGITS),
        Dice(activation="sigmoid", **LOGITS),
        Jaccard(ignore_index=1, **LOGITS),
    ]
    ids = np.where(ids == 255, 0, ids)
    assert value(sum(parts), ids, logits) == pytest.approx(sum(value(part, ids, logits) for part in parts), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "channels", "times"),
    [
        (Dice() + 0.5 * CategoricalFocal() + Lovasz(), 4, 1),
        (Dice() + BinaryCrossentropy(), 1, 1),
        (Dice() + BinaryCrossentropy(), 4, 2),
        (Dice() + Dice(class_weights=[1, 2, 3, 4]) + Jaccard(class_weights=(1, 2, 3, 4)), 4, 2),
        (Dice() + Dice(ignore_index=254), 4, 2),
        (Dice() + Dice(from_logits=True), 4, 2),
        (SegmentationLoss("cross_entropy + bce + dice + boundary"), 4, 1),
    ],
)
def test_the_batch_is_prepared_once_for_all_terms_that_read_it_alike(
    loss: Any, channels: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    prepare = base.prepare
    monkeypatch.setattr(base, "prepare", lambda *args: calls.append(args) or prepare(*args))
    loss(*draw(channels))
    assert len(calls) == times


def test_it_is_written_as_it_was_made() -> None:
    loss = Dice(smooth=0) + 0.5 * CategoricalFocal(gamma=3) + BinaryCrossentropy() / 4
    assert repr(loss) == "Dice(smooth=0.0) + 0.5 * CategoricalFocal(gamma=3.0) + 0.25 * BinaryCrossentropy()"
    assert repr(2 * (Dice() + Boundary())) == "2 * Dice() + 2 * Boundary()"
    assert repr(SegmentationLoss("dice") + Dice()) == "SegmentationLoss('dice') + Dice()"


def test_it_survives_keras_own_serialisation() -> None:
    ids, logits = draw(4)
    loss = Dice(smooth=3, class_weights=WEIGHTS[4]) + 0.5 * FocalTversky(gamma=2) + 3 * SegmentationLoss("bce")
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(loss))))
    assert isinstance(again, LossSum)
    assert repr(again) == repr(loss)
    assert value(again, ids, logits) == value(loss, ids, logits)


def test_a_model_saves_and_loads_with_it(tmp_path: Path) -> None:
    ids, logits = draw(4)
    model = keras.Sequential([keras.Input((*SHAPE[1:], 4)), keras.layers.Conv2D(4, 1, activation="softmax")])
    model.compile("sgd", Dice() + 0.5 * CategoricalFocal(gamma=1))
    model.fit(logits, ids, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert repr(loaded.loss) == "Dice() + 0.5 * CategoricalFocal(gamma=1.0)"
    assert loaded.evaluate(logits, ids, verbose=0) == pytest.approx(model.evaluate(logits, ids, verbose=0), rel=1e-6)


LOADING = """
import sys
import kseg.losses
import keras
print(keras.saving.load_model(sys.argv[1]).loss)
"""


def test_a_fresh_process_loads_it_once_the_package_is_imported(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
    model.compile("sgd", 2 * Dice() + Boundary())
    model.save(tmp_path / "model.keras")
    command = [sys.executable, "-c", LOADING, str(tmp_path / "model.keras")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "2 * Dice() + Boundary()"


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_weights_are_positive(weight: float) -> None:
    with pytest.raises(ConfigError, match=rf"^wrong weight of a loss; expected a number above 0; found {weight:g}$"):
        weight * Dice()


@pytest.mark.parametrize("other", [1, "dice", keras.losses.Dice(), None])
def test_only_losses_of_kseg_add_up(other: Any) -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        Dice() + other
    with pytest.raises(TypeError):
        other + Dice()


def test_only_numbers_multiply() -> None:
    with pytest.raises(TypeError):
        Dice() * Dice()
    with pytest.raises(TypeError):
        Dice() / "2"
