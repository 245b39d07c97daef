"""What may reach pycocotools, and that what is drawn is what it draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from kseg.data.formats.outlines import draw_polygons, draw_runs
from kseg.data.run_lengths import Unusable

SIZE = (20, 30)


def pixels(encoded: object) -> np.ndarray:
    return coco.decode(encoded).astype(bool)  # type: ignore[no-any-return]


@given(st.lists(st.tuples(st.floats(-25, 45), st.floats(-25, 45)), min_size=3, max_size=12))
def test_polygons_near_the_picture_are_drawn_as_pycocotools_does(points: list[tuple[float, float]]) -> None:
    flat = [number for point in points for number in point]
    expected = coco.frPyObjects([flat], *SIZE)[0]
    encoded, _ = draw_polygons([flat], SIZE)
    assert (encoded is None) == (coco.area(expected) == 0)
    if encoded is not None:
        np.testing.assert_array_equal(pixels(encoded), pixels(expected))


def test_an_edge_that_comes_from_far_away_keeps_its_slope() -> None:
    # The half of the picture below the line from (0, 0) to (30, 20), drawn by a triangle a million times as large.
    near, _ = draw_polygons([[0.0, 0.0, 30.0, 20.0, 0.0, 20.0]], SIZE)
    far, _ = draw_polygons([[-3e7, -2e7, 3e7, 2e7, -3e7, 2e7]], SIZE)
    assert near is not None
    assert far is not None
    assert (pixels(near) != pixels(far)).mean() < 0.02
    assert pixels(far)[15, 5]
    assert not pixels(far)[5, 15]


def test_several_parts_are_one_object() -> None:
    encoded, reasons = draw_polygons([[0, 0, 5, 0, 5, 5, 0, 5], [10, 10, 15, 10, 15, 15, 10, 15], [1, 1, 2, 2]], SIZE)
    assert encoded is not None
    assert pixels(encoded).sum() == 50
    assert reasons == ["fewer than 3 points"]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ([0, 0, 5, 5], "fewer than 3 points"),
        ([], "fewer than 3 points"),
        ([0, 0, 5, 5, 5], "an odd number of coordinates"),
        ([0, 0, 5, 5, 5, "1"], "a coordinate that is no number"),
        ([0, 0, 5, 5, 5, True], "a coordinate that is no number"),
        ([0, 0, 5, 5, 5, None], "a coordinate that is no number"),
        ("000000", "a coordinate that is no number"),
        ({"x": 1}, "a coordinate that is no number"),
        ([0, 0, 5, 5, 5, math.nan], "a coordinate that is not finite"),
        ([0, 0, 5, 5, 5, math.inf], "a coordinate that is not finite"),
        ([0, 0, 5, 5, 5, 10**400], "a coordinate that is not finite"),
        ([0, 0, 5, 5, 5, 1e300], "a coordinate beyond 1e\\+12"),
        ([100, 100, 110, 100, 110, 110], "no pixel inside the picture"),
        ([1e9, 1e9, 2e9, 1e9, 2e9, 2e9], "no pixel inside the picture"),
        ([3, 3, 3, 3, 3, 3], "no pixel inside the picture"),
        ([0, 0, 30, 20] * 300_000, "an outline of millions of pixels"),
    ],
)
def test_a_polygon_that_cannot_be_drawn(part: object, reason: str) -> None:
    encoded, reasons = draw_polygons([part], SIZE)
    assert encoded is None
    assert len(reasons) == 1
    with pytest.raises(ValueError, match=reason):
        raise ValueError(reasons[0])


def encode(mask: np.ndarray) -> str:
    return coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()  # type: ignore[no-any-return]


def count(mask: np.ndarray) -> list[int]:
    """Run lengths down the columns, beginning with zeros."""
    flat = mask.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *edges, flat.size]).tolist()
    return [0, *lengths] if flat[0] else lengths


@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.98))
@settings(max_examples=60)
def test_runs_compressed_or_not_are_the_mask(seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random(SIZE) < share
    mask[0, 1] = True
    for counts in (encode(mask), count(mask)):
        np.testing.assert_array_equal(pixels(draw_runs({"size": list(SIZE), "counts": counts}, SIZE)), mask)


def test_long_runs() -> None:
    size = (4000, 5000)
    mask = np.zeros(size, bool)
    mask[:, 2500:] = True
    encoded = draw_runs({"size": list(size), "counts": encode(mask)}, size)
    np.testing.assert_array_equal(pixels(encoded), mask)


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        ({"counts": [600]}, "another size"),
        ({"size": [30, 20], "counts": [0, 600]}, "another size"),
        ({"size": [20.0, 30.0], "counts": [0, 600]}, "another size"),
        ({"size": [20, 30, 1], "counts": [0, 600]}, "another size"),
        ({"size": [-20, -30], "counts": [0, 600]}, "another size"),
        ({"size": [20, 30]}, "neither numbers nor text"),
        ({"size": [20, 30], "counts": []}, "no whole numbers"),
        ({"size": [20, 30], "counts": [0, True]}, "no whole numbers"),
        ({"size": [20, 30], "counts": [0, 600.5]}, "no whole numbers"),
        ({"size": [20, 30], "counts": [700, -100]}, "no whole numbers"),
        ({"size": [20, 30], "counts": [0, 599]}, "do not add up"),
        ({"size": [20, 30], "counts": [0, 2**32 + 600]}, "do not add up"),
        ({"size": [20, 30], "counts": [0, 10**30]}, "do not add up"),
        ({"size": [20, 30], "counts": [600]}, "no pixel inside"),
        ({"size": [20, 30], "counts": ""}, "damaged"),
        ({"size": [20, 30], "counts": "oooooooooooo"}, "damaged"),
        ({"size": [20, 30], "counts": "0é"}, "damaged"),
        ({"size": [20, 30], "counts": "01\x00"}, "damaged"),
        ({"size": [20, 30], "counts": "0O"}, "damaged"),
        ({"size": [20, 30], "counts": "05"}, "do not add up"),
    ],
)
def test_runs_that_cannot_be_drawn(runs: dict[str, object], reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        draw_runs(runs, SIZE)


@given(st.one_of(st.text(), st.text(alphabet=[chr(i) for i in range(48, 112)]), st.lists(st.integers())))
@example([0, 600])
@settings(max_examples=400)
def test_no_run_lengths_crash(counts: object) -> None:
    try:
        drawn = draw_runs({"size": list(SIZE), "counts": counts}, SIZE)
    except Unusable:
        assert counts != [0, 600]
        return
    assert pixels(drawn).shape == SIZE


NUMBERS = st.one_of(st.floats(), st.integers(), st.sampled_from([0, 1e12, -1e12, 1e9, 3e7, -5.5]), st.booleans())


@given(st.lists(st.one_of(st.lists(NUMBERS, max_size=14), st.text(max_size=6), st.none()), max_size=4))
@example([[0, 0, 9, 0, 9, 9]])
@settings(max_examples=400)
def test_no_polygon_crashes(parts: list[object]) -> None:
    encoded, reasons = draw_polygons(parts, SIZE)
    if encoded is None:
        assert reasons or not parts
        assert parts != [[0, 0, 9, 0, 9, 9]]
    else:
        assert pixels(encoded).any()
