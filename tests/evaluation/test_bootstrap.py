"""Intervals by the bootstrap over images, against SciPy's, and by how often they hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kseg.evaluation import bootstrap
from kseg.evaluation.bootstrap import Interval, bootstrap_intervals, iou_drops, iou_intervals
from kseg.metrics import iou


def matrices(rng: np.random.Generator, images: int, *, classes: int = 2, hit: float = 0.9) -> np.ndarray:
    """Confusion matrices of images of about a thousand pixels, of which each image gets another share right."""
    result = []
    for share in np.clip(rng.normal(hit, 0.08, images), 0, 1):
        true = rng.multinomial(1000, rng.dirichlet(np.full(classes, 5)))
        right = rng.binomial(true, share)
        wrong = np.array([rng.multinomial(n, np.full(classes, 1 / classes)) for n in true - right])
        result.append(np.diag(right) + wrong)
    return np.array(result)


def foreground_iou(matrix: np.ndarray) -> float:
    return float(np.nanmean(iou(matrix)[1:]))


def test_interval_is_scipys() -> None:
    from scipy.stats import bootstrap as scipy_bootstrap

    sample = matrices(np.random.default_rng(1), 25, classes=3)
    ours = iou_intervals(sample, (1, 2), resamples=6000)
    theirs = scipy_bootstrap(
        (np.arange(25),), lambda index: foreground_iou(sample[index].sum(axis=0)), vectorized=False,
        n_resamples=6000, method="percentile", rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    width = theirs.high - theirs.low
    assert ours.foreground == pytest.approx((theirs.low, theirs.high), abs=0.06 * width)


def test_difference_is_paired_as_scipys() -> None:
    from scipy.stats import bootstrap as scipy_bootstrap

    rng = np.random.default_rng(3)
    first = matrices(rng, 30)
    second = first + np.array([[5, -5], [-3, 3]])[None] * rng.integers(0, 3, (30, 1, 1))
    second = np.maximum(second, 0)
    ours = iou_drops(first, second, (1,), resamples=6000)
    theirs = scipy_bootstrap(
        (np.arange(30),),
        lambda index: foreground_iou(first[index].sum(axis=0)) - foreground_iou(second[index].sum(axis=0)),
        vectorized=False, n_resamples=6000, method="percentile", rng=np.random.default_rng(4),
    ).confidence_interval  # fmt: skip
    width = theirs.high - theirs.low
    assert ours.foreground == pytest.approx((theirs.low, theirs.high), abs=0.06 * width)
    alone = iou_intervals(first, (1,)).foreground
    assert width < 0.3 * (alone.high - alone.low), "what makes an image hard for both cancels out"


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    population = matrices(rng, 4000)
    truth = foreground_iou(population.sum(axis=0))
    hits = 0
    for trial in range(300):
        sample = population[rng.integers(0, len(population), 40)]
        low, high = iou_intervals(sample, (1,), resamples=400, seed=trial).foreground
        hits += low <= truth <= high
    assert 0.90 <= hits / 300 <= 0.98


def test_a_model_is_not_below_itself() -> None:
    sample = matrices(np.random.default_rng(6), 10, classes=4)
    drops = iou_drops(sample, sample, (1, 2, 3))
    assert drops.foreground == (0, 0)
    assert drops.per_class == ((0, 0),) * 4


def test_the_sign_of_a_drop() -> None:
    good, bad = (matrices(np.random.default_rng(7), 20, hit=hit) for hit in (0.95, 0.6))
    assert iou_drops(good, bad, (1,)).foreground.low > 0
    assert iou_drops(bad, good, (1,)).foreground.high < 0


def test_a_class_that_few_images_have_counts_in_the_draws_that_have_it() -> None:
    sample = matrices(np.random.default_rng(8), 12, classes=3)
    sample[1:, 2, :] = sample[1:, :, 2] = 0
    low, high = iou_intervals(sample, (1, 2)).per_class[2]
    assert 0 < low <= high < 1
    sample[0, 2, :] = sample[0, :, 2] = 0
    assert all(map(math.isnan, iou_intervals(sample, (1, 2)).per_class[2]))


def test_one_image_says_nothing_about_others() -> None:
    sample = matrices(np.random.default_rng(9), 1)
    assert all(map(math.isnan, iou_intervals(sample, (1,)).foreground))


def test_another_statistic_of_sums() -> None:
    values = np.random.default_rng(10).normal(5, 1, 200)
    (interval,) = bootstrap_intervals(values[:, None], lambda sums: sums[:, 0] / 200)
    standard_error = values.std() / math.sqrt(200)
    assert isinstance(interval, Interval)
    middle = values.mean()
    assert interval == pytest.approx((middle - 1.96 * standard_error, middle + 1.96 * standard_error), abs=0.02)


def test_draws_in_parts_are_the_draws_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = matrices(np.random.default_rng(11), 9)
    at_once = iou_intervals(sample, (1,))
    monkeypatch.setattr(bootstrap, "_MAX_ELEMENTS", 90)
    assert iou_intervals(sample, (1,)) == at_once


def test_models_scored_on_other_images_are_not_compared() -> None:
    sample = matrices(np.random.default_rng(12), 5)
    with pytest.raises(ValueError, match=r"scored on other images or classes: \(5, 2, 2\) and \(4, 2, 2\)"):
        iou_drops(sample, sample[1:], (1,))
