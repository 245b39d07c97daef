"""The boundary loss: its distances against SciPy's, its values by hand, ignored pixels, and the size of images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from kseg.losses.boundary import distances, signed_distances
from tests.losses.cases import Array, call, draw, gradient, perfect, reference


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000), share=st.sampled_from([0.01, 0.1, 0.5, 0.99]),
    height=st.integers(1, 19), width=st.integers(1, 19),
)  # fmt: skip
def test_distances_are_scipys(seed: int, share: float, height: int, width: int) -> None:
    flags = (np.random.default_rng(seed).random((2, height, width, 2)) < share).astype(np.float32)
    found = np.asarray(distances(flags))
    for b, k in np.ndindex(2, 2):
        plane = flags[b, :, :, k]
        expected = distance_transform_edt(plane == 0) if plane.any() else np.zeros_like(plane)
        np.testing.assert_allclose(found[b, :, :, k], expected, rtol=1e-6)


def test_a_single_flag_in_the_corner_of_a_large_image() -> None:
    flags = np.zeros((1, 130, 257, 1), np.float32)
    flags[0, 129, 0, 0] = 1
    expected = np.hypot(*np.mgrid[-129:1, 0:257])
    np.testing.assert_allclose(np.asarray(distances(flags))[0, :, :, 0], expected, rtol=1e-6)


def signed(ids: Array, wanted: int) -> Array:
    """By SciPy: to the nearest pixel known to be of the other side, less half a pixel."""
    of_class, of_others = ids == wanted, (ids != wanted) & (ids != 255)
    outside, inside = distance_transform_edt(~of_class), distance_transform_edt(~of_others)
    return np.where(of_class, 0.5 - inside, outside - 0.5)


@pytest.mark.parametrize("seed", range(3))
def test_signed_distances_are_scipys(seed: int) -> None:
    ids, _ = draw(3, seed, (2, 9, 7))
    found, bounded = (np.asarray(x) for x in signed_distances(np.eye(256, 3, dtype=np.float32)[ids]))
    assert bounded.all()
    for b, c in np.ndindex(2, 3):
        np.testing.assert_allclose(found[b, ..., c], signed(ids[b], c), rtol=1e-6)


def test_a_class_that_is_absent_or_fills_the_image_has_no_boundary() -> None:
    ids = np.array([[[0, 0, 0]], [[0, 1, 255]]], np.uint8)
    found, bounded = (np.asarray(x) for x in signed_distances(np.eye(256, 3, dtype=np.float32)[ids]))
    np.testing.assert_array_equal(bounded, [[0, 0, 0], [1, 1, 0]])
    assert not found[0].any()
    np.testing.assert_array_equal(found[1, 0, :, 1], [0.5, -0.5, 0.5])


@pytest.mark.parametrize(("channels", "activation"), [(1, "softmax"), (3, "softmax"), (3, "sigmoid")])
def test_the_loss_is_its_formula(channels: int, activation: str) -> None:
    ids, logits = draw(channels, shape=(2, 9, 7))
    each = []
    for b in range(2):
        keep = ids[b] != 255
        y, p = reference(ids[b], logits[b], activation)
        for c in range(channels):
            phi = signed(ids[b], 1 if channels == 1 else c)[keep]
            each.append((phi * (p - y)[:, c]).mean() / np.hypot(9, 7))
    assert call("boundary", ids, logits, activation=activation) == pytest.approx(np.mean(each), rel=1e-5)


def test_by_hand() -> None:
    """One row of four, the boundary in its middle: distances 1½, ½, ½, 1½; all wrong, then the last pixel wrong."""
    ids = np.array([[[1, 1, 0, 0]]], np.uint8)
    wrong = perfect(ids, 1, -40.0)
    assert call("boundary", ids, wrong) == pytest.approx(4 / 4 / np.sqrt(17))
    last = perfect(np.array([[[1, 1, 0, 1]]], np.uint8), 1, 40.0)
    assert call("boundary", ids, last) == pytest.approx(1.5 / 4 / np.sqrt(17))


def test_far_mistakes_cost_more_than_near_ones() -> None:
    ids = np.zeros((1, 16, 16), np.uint8)
    ids[0, :, :4] = 1
    near, far = ids.copy(), ids.copy()
    near[0, :, 4], far[0, :, 15] = 1, 1
    costs = [call("boundary", ids, perfect(one, 1)) for one in (near, far)]
    assert costs[1] == pytest.approx(23 * costs[0], rel=1e-3)  # 11.5 pixels from the boundary, and ½
    assert call("dice", ids, perfect(near, 1)) == pytest.approx(call("dice", ids, perfect(far, 1)))


def test_two_softmax_channels_are_one_sigmoid() -> None:
    ids, logits = draw(1, shape=(2, 9, 7))
    two = np.concatenate([np.zeros_like(logits), logits], -1)
    assert call("boundary", ids, two) == pytest.approx(call("boundary", ids, logits), rel=1e-5)


def test_the_size_of_the_image_does_not_matter() -> None:
    """A disc that is found 10 % too large, at 64, 128 and 256 pixels."""
    losses = []
    for size in (64, 128, 256):
        radius = np.hypot(*(np.mgrid[:size, :size] + 0.5 - size / 2)) / size
        ids, found = ((radius < r)[None].astype(np.uint8) for r in (0.25, 0.275))
        losses.append(call("boundary", ids, perfect(found, 1)))
    assert losses[0] > 0
    assert losses == pytest.approx([losses[2]] * 3, rel=0.1)


def test_ignored_pixels_are_no_side_of_a_boundary() -> None:
    """A band of unknown pixels between object and background: the nearest known pixel is on its other side."""
    ids = np.array([[[1, 1, 255, 255, 0, 0]]], np.uint8)
    logits = np.zeros((1, 1, 6, 1), np.float32)
    assert call("boundary", ids, logits) == pytest.approx(0.5 * (3.5 + 2.5 + 2.5 + 3.5) / 4 / np.sqrt(37))


def test_images_without_the_class_count_nowhere() -> None:
    ids, logits = draw(1, shape=(2, 9, 7))
    ids[1] = 0
    assert call("boundary", ids, logits) == pytest.approx(call("boundary", ids[:1], logits[:1]), rel=1e-6)
    assert not gradient("boundary", ids, logits)[1].any()
