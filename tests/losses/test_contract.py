"""What holds for every loss: its least and greatest values, ignored pixels, class weights, number types, graphs."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kseg.errors import ConfigError
from kseg.losses import LOSSES
from kseg.losses.functions import FUNCTIONS
from tests.losses.cases import CASES, SHAPE, WEIGHTS, call, compute, draw, gradient, perfect

NAMES = tuple(FUNCTIONS)
OF_PIXELS = ("cross_entropy", "bce", "focal")
OF_REGIONS = ("dice", "jaccard", "log_jaccard", "tversky", "focal_tversky", "lovasz", "boundary")
BOUNDED = ("dice", "generalized_dice", "jaccard", "tversky", "focal_tversky", "boundary")

every_loss = pytest.mark.parametrize("name", NAMES)
every_case = pytest.mark.parametrize(("channels", "activation"), CASES)


def test_the_table_of_arguments_is_that_of_the_functions() -> None:
    assert list(LOSSES) == list(FUNCTIONS)
    for name, function in FUNCTIONS.items():
        batch, *own = inspect.signature(function).parameters.values()
        assert batch.name == "batch"
        assert {key: argument.default for key, argument in LOSSES[name].items()} == {p.name: p.default for p in own}
        assert all(p.kind is p.KEYWORD_ONLY for p in own)


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in LOSSES.items() for key in keys])
@every_case
def test_both_ends_of_an_argument_s_range_can_be_trained_with(
    name: str, key: str, channels: int, activation: Any
) -> None:
    ids, logits = draw(channels)
    argument = LOSSES[name][key]
    ends = [call(name, ids, logits, activation=activation, **{key: value}) for value in (argument.low, argument.high)]
    assert np.isfinite(ends).all()
    assert ends[0] != pytest.approx(ends[1], rel=1e-3)
    for value in (argument.low, argument.high):
        assert np.isfinite(gradient(name, ids, 1e3 * logits, activation=activation, **{key: value})).all()


@every_loss
@every_case
def test_perfect_is_zero_and_a_total_miss_is_high(name: str, channels: int, activation: Any) -> None:
    ids, logits = draw(channels)
    right = perfect(ids, channels)
    assert call(name, ids, right, activation=activation) == pytest.approx(0, abs=1e-5)
    # The boundary loss is then the mean distance, which is about half a pixel here, of a diagonal of six.
    assert call(name, ids, -right, activation=activation) > (0.05 if name == "boundary" else 0.5)
    assert 0.01 < call(name, ids, logits, activation=activation) < call(name, ids, -right, activation=activation)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([0.1, 3.0, 1e4]), case=st.sampled_from(CASES))
def test_bounds(seed: int, scale: float, case: tuple[int, Any]) -> None:
    channels, activation = case
    ids, logits = draw(channels, seed)
    for name in NAMES:
        high = 1.0 if name in BOUNDED or (name, channels, activation) == ("lovasz", 4, "softmax") else np.inf
        loss = call(name, ids, scale * logits, activation=activation)
        assert 0 <= loss <= high + 1e-6
        assert np.isfinite(loss)


@every_loss
@every_case
@pytest.mark.parametrize("strange", [1e4, -1e4, np.inf, np.nan])
def test_ignored_pixels_change_nothing(name: str, channels: int, activation: Any, strange: float) -> None:
    ids, logits = draw(channels)
    void = (ids == 255)[..., None]
    other = np.where(void, np.float32(strange), logits)
    assert call(name, ids, other, activation=activation) == call(name, ids, logits, activation=activation)
    np.testing.assert_array_equal(
        gradient(name, ids, other, activation=activation), gradient(name, ids, logits, activation=activation)
    )
    assert not gradient(name, ids, logits, activation=activation)[ids == 255].any()


@every_loss
@every_case
def test_the_ignored_id_is_what_the_caller_says(name: str, channels: int, activation: Any) -> None:
    ids, logits = draw(channels)
    other = np.where(ids == 255, 77, ids)
    assert call(name, other, logits, activation=activation, ignore_index=77) == call(
        name, ids, logits, activation=activation
    )


@every_loss
@every_case
def test_all_ignored_is_zero_with_a_zero_gradient(name: str, channels: int, activation: Any) -> None:
    ids, logits = np.full(SHAPE, 255, np.uint8), draw(channels)[1]
    for weights in (None, WEIGHTS[channels]):
        assert call(name, ids, logits, activation=activation, class_weights=weights) == 0
        np.testing.assert_array_equal(
            gradient(name, ids, logits, activation=activation, class_weights=weights), 0 * logits
        )


# The boundary loss has the diagonal of the whole image; test_boundary.py has its own.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "boundary"])
@every_case
def test_ignored_pixels_are_as_if_cut_away(name: str, channels: int, activation: Any) -> None:
    ids, logits = draw(channels)
    ids[:, 0] = 255
    assert call(name, ids, logits, activation=activation) == pytest.approx(
        call(name, ids[:, 1:], logits[:, 1:], activation=activation), rel=1e-5
    )


@every_loss
@every_case
def test_the_order_of_the_batch_changes_nothing(name: str, channels: int, activation: Any) -> None:
    ids, logits = draw(channels, shape=(4, 5, 4))
    order = [2, 0, 3, 1]
    expected = call(name, ids, logits, activation=activation, class_weights=WEIGHTS[channels])
    shuffled = call(name, ids[order], logits[order], activation=activation, class_weights=WEIGHTS[channels])
    assert shuffled == pytest.approx(expected, rel=1e-5)


@every_loss
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_classes_may_be_named_in_another_order(name: str, activation: Any) -> None:
    ids, logits = draw(4)
    order = np.array([2, 0, 3, 1])
    renamed = np.where(ids == 255, 255, np.argsort(order)[np.minimum(ids, 3)])
    weights = np.array(WEIGHTS[4])
    assert call(
        name, renamed, logits[..., order], activation=activation, class_weights=weights[order]
    ) == pytest.approx(call(name, ids, logits, activation=activation, class_weights=weights), rel=1e-5)


@every_loss
@every_case
def test_only_the_ratios_of_the_weights_matter(name: str, channels: int, activation: Any) -> None:
    ids, logits = draw(channels)
    plain = call(name, ids, logits, activation=activation)
    weighted = call(name, ids, logits, activation=activation, class_weights=WEIGHTS[channels])
    tiny = [1e-4 * weight for weight in WEIGHTS[channels]]
    assert call(name, ids, logits, activation=activation, class_weights=[3] * max(2, channels)) == pytest.approx(
        plain, rel=1e-6
    )
    assert call(name, ids, logits, activation=activation, class_weights=tiny) == pytest.approx(weighted, rel=1e-5)


@pytest.mark.parametrize("name", OF_PIXELS)
@every_case
def test_weighted_pixels_are_the_weighted_mean_of_their_classes(name: str, channels: int, activation: Any) -> None:
    ids, logits = draw(channels)
    classes = max(2, channels)
    each = [call(name, ids, logits, activation=activation, class_weights=row) for row in np.eye(classes)]
    counts = np.bincount(ids[ids != 255], minlength=classes)
    for weights in (WEIGHTS[channels], (1.0,) * classes):
        expected = np.average(each, weights=counts * np.array(weights))
        assert call(name, ids, logits, activation=activation, class_weights=weights) == pytest.approx(
            expected, rel=1e-5
        )


@pytest.mark.parametrize("name", OF_REGIONS)
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_weighted_regions_are_the_weighted_mean_of_the_classes_present(name: str, activation: Any) -> None:
    ids, logits = draw(4)
    ids[ids == 3] = 0  # class 3 is absent, and its weight with it
    each = [call(name, ids, logits, activation=activation, class_weights=row) for row in np.eye(4)]
    assert each[3] == 0
    for weights in ((0.5, 2.0, 1.0, 9.0), (1.0, 1.0, 1.0, 1.0)):
        expected = np.average(each[:3], weights=weights[:3])
        assert call(name, ids, logits, activation=activation, class_weights=weights) == pytest.approx(
            expected, rel=1e-5
        )
    assert call(name, ids, logits, activation=activation) == pytest.approx(np.mean(each[:3]), rel=1e-5)


@pytest.mark.parametrize("name", OF_REGIONS)
def test_weights_change_nothing_in_the_region_of_one_channel(name: str) -> None:
    ids, logits = draw(1)
    for weights in ((0.1, 7), (1, 0)):
        assert call(name, ids, logits, class_weights=weights) == call(name, ids, logits)


@every_loss
@pytest.mark.parametrize(("channels", "activation"), CASES)
def test_pixels_without_weight_have_no_gradient(name: str, channels: int, activation: Any) -> None:
    ids, logits = np.zeros(SHAPE, np.uint8), draw(channels)[1]
    ids[0, 0] = 255
    weights = [0, 1, 1, 1][: max(2, channels)]
    assert call(name, ids, logits, activation=activation, class_weights=weights) == 0
    np.testing.assert_array_equal(gradient(name, ids, logits, activation=activation, class_weights=weights), 0 * logits)


@every_loss
@pytest.mark.parametrize("weights", [(), (1, -1, 1, 1), (0,) * 4, (1, float("nan"), 1, 1), (1, float("inf"), 1, 1)])
def test_wrong_weights(name: str, weights: tuple[float, ...]) -> None:
    ids, logits = draw(4)
    with pytest.raises(
        ConfigError, match=r"^wrong class_weights; expected numbers >= 0, one per class, not all 0; found"
    ):
        call(name, ids, logits, class_weights=weights)


@every_loss
def test_as_many_weights_as_classes(name: str) -> None:
    message = r"^class_weights do not fit y_pred; expected 4 numbers, one per class; found 2$"
    with pytest.raises(ConfigError, match=message):
        call(name, *draw(4), class_weights=(1, 2))


@every_loss
def test_an_unknown_activation(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^unknown activation; expected softmax or sigmoid; found 'relu'$"):
        call(name, *draw(4), activation="relu")


@every_loss
@every_case
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logits_lose_nothing(name: str, channels: int, activation: Any, dtype: str) -> None:
    """Where pixels are summed in float16, Dice overflows; ours computes in float32 whatever comes in."""
    ids, logits = draw(channels, shape=(1, 300, 300))
    half = tf.cast(logits, dtype)
    loss = compute(name, ids, half, activation=activation)
    assert loss.dtype == tf.float32
    assert float(loss) == call(name, ids, tf.cast(half, tf.float32), activation=activation)


@every_loss
@every_case
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_ids_of_any_type(name: str, channels: int, activation: Any, dtype: Any) -> None:
    ids, logits = draw(channels)
    assert call(name, ids.astype(dtype), logits, activation=activation) == call(
        name, ids.astype(np.int32), logits, activation=activation
    )


@every_loss
@every_case
def test_a_graph_of_unknown_batch_size_says_the_same(name: str, channels: int, activation: Any) -> None:
    ids, logits = draw(channels)

    @tf.function(
        input_signature=[tf.TensorSpec((None, *SHAPE[1:]), tf.uint8), tf.TensorSpec((None, *SHAPE[1:], channels))]
    )
    def graph(ids: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = compute(name, ids, logits, activation=activation, class_weights=WEIGHTS[channels])
        return loss, tape.gradient(loss, logits)

    for size in (1, 2):
        loss, slope = graph(ids[:size], logits[:size])
        options = {"activation": activation, "class_weights": WEIGHTS[channels]}
        assert float(loss) == pytest.approx(call(name, ids[:size], logits[:size], **options), rel=1e-5)
        expected = gradient(name, ids[:size], logits[:size], **options)
        np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-7)
