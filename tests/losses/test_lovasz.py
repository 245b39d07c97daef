"""The Lovász losses: equal to the Jaccard loss of hard decisions, and to the extension by its definition."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from tests.losses.cases import Array, call, draw, perfect, reference


def jaccard_of(wrong: Array, truth: Array) -> float:
    """The Jaccard loss of a set of wrong pixels: |M| / |Y ∪ M|."""
    return float(wrong.sum() / (truth | wrong).sum())


def extension(errors: Array, truth: Array) -> float:
    """By the definition, as the integral of J over level sets: slow, and without any closed form."""
    levels = np.unique(np.concatenate([[0.0], errors]))
    parts = [(high - low) * jaccard_of(errors >= high, truth) for low, high in pairwise(levels)]
    return float(sum(parts))


@pytest.mark.parametrize("seed", range(3))
def test_softmax_is_the_extension_by_its_definition(seed: int) -> None:
    ids, logits = draw(4, seed)
    y, p = reference(ids, logits, "softmax")
    expected = np.mean([extension(np.abs(y - p)[:, c], y[:, c] > 0) for c in range(4)])
    assert call("lovasz", ids, logits) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("scale", [1, 100])
def test_of_many_pixels_it_is_the_sorted_sum_to_a_level(channels: int, scale: float) -> None:
    """Errors are counted on 65536 levels: with more pixels than that, sorting them differs by a level at most."""
    ids, logits = draw(channels, shape=(1, 400, 500))
    y, _ = reference(ids, scale * logits, "sigmoid")
    errors = np.maximum(0, 1 - scale * logits[ids != 255].astype(float) * (2 * y - 1))
    expected = np.mean([by_sorting(errors[:, c], y[:, c] > 0) for c in range(channels)])
    found = call("lovasz", ids, scale * logits, activation="sigmoid")
    assert found == pytest.approx(expected, rel=1e-5, abs=errors.max() / 65536)


def by_sorting(errors: Array, truth: Array) -> float:
    """The sum over the sorted errors, as the paper's algorithm 1 has it, in float64."""
    order = np.argsort(-errors)
    shared, union = truth.sum() - np.cumsum(truth[order]), truth.sum() + np.cumsum(~truth[order])
    return float(errors[order] @ np.diff(1 - shared / union, prepend=0.0))


@pytest.mark.parametrize("channels", [1, 4])
def test_hinge_is_the_extension_by_its_definition(channels: int) -> None:
    ids, logits = draw(channels)
    y, _ = reference(ids, logits, "sigmoid")
    errors = np.maximum(0, 1 - logits[ids != 255].astype(float) * (2 * y - 1))
    expected = np.mean([extension(errors[:, c], y[:, c] > 0) for c in range(channels)])
    assert call("lovasz", ids, logits, activation="sigmoid") == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_of_hard_decisions_it_is_scikit_learns_jaccard(seed: int) -> None:
    ids, logits = draw(4, seed)
    chosen = logits.argmax(-1)
    keep = ids != 255
    expected = 1 - jaccard_score(ids[keep], chosen[keep], average="macro")
    assert call("lovasz", ids, perfect(chosen, 4, 50.0)) == pytest.approx(expected, rel=1e-5)


def test_by_hand() -> None:
    """Two true pixels with errors ½ and 0, two others with 1 and 0: sorted 1, ½; J = 1/3 (union 3), then 2/3."""
    ids = np.array([[[1, 1, 0, 0]]], np.uint8)
    logits = np.array([0.5, 2, 0, -2], np.float32).reshape(1, 1, 4, 1)
    assert call("lovasz", ids, logits) == pytest.approx(1 / 3 + 0.5 * (2 / 3 - 1 / 3))


def test_hinge_rests_beyond_the_margin() -> None:
    ids, _ = draw(1)
    assert call("lovasz", ids, perfect(ids, 1, 1.0)) == 0
    assert call("lovasz", ids, perfect(ids, 1, 0.9)) > 0


@pytest.mark.parametrize("scale", [1, 1000])
def test_many_pixels_lose_no_digits(scale: int) -> None:
    """All errors ½: the steps of J, about 1e-6 each, must still add up to 1."""
    ids = np.zeros((1, scale, scale), np.uint8)
    ids[0, : scale // 2 + 1] = 1
    both: Any = np.zeros((1, scale, scale, 2), np.float32)
    assert call("lovasz", ids, both) == pytest.approx(0.5, rel=1e-5)
