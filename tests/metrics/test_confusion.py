"""kseg.metrics against scikit-learn, and by hand where a score is undefined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from kseg import metrics

TRUTH = np.array([[0, 0, 1, 1], [1, 2, 255, 255]], np.uint8)
GUESS = np.array([[0, 1, 1, 1], [0, 2, 2, 0]], np.uint8)
PAIRS = hnp.arrays(np.uint8, (2, 5, 7), elements=st.sampled_from([0, 1, 2, 3]))


def test_confusion_counts_known_pixels_with_the_truth_in_the_rows():
    matrix = metrics.confusion_matrix(TRUTH, GUESS, 3)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 1]]


@given(PAIRS)
def test_scores_are_those_of_scikit_learn(pair):
    truth, guess = pair
    matrix = metrics.confusion_matrix(truth, guess, 4)
    flat = truth.ravel(), guess.ravel()
    every = {"labels": range(4), "average": None, "zero_division": np.nan}
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(*flat, labels=range(4)))
    np.testing.assert_allclose(metrics.iou(matrix), _jaccard(*flat))
    np.testing.assert_allclose(metrics.dice(matrix), sk.f1_score(*flat, **every))
    np.testing.assert_allclose(metrics.precision(matrix), sk.precision_score(*flat, **every))
    np.testing.assert_allclose(metrics.recall(matrix), sk.recall_score(*flat, **every))
    np.testing.assert_allclose(metrics.specificity(matrix), _specificity(truth, guess))
    assert metrics.pixel_accuracy(matrix) == pytest.approx(sk.accuracy_score(*flat))


def _jaccard(truth, guess):
    """scikit-learn knows no NaN here, so classes that are nowhere are asked for one by one."""
    there = set(truth) | set(guess)
    return [sk.jaccard_score(truth, guess, labels=[k], average="macro") if k in there else math.nan for k in range(4)]


def _specificity(truth, guess):
    """The recall of what is not of the class."""
    return [
        sk.recall_score(truth.ravel() != k, guess.ravel() != k, zero_division=np.nan) if (truth != k).any() else np.nan
        for k in range(4)
    ]


@given(PAIRS, st.integers(0, 2**16))
def test_the_order_of_the_pixels_does_not_matter(pair, seed):
    order = np.random.default_rng(seed).permutation(pair[0].size)
    shuffled = pair.reshape(2, -1)[:, order]
    np.testing.assert_array_equal(metrics.confusion_matrix(*pair, 4), metrics.confusion_matrix(*shuffled, 4))


@given(PAIRS)
def test_perfect_is_1_and_swapping_turns_precision_into_recall(pair):
    truth, guess = pair
    perfect = metrics.confusion_matrix(truth, truth, 4)
    for score in (metrics.iou, metrics.dice, metrics.precision, metrics.recall, metrics.specificity):
        values = score(perfect)
        assert set(values[~np.isnan(values)]) == {1.0}
    matrix, swapped = metrics.confusion_matrix(truth, guess, 4), metrics.confusion_matrix(guess, truth, 4)
    np.testing.assert_array_equal(metrics.precision(matrix), metrics.recall(swapped))
    np.testing.assert_array_equal(metrics.iou(matrix), metrics.iou(swapped))
    np.testing.assert_array_equal(metrics.dice(matrix), metrics.dice(swapped))


def test_specificity_is_defined_for_a_class_that_is_nowhere_and_not_for_one_that_is_everywhere():
    matrix = metrics.confusion_matrix(np.array([0, 0, 0]), np.array([0, 1, 1]), 3)
    assert math.isnan(metrics.specificity(matrix)[0])
    assert metrics.specificity(matrix)[1:] == pytest.approx([1 / 3, 1])


@given(PAIRS)
def test_iou_and_dice_say_the_same(pair):
    matrix = metrics.confusion_matrix(*pair, 4)
    iou = metrics.iou(matrix)
    np.testing.assert_allclose(metrics.dice(matrix), 2 * iou / (1 + iou))


def test_matrices_of_parts_add_up_to_the_matrix_of_the_whole():
    parts = sum(metrics.confusion_matrix(t, g, 3) for t, g in zip(TRUTH, GUESS, strict=True))
    np.testing.assert_array_equal(parts, metrics.confusion_matrix(TRUTH, GUESS, 3))


def test_an_absent_class_is_undefined_and_left_out_of_the_mean():
    matrix = metrics.confusion_matrix(np.array([0, 1]), np.array([0, 1]), 3)
    assert metrics.iou(matrix)[:2].tolist() == [1.0, 1.0]
    assert math.isnan(metrics.iou(matrix)[2])
    assert metrics.class_mean(metrics.iou(matrix), (1, 2)) == 1.0
    assert math.isnan(metrics.class_mean(metrics.iou(matrix), (2,)))


def test_a_missed_class_scores_zero_and_its_precision_is_undefined():
    matrix = metrics.confusion_matrix(np.array([0, 1]), np.array([0, 0]), 2)
    assert metrics.iou(matrix)[1] == metrics.recall(matrix)[1] == 0.0
    assert math.isnan(metrics.precision(matrix)[1])


def test_nothing_known_gives_nan_not_a_perfect_score():
    matrix = metrics.confusion_matrix(np.full((2, 2), 255, np.uint8), np.zeros((2, 2), np.uint8), 2)
    assert matrix.sum() == 0
    assert math.isnan(metrics.pixel_accuracy(matrix))
    assert np.isnan(metrics.iou(matrix)).all()


@pytest.mark.parametrize(
    ("truth", "guess", "text"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), r"truth is \(2, 3\) but the prediction is \(3, 2\)"),
        (np.array([0, 7]), np.array([0, 1]), r"truth holds ids 0\.\.7, outside 0\.\.1"),
        (np.array([0, 1]), np.array([0, 255]), r"prediction holds ids 0\.\.255, outside 0\.\.1"),
    ],
)
def test_ids_that_cannot_be_counted_are_refused(truth, guess, text):
    with pytest.raises(ValueError, match=text):
        metrics.confusion_matrix(truth, guess, 2)


def test_large_counts_stay_exact():
    matrix = np.array([[2**40 + 1, 0], [0, 2**30]])
    assert metrics.pixel_accuracy(matrix) == 1.0
    assert (matrix + matrix)[0, 0] == 2**41 + 2
