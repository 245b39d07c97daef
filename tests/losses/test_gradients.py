"""The gradients: against finite differences, and finite whatever the network says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kseg.losses import LOSSES
from tests.losses.cases import CASES, WEIGHTS, call, draw, gradient, perfect

every_loss = pytest.mark.parametrize("name", tuple(LOSSES))
every_case = pytest.mark.parametrize(("channels", "activation"), CASES)


@every_loss
@every_case
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_finite_differences(name: str, channels: int, activation: Any, weighted: bool) -> None:
    # The Lovász extension has an edge where two errors are equal: few pixels, so that none is near.
    ids, logits = draw(channels, shape=(1, 3, 4)) if name == "lovasz" else draw(channels)
    options = {"activation": activation, "class_weights": WEIGHTS[channels] if weighted else None}
    slopes = gradient(name, ids, logits, **options)
    step = 2e-3 if name == "lovasz" else 1e-2
    for seed in range(3):
        direction = np.random.default_rng(seed).normal(size=logits.shape).astype(np.float32)
        up, down = (call(name, ids, logits + sign * step * direction, **options) for sign in (1, -1))
        # What float32 leaves of the difference, divided by the step.
        noise = 3e-7 * up / step
        assert (slopes * direction).sum() == pytest.approx((up - down) / (2 * step), rel=5e-3, abs=noise)
    assert np.abs(slopes).max() > 1e-4


@every_loss
@every_case
def test_a_small_step_downhill_lowers_the_loss(name: str, channels: int, activation: Any) -> None:
    ids, logits = draw(channels)
    slopes = gradient(name, ids, logits, activation=activation)
    lower = logits - 0.1 * slopes / np.sqrt((slopes**2).sum())
    assert call(name, ids, lower, activation=activation) < call(name, ids, logits, activation=activation)


@every_loss
@every_case
@pytest.mark.parametrize("scale", [0.0, 1e2, 1e4])
def test_gradients_are_finite_for_any_logits(name: str, channels: int, activation: Any, scale: float) -> None:
    ids, logits = draw(channels)
    for extreme in (scale * logits, perfect(ids, channels, scale), -perfect(ids, channels, scale)):
        assert np.isfinite(gradient(name, ids, extreme, activation=activation)).all()


@every_loss
@every_case
@pytest.mark.parametrize("truth", [0, 1, 255])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (2, 3, 1)])
def test_gradients_are_finite_for_a_single_class(
    name: str, channels: int, activation: Any, truth: int, shape: tuple[int, ...]
) -> None:
    logits = np.random.default_rng(0).normal(size=(*shape, channels)).astype(np.float32)
    ids = np.full(shape, truth, np.uint8)
    assert np.isfinite(call(name, ids, logits, activation=activation))
    assert np.isfinite(gradient(name, ids, logits, activation=activation)).all()


@pytest.mark.parametrize("name", ["cross_entropy", "bce", "focal", "log_jaccard"])
@every_case
def test_what_is_wholly_wrong_is_still_pulled_right(name: str, channels: int, activation: Any) -> None:
    """Scores of about e⁻¹² on the truth: the gradient must not have vanished."""
    ids, _ = draw(channels)
    right = perfect(ids, channels, 1.0)
    slopes = gradient(name, ids, -6 * right, activation=activation)
    of_truth = (ids != 255)[..., None] & ((right > 0) | (channels == 1))
    assert (slopes * right)[of_truth].max() < -1e-7


@pytest.mark.parametrize("channels", [1, 4])
def test_a_weight_pulls_the_gradient_towards_its_class(channels: int) -> None:
    """A gradient step with a weighted class raises that class's score by more, and the others' by less."""
    ids, logits = draw(channels)
    classes = max(2, channels)

    def gain(own: float, others: float) -> float:
        weights = np.full(classes, others)
        weights[1] = own
        return float(-gradient("cross_entropy", ids, logits, class_weights=weights)[..., min(1, channels - 1)].sum())

    assert gain(9, 1) > gain(1, 1) > gain(1, 9)
