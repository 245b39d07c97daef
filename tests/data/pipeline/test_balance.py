"""Weights of classes and images, against the formulas of the papers written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.utils.class_weight import compute_class_weight

from kseg.data.pipeline.balance import METHODS, class_weights, sample_weights

#                 background  rare  absent  large where it is
PIXELS = np.array([[90, 10, 0, 0], [100, 0, 0, 0], [60, 0, 0, 40], [95, 5, 0, 0]], np.int64)
TABLES = arrays(np.int64, st.tuples(st.integers(1, 12), st.integers(2, 6)), elements=st.integers(0, 10_000))


def scaled(weights: list[float]) -> np.ndarray:
    """As they are given out: a mean of 1 over the classes that occur (here all but the third)."""
    array = np.array(weights)
    return np.insert(array / array.mean(), 2, 0.0)


def test_inverse_is_scikit_learns_balanced() -> None:
    pixels = np.repeat([0, 1, 3], PIXELS.sum(axis=0)[[0, 1, 3]])
    reference = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=pixels)
    np.testing.assert_allclose(class_weights("inverse", PIXELS), scaled(list(reference)))


def test_median_frequency() -> None:
    """By hand: the class that fills 40% of its one image is no rarer than one that has 7.5% of its two."""
    frequency = [345 / 400, 15 / 200, 40 / 100]
    np.testing.assert_allclose(class_weights("median", PIXELS), scaled([0.4 / f for f in frequency]))


def test_effective_number_of_images() -> None:
    """The expected volume of Cui et al. as their recursion E_n = 1 + β E_{n-1}."""

    def effective(images: int) -> float:
        volume = 0.0
        for _ in range(images):
            volume = 1 + 0.999 * volume
        return volume

    np.testing.assert_allclose(class_weights("effective", PIXELS), scaled([1 / effective(n) for n in (4, 2, 1)]))


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40, deadline=None)
@given(pixels=TABLES)
def test_class_weights_are_finite_with_a_mean_of_one(method: str, pixels: np.ndarray) -> None:
    weights = class_weights(method, pixels)  # type: ignore[arg-type]
    occurs = pixels.sum(axis=0) > 0
    assert np.isfinite(weights).all()
    assert (weights[~occurs] == 0).all()
    assert (weights[occurs] > 0).all()
    if occurs.any():
        assert weights[occurs].mean() == pytest.approx(1)


@pytest.mark.parametrize("method", ["inverse", "effective"])
def test_the_rarer_class_weighs_more(method: str) -> None:
    background, rare, _, _ = class_weights(method, PIXELS)  # type: ignore[arg-type]
    assert rare > background


def test_even_classes_weigh_one() -> None:
    for method in METHODS:
        np.testing.assert_allclose(class_weights(method, np.full((5, 3), 7)), 1)


def test_an_image_weighs_as_its_rarest_class() -> None:
    expected = np.array([1 / 2, 1 / 4, 1, 1 / 2])
    np.testing.assert_allclose(sample_weights(PIXELS), expected / expected.mean())
    np.testing.assert_array_equal(sample_weights(PIXELS > 0), sample_weights(PIXELS))


def test_an_image_without_truth_is_not_drawn() -> None:
    weights = sample_weights(np.array([[3, 0], [0, 0], [1, 1]]))
    assert weights[1] == 0
    assert weights.mean() == pytest.approx(1)
    np.testing.assert_array_equal(sample_weights(np.zeros((3, 2), np.int64)), [1, 1, 1])


@settings(max_examples=60, deadline=None)
@given(pixels=TABLES)
def test_rare_classes_are_drawn_more_often_than_by_chance(pixels: np.ndarray) -> None:
    """The class in the fewest images has at least the share of draws that it has of the images."""
    weights = sample_weights(pixels)
    has = pixels > 0
    assert weights.shape == (len(pixels),)
    assert weights.mean() == pytest.approx(1)
    images = has.sum(axis=0)
    if (images > 0).any():
        rarest = int(np.flatnonzero(images == images[images > 0].min())[0])
        assert weights[has[:, rarest]].mean() >= weights.mean() - 1e-9
