"""Boundary scores against a slow reading of their definitions with SciPy, and by hand."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from kseg.metrics import BoundaryCounts, boundary_counts, boundary_f1, boundary_iou, hidden_share

SIZES = st.tuples(st.integers(1, 14), st.integers(1, 14))
IDS = st.sampled_from([0, 0, 0, 1, 1, 2])
PAIRS = SIZES.flatmap(lambda size: hnp.arrays(np.uint8, (2, *size), elements=IDS))
SHARES = st.tuples(st.floats(0.01, 0.4), st.floats(0.01, 0.4))
SQUARE = np.ones((3, 3), bool)


def touching(ids, known, k):
    """Of class k, the pixels beside known ones of another class."""
    return (ids == k) & known & ndimage.binary_dilation(known & (ids != k), SQUARE)


def slow_band(ids, known, k, d):
    """What eroding the class d times takes away; unknown pixels erode nothing, what is outside the image does."""
    inside = np.pad((ids == k) | ~known, d, constant_values=False)
    kept = ndimage.binary_erosion(inside, SQUARE, iterations=d)[d:-d, d:-d]
    return (ids == k) & known & ~kept


def near(points, targets, distance):
    if not targets.any():
        return np.zeros_like(points)
    return points & (ndimage.distance_transform_edt(~targets) <= distance)


def slow_scores(truth, guess, k, width, tolerance):
    """Boundary IoU and F1 of a class, pixel by pixel as the documentation says."""
    known, diagonal = truth != 255, math.hypot(*truth.shape)
    d, r = max(1, round(width * diagonal)), math.ceil(tolerance * diagonal)
    around = [ndimage.distance_transform_cdt(known, "chessboard") if not known.all() else np.inf] * 2
    seen_d, seen_r = (known & (gap > reach) for gap, reach in zip(around, (d, r), strict=True))
    bands = [slow_band(ids, known, k, d) & seen_d for ids in (truth, guess)]
    lines = [touching(ids, known, k) for ids in (truth, guess)]
    counted = [line & seen_r for line in lines]
    either = (bands[0] | bands[1]).sum()
    iou = (bands[0] & bands[1]).sum() / either if either else math.nan
    shares = [
        near(mine, other, r).sum() / mine.sum() if mine.any() else 0.0
        for mine, other in zip(counted, lines[::-1], strict=True)
    ]
    f1 = 2 * shares[0] * shares[1] / sum(shares) if sum(shares) else 0.0
    beside = known & ndimage.binary_dilation(~known, SQUARE) & (truth == k)
    lost = ((lines[0] | beside) & ~seen_r).sum()
    if lost > 0.9 * (lost + counted[0].sum()):
        return math.nan, math.nan
    return iou, f1 if counted[0].any() or counted[1].any() else math.nan


@given(PAIRS, SHARES, st.floats(0, 0.3), st.integers(0, 2**16))
def test_scores_are_those_of_a_slow_reading_of_the_definitions(pair, shares, ignored, seed):
    truth, guess = pair.copy()
    truth[np.random.default_rng(seed).random(truth.shape) < ignored] = 255
    counts = boundary_counts(truth, guess, 3, width=shares[0], tolerance=shares[1])
    expected = np.array([slow_scores(truth, guess, k, *shares) for k in range(3)])
    np.testing.assert_allclose(boundary_iou(counts), expected[:, 0], rtol=1e-12)
    np.testing.assert_allclose(boundary_f1(counts), expected[:, 1], rtol=1e-12)


def blobs(seed, size=(90, 120), classes=4):
    """Smooth regions, as masks of real things have."""
    noise = np.random.default_rng(seed).normal(size=(classes, *size))
    return np.stack([ndimage.gaussian_filter(layer, 7) for layer in noise]).argmax(0).astype(np.uint8)


@pytest.mark.parametrize("seed", range(3))
def test_the_defaults_on_smooth_regions(seed):
    truth, guess = blobs(seed), np.roll(blobs(seed), 4, axis=1)
    truth[ndimage.binary_dilation(truth == 3, iterations=2) & (truth != 3)] = 255
    counts = boundary_counts(truth, guess, 4)
    expected = np.array([slow_scores(truth, guess, k, 0.02, 0.0075) for k in range(4)])
    np.testing.assert_allclose(np.stack([boundary_iou(counts), boundary_f1(counts)], 1), expected, rtol=1e-12)
    assert 0.05 < boundary_iou(counts)[0] < 0.95
    assert 0.05 < boundary_f1(counts)[0] < 0.95


def paper_band(mask, ratio=0.02):
    """`mask_to_boundary` of the paper's program (bowenc0221/boundary-iou-api)."""
    height, width = mask.shape
    dilation = max(1, round(ratio * np.sqrt(height**2 + width**2)))
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=dilation)
    return mask - eroded[1 : height + 1, 1 : width + 1]


