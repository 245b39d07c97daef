"""The expected calibration error against a slow reading of the paper, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kseg.metrics import CalibrationCounts, calibration_counts, expected_calibration_error


def drawn(seed, size=2000, ignored=0.1):
    """Truth, answers that are right about as often as they are sure, and how sure they are."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, size).astype(np.uint8)
    confidence = rng.uniform(1 / 3, 1, size).astype(np.float32)
    likeliest = np.where(rng.random(size) < confidence, truth, (truth + 1) % 3).astype(np.uint8)
    truth[rng.random(size) < ignored] = 255
    return truth, likeliest, confidence


def slow_error(truth, likeliest, confidence, bins):
    """Bin by bin, ((b-1)/B, b/B], as Guo et al. write it."""
    known = truth != 255
    error = 0.0
    for b in range(bins):
        inside = known & (confidence > b / bins) & (confidence <= (b + 1) / bins)
        if inside.any():
            accuracy = (truth[inside] == likeliest[inside]).mean()
            error += inside.sum() / known.sum() * abs(accuracy - confidence[inside].mean(dtype=np.float64))
    return error


@given(st.integers(0, 2**16), st.sampled_from([1, 7, 10, 15]))
def test_the_error_is_that_of_a_slow_reading_of_the_paper(seed, bins):
    sample = drawn(seed)
    counts = calibration_counts(*sample, bins=bins)
    assert expected_calibration_error(counts) == pytest.approx(slow_error(*sample, bins), abs=1e-9)


def test_many_pixels_are_counted_as_few_are():
    truth, likeliest, confidence = drawn(1, size=200_000)
    counts = calibration_counts(*(array.reshape(400, 500) for array in (truth, likeliest, confidence)))
    assert counts.pixels.sum() == (truth != 255).sum()
    assert counts.hits.sum() == (truth == likeliest).sum()
    assert counts.confidence.sum() == pytest.approx(confidence[truth != 255].sum(dtype=np.float64), rel=1e-9)
    assert expected_calibration_error(counts) == pytest.approx(slow_error(truth, likeliest, confidence, 15), abs=1e-9)
    assert expected_calibration_error(counts) < 0.01  # the answers were drawn to be calibrated


def test_by_hand():
    """Four pixels that are 0.9 sure, three of them right; one is 0.6 sure and right; one is unknown."""
    truth, likeliest = np.array([1, 1, 1, 0, 0, 255]), np.array([1, 1, 1, 1, 0, 1])
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.6, 0.5], np.float32)
    counts = calibration_counts(truth, likeliest, confidence)
    assert counts.pixels.nonzero()[0].tolist() == [8, 13]  # (8/15, 9/15] and (13/15, 14/15]
    assert expected_calibration_error(counts) == pytest.approx(4 / 5 * 0.15 + 1 / 5 * 0.4)


@pytest.mark.parametrize(("right", "error"), [(True, 0.0), (False, 1.0)])
def test_sure_and_right_is_0_and_sure_and_wrong_is_1(right, error):
    truth = np.zeros((3, 4), np.uint8)
    counts = calibration_counts(truth, truth if right else truth + 1, np.ones((3, 4), np.float32))
    assert expected_calibration_error(counts) == error


def test_counts_of_parts_add_up_to_those_of_the_whole():
    sample = drawn(2)
    whole, total = calibration_counts(*sample), CalibrationCounts.zero()
    for start in range(0, 2000, 500):
        total += calibration_counts(*(array[start : start + 500] for array in sample))
    assert total.pixels.tolist() == whole.pixels.tolist()
    assert total.hits.tolist() == whole.hits.tolist()
    np.testing.assert_allclose(total.confidence, whole.confidence, rtol=1e-12)


def test_the_order_of_the_pixels_does_not_matter():
    sample = drawn(3)
    order = np.random.default_rng(0).permutation(2000)
    one, other = calibration_counts(*sample), calibration_counts(*(array[order] for array in sample))
    assert expected_calibration_error(one) == pytest.approx(expected_calibration_error(other), abs=1e-12)


def test_what_ignored_pixels_are_given_counts_nowhere():
    truth, likeliest, confidence = drawn(4)
    actual = calibration_counts(truth, likeliest, confidence)
    confidence[truth == 255], likeliest[truth == 255] = 0.35, 2
    again = calibration_counts(truth, likeliest, confidence)
    assert actual.pixels.tolist() == again.pixels.tolist()
    assert actual.confidence.tolist() == pytest.approx(again.confidence.tolist(), rel=1e-12)


def test_no_known_pixel_gives_nan():
    nothing = np.full(3, 255)
    counts = calibration_counts(nothing, nothing, np.ones(3, np.float32))
    assert math.isnan(expected_calibration_error(counts))


def test_rounding_beyond_1_is_taken_for_1_and_logits_are_refused():
    counts = calibration_counts(np.zeros(1), np.zeros(1), np.array([1.0000001], np.float32))
    assert counts.pixels[-1] == 1
    with pytest.raises(ValueError, match=r"confidence is in 0\.\.1, not 0\.5\.\.3; are these logits\?"):
        calibration_counts(np.zeros(2), np.zeros(2), np.array([0.5, 3], np.float32))
    with pytest.raises(ValueError, match=r"the shapes differ: \(1,\), \(1,\) and \(2,\)"):
        calibration_counts(np.zeros(1), np.zeros(1), np.zeros(2, np.float32))
