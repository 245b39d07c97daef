"""Small regions, beside SciPy's way of finding them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from kseg.errors import UnknownNameError, UsageError
from kseg.inference import Predictor, drop_small_regions, parse_min_area
from kseg.labels import LabelMap
from tests.inference.artifacts import COLORS, RED, SIZE

TOUCHING = np.ones((3, 3))
"""Pixels that touch at an edge or a corner belong together."""

masks = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2))


def small_pixels(ids, min_area):
    """What is in a region that is too small, by SciPy."""
    small = np.zeros(ids.shape, bool)
    for k, least in min_area.items():
        region, count = ndimage.label(ids == k, TOUCHING)
        sizes = ndimage.sum_labels(np.ones_like(region), region, np.arange(count + 1))
        small |= (region > 0) & (sizes < least)[region]
    return small


@settings(max_examples=200, deadline=None)
@given(masks, st.dictionaries(st.integers(0, 3), st.integers(0, 30)))
def test_lost_pixels_take_the_nearest_class_and_others_keep_their_own(ids, min_area):
    before = ids.copy()
    filtered = drop_small_regions(ids, min_area)
    np.testing.assert_array_equal(ids, before)
    assert (filtered.shape, filtered.dtype) == (ids.shape, np.uint8)
    small = small_pixels(ids, min_area)
    if small.all():
        small[:] = False
    np.testing.assert_array_equal(filtered[~small], ids[~small])
    stays = np.argwhere(~small)
    for pixel in np.argwhere(small):
        distance = np.hypot(*(stays - pixel).T)
        # OpenCV measures distances with steps of a knight, to a few per cent.
        nearest = stays[distance <= distance.min() * 1.1]
        assert filtered[tuple(pixel)] in ids[tuple(nearest.T)]


def test_nothing_is_dropped_unasked():
    ids = np.eye(5, dtype=np.uint8)
    assert drop_small_regions(ids, {}) is ids
    assert drop_small_regions(ids, {1: 5, 2: 100}) is ids  # the diagonal is one region of five pixels
    assert not drop_small_regions(ids, {1: 6}).any()


def test_neighbouring_small_regions_do_not_take_each_others_place():
    ids = np.zeros((9, 12), np.uint8)
    ids[4, 4:6], ids[4, 6:8] = 1, 2
    assert not drop_small_regions(ids, {1: 3, 2: 3}).any()


def test_a_hole_is_filled_where_the_background_is_named():
    ids = np.ones((7, 7), np.uint8)
    ids[3, 3] = 0
    assert drop_small_regions(ids, {0: 2}).all()


def test_where_nothing_would_stay_all_does():
    ids = np.repeat(np.uint8([[1, 2]]), 3, 0)
    np.testing.assert_array_equal(drop_small_regions(ids, {1: 9, 2: 9}), ids)


@pytest.mark.parametrize(
    ("card", "channels"), [(RED, [0]), (COLORS, [0, 1, 2])], ids=["one channel", "a channel a class"]
)
def test_a_predictor_counts_in_the_images_own_pixels(card, channels):
    """A speck of one pixel of the network is one of four in an image twice as large."""
    scores = np.zeros((*SIZE, len(channels)), np.float32)
    scores[..., 0] = 0.4 if card is COLORS else 0.0
    scores[2, 3, -1], scores[8:12, 8:16, -1] = 1.0, 1.0
    image = np.zeros((2 * SIZE[0], 2 * SIZE[1], 3), np.uint8)
    plain = Predictor(lambda _: scores[None], card)
    class_id = card.labels.num_classes - 1
    counts = [(plain.predict(image)[:12] == class_id).sum(), (plain.predict(image) == class_id).sum()]
    assert 0 < counts[0] < counts[1]
    for least, remaining in ((int(counts[0]), counts[1]), (int(counts[0]) + 1, counts[1] - counts[0])):
        strict = Predictor(plain.run, card, min_area={class_id: least})
        ids = strict.predict(image)
        assert (ids == class_id).sum() == remaining
        np.testing.assert_array_equal(strict.ids(strict.scores(image)), ids)
        decision = strict.decide(image)
        np.testing.assert_array_equal(decision.ids, ids)
        # The calibration error is of the scores, which nothing was dropped from.
        np.testing.assert_array_equal(decision.likeliest, plain.decide(image).likeliest)
        np.testing.assert_array_equal(decision.confidence, plain.decide(image).confidence)


ROADS = LabelMap(("road", "car", "a=b"))


@pytest.mark.parametrize(
    ("given", "labels", "found"),
    [
        ((), COLORS.labels, {}),
        (("50",), COLORS.labels, {1: 50, 2: 50}),
        (("50",), ROADS, {0: 50, 1: 50, 2: 50}),
        (("50", "blue=7"), COLORS.labels, {1: 50, 2: 7}),
        (("blue=7", "50"), COLORS.labels, {1: 50, 2: 50}),
        (("50", "background=9", "red=0"), COLORS.labels, {0: 9, 2: 50}),
        (("0",), COLORS.labels, {}),
        (("a=b=3",), ROADS, {2: 3}),
    ],
)
def test_areas_are_of_every_foreground_class_or_of_a_named_one(given, labels, found):
    assert parse_min_area(given, labels) == found


@pytest.mark.parametrize("text", ["", "car", "car=", "-5", "1.5", "car=-1", "50px", "car=50=", "²", "9" * 5000])
def test_what_is_no_area_is_told(text):
    with pytest.raises(
        UsageError, match=r"--min-area: not an area; expected pixels, or a class and its pixels, .* found"
    ):
        parse_min_area([text], ROADS)


def test_an_unknown_class_is_told_with_its_like():
    with pytest.raises(UnknownNameError, match=r"--min-area: unknown class 'blu'; .* did you mean 'blue'"):
        parse_min_area(["blu=5"], COLORS.labels)


@given(st.from_regex(r"(\w*=)?[^=]*", fullmatch=True))
@example("7")
@example("car=7")
def test_any_text_is_an_area_or_one_error(text):
    try:
        areas = parse_min_area([text], ROADS)
    except UsageError as error:
        message = str(error)
        assert message.startswith("--min-area: ")
        assert text not in ("7", "car=7")
        return
    assert all(pixels > 0 for pixels in areas.values())
    assert areas or text not in ("7", "car=7")
