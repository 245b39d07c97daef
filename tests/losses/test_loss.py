"""Sums of losses as one Keras loss."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import pytest

from kseg.errors import ConfigError, UnknownNameError
from kseg.losses import LOSSES
from kseg.losses.loss import SegmentationLoss, SupervisedLoss
from tests.losses.cases import CASES, WEIGHTS, call, draw

ALL = " + ".join(LOSSES)


def value(loss: Any) -> float:
    return float(np.asarray(loss))


@pytest.mark.parametrize(("channels", "activation"), CASES)
def test_a_sum_is_its_terms(channels: int, activation: Any) -> None:
    ids, logits = draw(channels)
    loss = SegmentationLoss("cross_entropy + .5*focal_tversky(gamma=2, alpha=0.4)", activation=activation)
    expected = call("cross_entropy", ids, logits, activation=activation) + 0.5 * call(
        "focal_tversky", ids, logits, activation=activation, gamma=2, alpha=0.4
    )
    assert value(loss(ids, logits)) == pytest.approx(expected, rel=1e-6)
    total = sum(call(name, ids, logits, activation=activation) for name in LOSSES)
    assert value(SegmentationLoss(ALL, activation=activation)(ids, logits)) == pytest.approx(total, rel=1e-6)


def test_it_survives_keras_own_serialisation() -> None:
    ids, logits = draw(4)
    weights = WEIGHTS[4]
    loss = SegmentationLoss("bce(smoothing=0.1) + 2 * tversky(beta=0.9)", class_weights=weights, activation="sigmoid")
    again = keras.saving.deserialize_keras_object(
        json.loads(json.dumps(keras.saving.serialize_keras_object(loss))), safe_mode=True
    )
    assert isinstance(again, SegmentationLoss)
    assert again.get_config() == loss.get_config()
    expected = call("bce", ids, logits, class_weights=weights, smoothing=0.1) + 2 * call(
        "tversky", ids, logits, class_weights=weights, activation="sigmoid", beta=0.9
    )
    assert value(loss(ids, logits)) == value(again(ids, logits)) == pytest.approx(expected, rel=1e-6)
    for changed in (
        SegmentationLoss(loss.expression, activation="sigmoid"),
        SegmentationLoss(loss.expression, class_weights=weights),
        SegmentationLoss("bce + 2 * tversky", class_weights=weights, activation="sigmoid"),
    ):
        assert value(changed(ids, logits)) != pytest.approx(value(loss(ids, logits)), rel=1e-3)


def test_wrong_arguments_are_told_when_it_is_made() -> None:
    with pytest.raises(UnknownNameError, match="unknown loss 'dyce'"):
        SegmentationLoss("dyce")
    with pytest.raises(ConfigError, match="unknown activation; expected softmax or sigmoid; found 'argmax'"):
        SegmentationLoss("dice", activation="argmax")  # type: ignore[arg-type]


@pytest.mark.parametrize(("channels", "activation"), CASES)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_a_network_learns_with_all_of_them_at_once(channels: int, activation: Any, policy: str) -> None:
    """Through ``compile`` and ``fit``, where Keras casts the class ids and builds a graph."""
    ids, _ = draw(channels, shape=(4, 8, 8))
    pictures = np.eye(256, max(2, channels), dtype=np.float32)[ids]
    # From zero, so that nothing is left to chance.
    layer = keras.layers.Conv2D(channels, 1, kernel_initializer="zeros", dtype=keras.DTypePolicy(policy))
    network = keras.Sequential([keras.Input((8, 8, max(2, channels))), layer])
    loss = SegmentationLoss(ALL, class_weights=WEIGHTS[channels], activation=activation)
    network.compile(keras.optimizers.Adam(0.1), loss, jit_compile=False)
    losses = network.fit(pictures, ids, batch_size=2, epochs=12, shuffle=False, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.6 * losses[0]


HEADS = (0.5, 0.375, 0.125)


@pytest.mark.parametrize(("channels", "activation"), CASES)
def test_several_heads_are_a_weighted_sum(channels: int, activation: Any) -> None:
    ids, first = draw(channels)
    logits = [first, *(draw(channels, seed=seed)[1] for seed in (1, 2))]
    settings = {"class_weights": WEIGHTS[channels], "activation": activation}
    expected = sum(
        share * (call("cross_entropy", ids, one, **settings) + 0.5 * call("dice", ids, one, **settings))
        for share, one in zip(HEADS, logits, strict=True)
    )
    loss = SupervisedLoss("cross_entropy + 0.5 * dice", heads=HEADS, **settings)
    assert value(loss(ids, np.concatenate(logits, axis=-1))) == pytest.approx(expected, rel=1e-5)
    assert value(loss(ids, np.concatenate(logits[::-1], axis=-1))) != pytest.approx(expected, rel=1e-3)


def test_several_heads_survive_keras_own_serialisation() -> None:
    loss = SupervisedLoss("bce", heads=HEADS, class_weights=WEIGHTS[4], activation="sigmoid")
    plain = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    again = keras.saving.deserialize_keras_object(plain, safe_mode=True)
    assert isinstance(again, SupervisedLoss)
    assert again.get_config() == loss.get_config()
    ids, _ = draw(4)
    logits = np.concatenate([draw(4, seed=seed)[1] for seed in range(3)], axis=-1)
    assert value(loss(ids, logits)) == value(again(ids, logits))
