"""The region losses against their formulas in float64, hand-computed values, and one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.losses.cases import CASES, SHAPE, Array, call, draw, reference

every_case = pytest.mark.parametrize(("channels", "activation"), CASES)


def sums(ids: Array, logits: Array, activation: str) -> tuple[Array, Array, Array]:
    y, p = reference(ids, logits, activation)
    return (y * p).sum(0), p.sum(0), y.sum(0)


FORMULAS: dict[str, Any] = {
    "dice": lambda s, p, y, smooth=1: 1 - (2 * s + smooth) / (p + y + smooth),
    "jaccard": lambda s, p, y, smooth=1: 1 - (s + smooth) / (p + y - s + smooth),
    "log_jaccard": lambda s, p, y, smooth=1: -np.log((s + smooth) / (p + y - s + smooth)),
    "tversky": lambda s, p, y, alpha=0.3, beta=0.7, smooth=1: (
        1 - (s + smooth) / (s + alpha * (p - s) + beta * (y - s) + smooth)
    ),
    "focal_tversky": lambda s, p, y, alpha=0.3, beta=0.7, gamma=4 / 3, smooth=1: (
        FORMULAS["tversky"](s, p, y, alpha, beta, smooth) ** (1 / gamma)
    ),
}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *((name, {}) for name in FORMULAS),
        ("dice", {"smooth": 0.0}),
        ("jaccard", {"smooth": 5.0}),
        ("log_jaccard", {"smooth": 0.01}),
        ("tversky", {"alpha": 2.0, "beta": 0.1, "smooth": 0.0}),
        ("focal_tversky", {"alpha": 0.8, "beta": 0.2, "gamma": 0.5, "smooth": 0.0}),
    ],
)
@every_case
def test_each_is_its_formula(name: str, arguments: dict[str, float], channels: int, activation: Any) -> None:
    ids, logits = draw(channels)
    expected = np.mean(FORMULAS[name](*sums(ids, logits, activation), **arguments))
    assert call(name, ids, logits, activation=activation, **arguments) == pytest.approx(expected, rel=1e-5)


def test_by_hand() -> None:
    """Four pixels with scores 1, ½, ½, 0 of which the first two are true: S = 1.5, P = 2, Y = 2."""
    ids = np.array([[[1, 1, 0, 0]]], np.uint8)
    logits = np.array([40, 0, 0, -40], np.float32).reshape(1, 1, 4, 1)
    assert call("dice", ids, logits) == pytest.approx(1 - 4 / 5)
    assert call("dice", ids, logits, smooth=0) == pytest.approx(1 - 3 / 4)
    assert call("jaccard", ids, logits) == pytest.approx(1 - 2.5 / 3.5)
    assert call("log_jaccard", ids, logits) == pytest.approx(np.log(3.5 / 2.5))
    assert call("tversky", ids, logits, smooth=0) == pytest.approx(1 - 1.5 / (1.5 + 0.3 * 0.5 + 0.7 * 0.5))
    assert call("focal_tversky", ids, logits, smooth=0, gamma=2) == pytest.approx(0.25**0.5)
    # Both classes have two pixels and 1.5 of them, so the weights are equal.
    assert call("generalized_dice", ids, logits) == pytest.approx(1 - 2 * 3 / 8)


@every_case
def test_tversky_holds_dice_and_jaccard(channels: int, activation: Any) -> None:
    ids, logits = draw(channels)
    half = call("tversky", ids, logits, activation=activation, alpha=0.5, beta=0.5, smooth=0.5)
    assert half == pytest.approx(call("dice", ids, logits, activation=activation, smooth=1), rel=1e-5)
    whole = call("tversky", ids, logits, activation=activation, alpha=1, beta=1)
    assert whole == pytest.approx(call("jaccard", ids, logits, activation=activation), rel=1e-5)
    assert call("focal_tversky", ids, logits, activation=activation, gamma=1) == pytest.approx(
        call("tversky", ids, logits, activation=activation), rel=1e-5
    )


def test_beta_is_the_price_of_missed_pixels() -> None:
    ids = np.array([[[1, 1, 0, 0]]], np.uint8)
    missed, wrong = (np.array(x, np.float32).reshape(1, 1, 4, 1) for x in ([40, -40, -40, -40], [40, 40, 40, -40]))
    assert call("tversky", ids, missed, alpha=0.1, beta=0.9) > call("tversky", ids, wrong, alpha=0.1, beta=0.9)
    assert call("tversky", ids, missed, alpha=0.9, beta=0.1) < call("tversky", ids, wrong, alpha=0.9, beta=0.1)


@pytest.mark.parametrize("name", FORMULAS)
@every_case
@pytest.mark.parametrize("smooth", [1.0, 0.001])
def test_a_class_that_the_batch_lacks_is_left_out(name: str, channels: int, activation: Any, smooth: float) -> None:
    logits = draw(channels)[1]
    nothing = np.zeros(SHAPE, np.uint8)
    present = () if channels == 1 else (0,)
    s, p, y = sums(nothing, logits, activation)
    expected = [FORMULAS[name](s[c], p[c], y[c], smooth=smooth) for c in present] or [0]
    assert call(name, nothing, logits, activation=activation, smooth=smooth) == pytest.approx(
        np.mean(expected), rel=1e-5
    )


def generalized(ids: Array, logits: Array, activation: str, weights: Any = 1.0) -> float:
    y, p = reference(ids, logits, activation)
    if y.shape[-1] == 1:
        y, p = np.concatenate([1 - y, y], -1), np.concatenate([1 - p, p], -1)
    held = y.sum(0) > 0
    w = (weights / np.where(held, y.sum(0), np.inf) ** 2)[held]
    return float(1 - 2 * (w * (y * p).sum(0)[held]).sum() / (w * (y + p).sum(0)[held]).sum())


@every_case
@pytest.mark.parametrize("lacking", [None, 1])
def test_generalized_dice_is_its_formula(channels: int, activation: Any, lacking: int | None) -> None:
    ids, logits = draw(channels)
    ids[ids == lacking] = 0
    assert call("generalized_dice", ids, logits, activation=activation) == pytest.approx(
        generalized(ids, logits, activation), rel=1e-5
    )
    weights = np.arange(1.0, 1 + max(2, channels))
    assert call("generalized_dice", ids, logits, activation=activation, class_weights=weights) == pytest.approx(
        generalized(ids, logits, activation, weights), rel=1e-5
    )


def test_generalized_dice_of_one_channel_is_that_of_two() -> None:
    ids, logits = draw(1)
    two = np.concatenate([np.zeros_like(logits), logits], -1)
    assert call("generalized_dice", ids, logits) == pytest.approx(call("generalized_dice", ids, two), rel=1e-5)


def test_generalized_dice_hears_a_class_of_one_pixel_in_a_large_batch() -> None:
    ids = np.zeros((4, 256, 256), np.uint8)
    ids[0, 5, 5] = 1
    missed = np.full((4, 256, 256, 1), -20, np.float32)
    found = missed.copy()
    found[0, 5, 5] = 20
    assert call("generalized_dice", ids, missed) == pytest.approx(1, abs=1e-4)
    assert call("generalized_dice", ids, found) == pytest.approx(0, abs=2e-3)
