"""The preparation of a batch: the forms of truth, the options, and what a batch holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kseg.losses.batch import BatchOptions, prepare

IDS = np.array([[[0, 2, 255]]], np.uint8)
LOGITS = np.array([[[[1, 2, 3], [4, 5, 6], [7, 8, np.nan]]]], np.float32)
LOGIT = BatchOptions(from_logits=True)


def arrays(*tensors: Any) -> list[Any]:
    return [np.asarray(tensor).tolist() for tensor in tensors]


def test_ignored_pixels_are_blanked() -> None:
    batch = prepare(IDS, LOGITS, LOGIT)
    assert arrays(batch.ids, batch.valid) == [[[[0, 2, 0]]], [[[1, 1, 0]]]]
    assert arrays(batch.logits) == [[[[[1, 2, 3], [4, 5, 6], [0, 0, 0]]]]]
    assert arrays(batch.truth) == [[[[[1, 0, 0], [0, 0, 1], [0, 0, 0]]]]]
    np.testing.assert_allclose(np.asarray(batch.probabilities).sum(-1), [[[1, 1, 0]]], rtol=1e-6)
    assert (batch.channels, batch.sigmoid, batch.multi_hot) == (3, False, None)


def test_one_hot_without_a_class_or_with_a_value_above_one_is_ignored() -> None:
    one_hot = np.array([[[[0, 0, 1], [0, 0, 0], [255, 255, 255]]]])
    batch = prepare(one_hot, LOGITS, LOGIT)
    assert arrays(batch.ids, batch.valid) == [[[[2, 0, 0]]], [[[1, 0, 0]]]]


def test_multi_hot_has_any_number_of_classes() -> None:
    multi_hot = np.array([[[[1, 0, 1], [0, 0, 0], [255, 255, 255]]]])
    batch = prepare(multi_hot, LOGITS, BatchOptions(from_logits=True, activation="sigmoid"))
    assert batch.ids is None
    assert arrays(batch.truth, batch.valid) == [[[[[1, 0, 1], [0, 0, 0], [0, 0, 0]]]], [[[1, 1, 0]]]]


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_an_ignored_class_of_one_hot_truth(activation: Any) -> None:
    """With softmax any id may be the ignored one; with sigmoid a pixel has no single id."""
    one_hot = np.eye(3)[[[[0, 1, 2]]]]
    batch = prepare(one_hot, 0 * LOGITS, BatchOptions(ignore_index=1, from_logits=True, activation=activation))
    assert arrays(batch.valid) == [[[[1, 0 if activation == "softmax" else 1, 1]]]]


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_probabilities_become_finite_logits(activation: Any) -> None:
    probabilities = np.array([[[[0, 1, 0], [0.25, 0.5, 0.25], [np.nan, 0, 1]]]], np.float32)
    batch = prepare(IDS, probabilities, BatchOptions(activation=activation))
    assert np.isfinite(batch.logits).all()
    np.testing.assert_allclose(batch.probabilities[0, 0, :2], probabilities[0, 0, :2], atol=3e-7)
    assert not np.asarray(batch.logits)[0, 0, 2].any()


def test_weights_of_pixels_and_channels() -> None:
    batch = prepare(IDS, LOGITS, BatchOptions((1, 2, 3), from_logits=True))
    assert arrays(batch.pixel_weights, batch.channel_weights) == [[[[1, 3, 0]]], [1, 2, 3]]
    batch = prepare(np.minimum(IDS, 1), LOGITS[..., :1], BatchOptions((4, 5), from_logits=True))
    assert arrays(batch.pixel_weights, batch.channel_weights) == [[[[4, 5, 5]]], [1]]
    batch = prepare(IDS, LOGITS, LOGIT)
    assert arrays(batch.pixel_weights, batch.channel_weights) == [[[[1, 1, 0]]], [1, 1, 1]]


def test_options_are_plain_and_equal_by_value() -> None:
    options = BatchOptions(np.array([1, 2.5]), np.int64(7))  # type: ignore[arg-type]
    plain = {"class_weights": [1.0, 2.5], "ignore_index": 7, "from_logits": False, "activation": None}
    assert options.to_plain() == plain
    assert BatchOptions(**plain) == options
    assert hash(BatchOptions(**plain)) == hash(options)


@pytest.mark.parametrize(
    ("activation", "channels", "resolved"),
    [(None, 1, "sigmoid"), (None, 2, "softmax"), ("softmax", 1, "sigmoid"), ("sigmoid", 3, "sigmoid")],
)
def test_one_channel_is_a_sigmoid_and_several_a_softmax_by_default(
    activation: Any, channels: int, resolved: str
) -> None:
    assert BatchOptions(activation=activation).resolve(channels).activation == resolved
