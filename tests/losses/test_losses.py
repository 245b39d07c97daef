"""The losses against hand-computed and SciPy values, by property, and by finite differences."""

from __future__ import annotations

import json
from contextlib import suppress

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, log_softmax, softmax
from sklearn.metrics import log_loss

from kseg.errors import ConfigError, UnknownNameError
from kseg.losses import LOSS_NAMES, Term, parse_loss
from kseg.losses.functions import FUNCTIONS, SegmentationLoss, cross_entropy, dice

RNG = np.random.default_rng(0)
SHAPE = (2, 5, 4)


def draw(channels: int) -> tuple[np.ndarray, np.ndarray]:
    ids = RNG.integers(0, max(2, channels), SHAPE).astype(np.uint8)
    ids[0, 0] = 255
    return ids, RNG.normal(scale=2, size=(*SHAPE, channels)).astype(np.float32)


def value(loss: object) -> float:
    return float(np.asarray(loss))


def test_binary_cross_entropy_is_scipys() -> None:
    ids, logits = draw(1)
    keep = ids != 255
    p = expit(logits[..., 0].astype(np.float64))[keep]
    y = ids[keep]
    assert value(cross_entropy(ids, logits)) == pytest.approx(
        -np.mean(y * np.log(p) + (1 - y) * np.log1p(-p)), rel=1e-5
    )


def test_categorical_cross_entropy_is_scipys() -> None:
    ids, logits = draw(4)
    keep = ids != 255
    expected = -np.take_along_axis(log_softmax(logits, axis=-1)[keep], ids[keep][:, None].astype(int), 1).mean()
    assert value(cross_entropy(ids, logits)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 4])