@pytest.mark.parametrize("seed", range(3))
def test_boundary_iou_is_that_of_the_papers_program(seed):
    truth, guess = blobs(seed), blobs(seed + 10)
    actual = boundary_iou(boundary_counts(truth, guess, 4))
    for k in range(4):
        one, other = (paper_band((ids == k).astype(np.uint8)) for ids in (truth, guess))
        assert actual[k] == (one & other).sum() / (one | other).sum()


def square(shift=0, size=60):
    mask = np.zeros((100, 100), np.uint8)
    mask[20 : 20 + size, 20 + shift : 20 + shift + size] = 1
    return mask


def test_a_square_by_hand():
    """Of 60 × 60, one column to the right: bands of 3 pixels (0.02 of 141), outlines of one, tolerance 2."""
    counts = boundary_counts(square(), square(1), 2)
    band = 60**2 - 54**2
    # The upper and lower strips share 59 columns, the two sides 2 of 3 columns of the 54 rows between.
    both = 2 * 3 * 59 + 2 * 2 * 54
    assert boundary_iou(counts)[1] == both / (2 * band - both)
    assert counts.true_outline[1] == counts.predicted_outline[1] == 4 * 59
    assert boundary_f1(counts)[1] == 1.0
    # Three columns off, all but three columns above and below and most of the sides are further than 2 away.
    counts = boundary_counts(square(), square(3), 2)
    assert counts.true_matched[1] == 2 * (57 + 2 + 2)
    assert boundary_f1(counts)[1] == pytest.approx(122 / 236)


def test_at_the_images_border_a_band_goes_on_and_an_outline_does_not():
    truth = np.ones((40, 30), np.uint8)
    counts = boundary_counts(truth, truth, 2)  # diagonal 50: one pixel wide
    assert counts.band_either.tolist() == [0, 2 * 40 + 2 * 28]
    counts = boundary_counts(truth, truth, 2, width=0.1)
    assert counts.band_either.tolist() == [0, 40 * 30 - 30 * 20]
    assert counts.true_outline.tolist() == [0, 0]
    assert math.isnan(boundary_f1(counts)[1])


@given(PAIRS)
def test_perfect_is_1_and_swapping_changes_nothing(pair):
    truth, guess = pair
    assert (boundary_iou(boundary_counts(truth, truth, 3))[np.unique(truth)] == 1).all()
    for score in (boundary_iou, boundary_f1):
        perfect = score(boundary_counts(truth, truth, 3))
        assert set(perfect[~np.isnan(perfect)]) <= {1.0}
        one_way, other_way = (score(boundary_counts(*sides, 3)) for sides in ((truth, guess), (guess, truth)))
        np.testing.assert_allclose(one_way, other_way, rtol=1e-12)


def test_the_further_off_the_lower():
    scores = [boundary_counts(square(), square(shift), 2) for shift in range(9)]
    for score in (boundary_iou, boundary_f1):
        values = [score(counts)[1] for counts in scores]
        assert values == sorted(values, reverse=True)
        assert values[0] == 1.0
        assert values[-1] < 0.5


