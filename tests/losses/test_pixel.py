"""Cross-entropies and focal loss against SciPy, scikit-learn, Keras and hand-computed values."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import expit, log_softmax
from sklearn.metrics import log_loss

from tests.losses.cases import CASES, WEIGHTS, call, draw, reference


def log_scores(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities of all classes, float64 ``[..., K]``; one channel stands for two."""
    logits = logits.astype(np.float64)
    two = np.concatenate([np.zeros_like(logits), logits], -1) if logits.shape[-1] == 1 else logits
    scores: np.ndarray = log_softmax(two, axis=-1)
    return scores


@pytest.mark.parametrize("channels", [1, 4])
def test_cross_entropy_is_scipys(channels: int) -> None:
    ids, logits = draw(channels)
    keep = ids != 255
    expected = -np.take_along_axis(log_scores(logits)[keep], ids[keep][:, None].astype(int), 1).mean()
    assert call("cross_entropy", ids, logits) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 4])
def test_weighted_cross_entropy_is_scikit_learns(channels: int) -> None:
    ids, logits = draw(channels)
    keep = ids != 255
    expected = log_loss(
        ids[keep], np.exp(log_scores(logits)[keep]), labels=range(max(2, channels)),
        sample_weight=np.array(WEIGHTS[channels])[ids[keep]],
    )  # fmt: skip
    assert call("cross_entropy", ids, logits, class_weights=WEIGHTS[channels]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 4])
def test_bce_is_a_mean_over_the_channels(channels: int) -> None:
    ids, logits = draw(channels)
    y, p = reference(ids, logits, "sigmoid")
    expected = -np.mean(y * np.log(p) + (1 - y) * np.log1p(-p))
    for activation in ("softmax", "sigmoid"):
        assert call("bce", ids, logits, activation=activation) == pytest.approx(expected, rel=1e-5)
    assert call("cross_entropy", ids, logits, activation="sigmoid") == call("bce", ids, logits)


def test_one_channel_has_one_cross_entropy() -> None:
    ids, logits = draw(1)
    assert call("bce", ids, logits, smoothing=0.2) == call("cross_entropy", ids, logits, smoothing=0.2)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize(("channels", "activation"), CASES)
def test_label_smoothing_is_keras_own(channels: int, activation: Any, smoothing: float) -> None:
    ids, logits = draw(channels)
    keep = ids != 255
    truth = reference(ids, logits, activation)[0].astype(np.float32)
    kind = (
        keras.losses.CategoricalCrossentropy
        if (channels, activation) == (4, "softmax")
        else keras.losses.BinaryCrossentropy
    )
    expected = float(kind(from_logits=True, label_smoothing=smoothing)(truth, logits[keep]))
    assert call("cross_entropy", ids, logits, activation=activation, smoothing=smoothing) == pytest.approx(
        expected, rel=1e-5
    )


def test_smoothed_truth_is_best_met_with_doubt() -> None:
    """With smoothing s and two classes the best score of the truth is 1 - s / 2."""
    ids = np.ones((1, 1, 1), np.uint8)
    losses = {p: call("cross_entropy", ids, np.log(p / (1 - p)) * np.ones((1, 1, 1, 1), np.float32), smoothing=0.2)
              for p in (0.85, 0.9, 0.95)}  # fmt: skip
    assert min(losses, key=lambda p: losses[p]) == 0.9
    assert losses[0.9] == pytest.approx(-0.9 * np.log(0.9) - 0.1 * np.log(0.1), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize(("channels", "activation"), CASES)
def test_focal_is_its_formula(channels: int, activation: Any, gamma: float) -> None:
    ids, logits = draw(channels)
    y, p = reference(ids, logits, activation)
    right = p[y > 0] if (channels, activation) == (4, "softmax") else np.where(y > 0, p, 1 - p)
    expected = np.mean(-((1 - right) ** gamma) * np.log(right))
    assert call("focal", ids, logits, activation=activation, gamma=gamma) == pytest.approx(expected, rel=1e-5)


def test_focal_by_hand() -> None:
    """Lin et al. say of γ = 2 that a pixel of p = 0.9 has 1 % of its cross-entropy left."""
    ids, logit = np.ones((1, 1, 1), np.uint8), np.full((1, 1, 1, 1), np.log(9), np.float32)
    assert call("focal", ids, logit) == pytest.approx(0.01 * -np.log(0.9), rel=1e-5)
    assert call("focal", ids, -logit) == pytest.approx(0.81 * -np.log(0.1), rel=1e-5)


@pytest.mark.parametrize(("channels", "activation"), CASES)
def test_focal_without_gamma_is_cross_entropy(channels: int, activation: Any) -> None:
    ids, logits = draw(channels)
    options = {"activation": activation, "class_weights": WEIGHTS[channels]}
    expected = call("cross_entropy", ids, logits, **options)
    assert call("focal", ids, logits, gamma=0.0, **options) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("logit", [8.0, 12.0, 16.0])
def test_focal_keeps_its_digits_for_easy_pixels(logit: float) -> None:
    """With 1 - p taken from a rounded p there would be none left."""
    ids, logits = np.ones((1, 1, 1), np.uint8), np.full((1, 1, 1, 1), logit, np.float32)
    miss = expit(-logit)
    assert call("focal", ids, logits, gamma=1.0) == pytest.approx(-miss * np.log1p(-miss), rel=1e-4)