def test_dice_is_its_formula(channels: int) -> None:
    ids, logits = draw(channels)
    keep = ids != 255
    scores = expit(logits) if channels == 1 else softmax(logits, axis=-1)
    truth = np.stack([ids == (1 if channels == 1 else c) for c in range(channels)], -1)
    y, p = truth[keep].astype(float), scores[keep].astype(float)
    expected = np.mean(1 - (2 * (y * p).sum(0) + 1) / (y.sum(0) + p.sum(0) + 1))
    assert value(dice(ids, logits)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_dice_leaves_out_a_class_that_the_batch_lacks(channels: int) -> None:
    _, logits = draw(channels)
    nothing = np.zeros(SHAPE, np.uint8)
    if channels == 1:
        assert value(dice(nothing, logits)) == 0
    else:
        first = softmax(logits, axis=-1)[..., 0].astype(float)
        expected = 1 - (2 * first.sum() + 1) / (first.size + first.sum() + 1)
        assert value(dice(nothing, logits)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_perfect_is_zero_and_a_total_miss_is_high(name: str, channels: int) -> None:
    ids, _ = draw(channels)
    ids[ids == 255] = 0
    hot = np.eye(max(2, channels), dtype=np.float32)[ids] * 60 - 30
    right = hot[..., 1:2] if channels == 1 else hot
    assert value(FUNCTIONS[name](ids, right)) == pytest.approx(0, abs=1e-4)
    assert value(FUNCTIONS[name](ids, -right)) > 0.5


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_ignored_pixels_change_nothing(name: str) -> None:
    ids, logits = draw(3)
    other = np.where((ids == 255)[..., None], 1e4, logits)
    assert value(FUNCTIONS[name](ids, other)) == pytest.approx(value(FUNCTIONS[name](ids, logits)), rel=1e-6)


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_all_ignored_is_zero_with_a_zero_gradient(name: str, channels: int) -> None:
    logits = tf.Variable(draw(channels)[1])
    with tf.GradientTape() as tape:
        loss = FUNCTIONS[name](np.full(SHAPE, 255, np.uint8), logits)
    assert value(loss) == 0
    np.testing.assert_array_equal(tape.gradient(loss, logits), np.zeros_like(logits))


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_gradient_is_that_of_finite_differences(name: str, channels: int) -> None:
    ids, start = draw(channels)
    logits = tf.Variable(start)
    with tf.GradientTape() as tape:
        loss = FUNCTIONS[name](ids, logits)
    gradient = np.asarray(tape.gradient(loss, logits))
    direction = RNG.normal(size=start.shape).astype(np.float32)
    step = 1e-2
    up, down = (value(FUNCTIONS[name](ids, start + sign * step * direction)) for sign in (1, -1))
    assert (gradient * direction).sum() == pytest.approx((up - down) / (2 * step), rel=2e-3, abs=1e-5)


WEIGHTS = {1: (0.25, 3.0), 4: (0.5, 2.0, 0.0, 1.5)}


def log_scores(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities of all classes, float64 ``[..., K]``; one channel stands for two."""
    logits = logits.astype(np.float64)
    two = np.concatenate([np.zeros_like(logits), logits], -1) if logits.shape[-1] == 1 else logits
    scores: np.ndarray = log_softmax(two, axis=-1)
    return scores


@pytest.mark.parametrize("channels", [1, 4])
def test_weighted_cross_entropy_is_the_weighted_mean(channels: int) -> None:
    """scikit-learn's log_loss with a weight a pixel is an independent reference."""
    ids, logits = draw(channels)
    keep = ids != 255
    expected = log_loss(
        ids[keep], np.exp(log_scores(logits)[keep]), labels=range(max(2, channels)),
        sample_weight=np.array(WEIGHTS[channels])[ids[keep]],
    )  # fmt: skip
    assert value(cross_entropy(ids, logits, class_weights=WEIGHTS[channels])) == pytest.approx(expected, rel=1e-5)


def test_weighted_dice_is_the_weighted_mean_of_the_classes_present() -> None:
    _, logits = draw(4)
    ids = RNG.choice(np.array([0, 1, 2, 255], np.uint8), SHAPE)  # class 3 is absent
    keep = ids != 255
    p = softmax(logits.astype(float), axis=-1)[keep]
    y = np.eye(4)[ids[keep]]
    each = 1 - (2 * (y * p).sum(0) + 1) / (y.sum(0) + p.sum(0) + 1)
    weights = (0.5, 2.0, 1.0, 9.0)
    assert value(dice(ids, logits, class_weights=weights)) == pytest.approx(
        np.average(each[:3], weights=weights[:3]), rel=1e-5
    )


def test_weights_change_nothing_in_the_dice_of_one_channel() -> None:
    ids, logits = draw(1)
    assert value(dice(ids, logits, class_weights=(0.1, 7))) == value(dice(ids, logits))
    assert value(dice(ids, logits, class_weights=(1, 0))) == value(dice(ids, logits))


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("channels", [1, 4])
def test_only_the_ratios_of_the_weights_matter(name: str, channels: int) -> None:
    ids, logits = draw(channels)
    plain = value(FUNCTIONS[name](ids, logits))
    weighted = value(FUNCTIONS[name](ids, logits, class_weights=WEIGHTS[channels]))
    tiny = [1e-4 * weight for weight in WEIGHTS[channels]]
    assert value(FUNCTIONS[name](ids, logits, class_weights=[3] * max(2, channels))) == pytest.approx(plain, rel=1e-6)
    assert value(FUNCTIONS[name](ids, logits, class_weights=tiny)) == pytest.approx(weighted, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_weight_pulls_the_gradient_towards_its_class(channels: int) -> None:
    """A gradient step with a weighted class raises that class's score by more, and the others' by less."""
    ids, start = draw(channels)
    ids[ids == 255] = 0
    ids[0, 0] = 1
    logits = tf.Variable(start)

    def gain(weights: list[float]) -> float:
        with tf.GradientTape() as tape:
            loss = cross_entropy(ids, logits, class_weights=weights)
        gradient = np.asarray(tape.gradient(loss, logits))
        return float(-gradient[..., channels // 2].sum())  # of class 1, downhill

    heavy, even, light = (
        gain([1, 9, 1][: max(2, channels)]),
        gain([1, 1, 1][: max(2, channels)]),
        gain([9, 1, 9][: max(2, channels)]),
    )
    assert heavy > even > light


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_without_weight_or_truth_have_no_gradient(name: str, channels: int) -> None:
    ids = np.zeros(SHAPE, np.uint8)
    ids[0, 0] = 255
    logits = tf.Variable(draw(channels)[1])
    with tf.GradientTape() as tape:
        loss = FUNCTIONS[name](ids, logits, class_weights=[0, 1, 1][: max(2, channels)])
    assert value(loss) == 0
    np.testing.assert_array_equal(tape.gradient(loss, logits), np.zeros_like(logits))


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("weights", [(1, 2), (1, -1, 1), (0, 0, 0), (1, float("nan"), 1), (1, float("inf"), 1)])
def test_weights_that_are_none(name: str, weights: tuple[float, ...]) -> None:
    ids, logits = draw(3)
    with pytest.raises(ConfigError, match=r"train\.class_weights: not weights of the classes; expected 3 numbers >= 0"):
        FUNCTIONS[name](ids, logits, class_weights=weights)


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_half_precision_logits_lose_nothing(name: str) -> None:
    """Dice in float16 overflows where pixels are summed; ours computes in float32 whatever comes in."""
    ids = np.ones((1, 300, 300), np.uint8)
    logits = tf.cast(np.full((1, 300, 300, 1), 3.0, np.float32), tf.float16)
    loss = FUNCTIONS[name](ids, logits)
    assert loss.dtype == tf.float32
    assert np.isfinite(value(loss))


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(4)))
def test_the_order_of_the_batch_changes_nothing(order: list[int]) -> None:
    rng = np.random.default_rng(1)
    ids, logits = rng.integers(0, 3, (4, 3, 3)), rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    for function in FUNCTIONS.values():
        assert value(function(ids[order], logits[order])) == pytest.approx(value(function(ids, logits)), rel=1e-5)


def test_a_sum_is_its_terms() -> None:
    ids, logits = draw(3)
    loss = SegmentationLoss("cross_entropy + 0.5 * dice")
    assert value(loss(ids, logits)) == pytest.approx(
        value(cross_entropy(ids, logits)) + 0.5 * value(dice(ids, logits)), rel=1e-6
    )
    assert SegmentationLoss.from_config(loss.get_config()).expression == loss.expression


def test_a_weighted_loss_survives_keras_own_serialisation() -> None:
    ids, logits = draw(4)
    loss = SegmentationLoss("cross_entropy + 0.5 * dice", class_weights=WEIGHTS[4])
    again = keras.losses.deserialize(json.loads(json.dumps(keras.losses.serialize(loss))))
    expected = value(cross_entropy(ids, logits, class_weights=WEIGHTS[4])) + 0.5 * value(
        dice(ids, logits, class_weights=WEIGHTS[4])
    )
    assert value(loss(ids, logits)) == value(again(ids, logits)) == pytest.approx(expected, rel=1e-6)
    assert value(loss(ids, logits)) != pytest.approx(value(SegmentationLoss(loss.expression)(ids, logits)), rel=1e-3)


def test_the_table_of_names_is_the_table_of_functions() -> None:
    assert set(LOSS_NAMES) == set(FUNCTIONS)


def test_expressions() -> None:
    assert parse_loss("dice") == (Term(1.0, "dice"),)
    assert parse_loss(" .5*dice+cross_entropy ") == (Term(0.5, "dice"), Term(1.0, "cross_entropy"))


def test_a_misspelt_loss_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match=r"train\.loss: unknown loss 'dcie'; .*did you mean 'dice'\?"):
        parse_loss("dcie")


@given(st.text(max_size=20))
def test_no_text_makes_the_parser_crash(text: str) -> None:
    # Either a sum of known losses, or one of the two errors that name the key.
    with suppress(ConfigError, UnknownNameError):
        assert all(term.weight > 0 and term.name in LOSS_NAMES for term in parse_loss(text))