def test_outlines_say_what_areas_hide():
    """Three pixels off all round a large square: IoU 0.87, boundary F1 0."""
    grown = np.pad(square()[3:-3, 3:-3], 3)
    grown[17:83, 17:83] = 1
    assert boundary_f1(boundary_counts(square(), grown, 2))[1] == 0.0


@given(PAIRS, st.integers(0, 2**16))
def test_predictions_on_ignored_pixels_count_nowhere(pair, seed):
    rng = np.random.default_rng(seed)
    truth, guess = pair.copy()
    truth[rng.random(truth.shape) < 0.2] = 255
    other = np.where(truth == 255, rng.integers(0, 256, truth.shape), guess).astype(np.uint8)
    actual, again = (vars(boundary_counts(truth, ids, 3)) for ids in (guess, other))
    for name, values in actual.items():
        np.testing.assert_array_equal(values, again[name])


def test_the_rim_of_ignored_pixels_is_no_outline():
    truth = square()
    truth[40:50, 40:50] = 255  # a hole of unknown truth inside the object
    counts = boundary_counts(truth, np.where(truth == 255, 0, truth), 2)
    assert counts.true_outline.tolist() == counts.predicted_outline.tolist() == [4 * 61, 4 * 59]
    assert counts.band_either[1] == 60**2 - 54**2
    assert counts.hidden_outline.tolist() == [0, 4 * 11]
    assert boundary_f1(counts)[1] == 1.0


def test_where_the_rim_of_the_object_is_ignored_there_is_nothing_to_score():
    truth = square()
    truth[ndimage.binary_dilation(truth == 1, iterations=2) & ~ndimage.binary_erosion(truth == 1, iterations=2)] = 255
    counts = boundary_counts(truth, square(12), 2)
    assert hidden_share(counts).tolist() == [1.0, 1.0]
    assert np.isnan([boundary_iou(counts), boundary_f1(counts)]).all()


def test_a_missed_class_and_a_false_alarm_score_0_and_a_class_that_is_nowhere_is_undefined():
    missed, alarm = boundary_counts(square(), 0 * square(), 3), boundary_counts(0 * square(), square(), 3)
    for score in (boundary_iou, boundary_f1):
        assert score(missed)[1] == score(alarm)[1] == 0.0
        assert math.isnan(score(missed)[2])


def test_counts_add_over_images():
    one, two = boundary_counts(square(), square(3), 2), boundary_counts(square(), square(), 2)
    total = one + two + BoundaryCounts.zero(2)
    assert boundary_iou(total)[1] == (one.band_both + two.band_both)[1] / (one.band_either + two.band_either)[1]
    assert boundary_f1(total)[1] == pytest.approx((122 + 236) / (2 * 236))
    assert all(values.dtype == np.int64 for values in vars(total).values())


@pytest.mark.parametrize(
    ("truth", "guess", "options", "text"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), {}, r"of one size, not \(2, 3\) and \(3, 2\)"),
        (np.zeros(3), np.zeros(3), {}, r"are \[H, W\] of one size"),
        (np.full((2, 2), 2), np.zeros((2, 2)), {}, r"truth holds ids 2\.\.2, outside 0\.\.1"),
        (np.zeros((2, 2)), np.full((2, 2), 255), {}, r"prediction holds ids 255\.\.255"),
        (np.zeros((2, 2)), np.zeros((2, 2)), {"width": 0}, "shares of the diagonal above 0, not 0 and 0.0075"),
        (np.zeros((2, 2)), np.zeros((2, 2)), {"tolerance": math.nan}, "not 0.02 and nan"),
    ],
)
def test_what_cannot_be_counted_is_refused(truth, guess, options, text):
    with pytest.raises(ValueError, match=text):
        boundary_counts(truth, guess, 2, **options)
