"""Drawn faces: what the demo trains on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from kseg.data.find import find_dataset
from kseg.data.spec import DataSpec, Fractions
from kseg.demo.canvas import Canvas, Pose
from kseg.demo.faces import draw_face, make_faces
from kseg.demo.glasses import SHAPES, Glasses, draw_glasses, pick_glasses
from kseg.errors import OutputError
from kseg.images import read_image, read_mask


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_same_state_draws_the_same_face_and_another_state_another_one():
    first, again, other = draw_face(rng(1), (64, 80)), draw_face(rng(1), (64, 80)), draw_face(rng(2), (64, 80))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert np.abs(first[0].astype(int) - other[0]).mean() > 5


@pytest.mark.parametrize("size", [(64, 64), (96, 72), (50, 110)])
def test_a_face_has_the_size_asked_for(size):
    image, mask = draw_face(rng(), size)
    assert image.shape == (*size, 3)
    assert mask.shape == size
    assert image.dtype == mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 1}


def test_a_bare_face_has_an_empty_mask():
    assert not any(draw_face(rng(seed), (64, 64), glasses=False)[1].any() for seed in range(20))


def test_eyeglasses_are_one_thing_of_a_sensible_size():
    masks = [draw_face(rng(seed), (96, 96))[1] for seed in range(60)]
    shares = np.array([mask.mean() for mask in masks])
    assert shares.min() > 0.01
    assert shares.max() < 0.35
    assert shares.max() > 2 * shares.min()
    # A lock of hair may cut off a temple, no more.
    for mask in masks:
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        assert stats[1:, cv2.CC_STAT_AREA].max() > 0.6 * mask.sum()


def test_faces_vary_in_light_and_place():
    faces = [draw_face(rng(seed), (64, 64)) for seed in range(40)]
    assert np.std([image.mean() for image, _ in faces]) > 15
    rows = [np.nonzero(mask)[0].mean() for _, mask in faces]
    columns = [np.nonzero(mask)[1].mean() for _, mask in faces]
    assert np.std(rows) > 2
    assert np.std(columns) > 2


def test_every_make_of_glasses_is_worn():
    worn = [pick_glasses(rng(seed), (200, 150, 120)).shape for seed in range(200)]
    assert all(shape in worn for shape in SHAPES.values())


def test_a_frame_stands_out_from_the_skin():
    skin = (190.0, 155.0, 80.0)
    for seed in range(100):
        assert np.abs(np.subtract(pick_glasses(rng(seed), skin).color, skin)).max() > 35


SUNGLASSES = Glasses(
    shape=SHAPES["square"], center=(0.48, 0.0), half=0.38, aspect=0.8, rim=0.1, color=(10, 10, 200),
    half_rim=False, tint=(20, 20, 20), alpha=0.9, fade=0.0, glare=0.0,
)  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("yaw", [-0.4, 0.0, 0.4])
def test_the_mask_is_what_was_drawn_but_for_the_shadow(name, yaw):
    canvas = Canvas(200, 200, Pose((100, 100), 60, yaw, 0.1, 0.2))
    canvas.image[:] = 200
    draw_glasses(canvas, rng(), replace(SUNGLASSES, shape=SHAPES[name]))
    drawn = (canvas.image != 200).any(axis=2)
    assert (canvas.mask > 0).mean() > 0.08
    assert drawn[canvas.mask > 0].all()
    outside = canvas.image[drawn & (canvas.mask == 0)]
    # Where the mask ends only the cast shadow goes on: paler than the frame (red 10) and the lenses (30 or so).
    assert outside.min(initial=255) > 100


def test_clear_lenses_belong_to_the_mask():
    canvas = Canvas(200, 200, Pose((100, 100), 60, 0.0, 0.0, 0.0))
    draw_glasses(canvas, rng(), replace(SUNGLASSES, alpha=0.0))
    assert canvas.mask[100, 100 + round(0.48 * 60)] == 255
    assert canvas.mask[100, 100 - round(0.48 * 60)] == 255


def test_a_turned_head_shows_one_temple_more_than_the_other():
    def reach(yaw: float) -> tuple[int, int]:
        canvas = Canvas(300, 300, Pose((150, 150), 80, yaw, 0.0, 0.0))
        draw_glasses(canvas, rng(), SUNGLASSES)
        lens = [canvas.pose.project(SUNGLASSES.lens(side))[:, 0] for side in (-1, 1)]
        columns = np.nonzero(canvas.mask.any(axis=0))[0]
        return round(lens[0].min() - columns.min()), round(columns.max() - lens[1].max())

    left, right = reach(0.4)
    assert left > right + 15
    left, right = reach(-0.4)
    assert right > left + 15


def test_a_see_through_colour_fades_from_top_to_bottom_and_may_leave_the_picture():
    canvas = Canvas(60, 60, Pose((30, 30), 20, 0.0, 0.0, 0.0))
    square = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    canvas.tint(square, (255, 255, 255), 1.0, fade=1.0)
    column = canvas.image[11:49, 30, 0].astype(int)
    assert column[0] > 240
    assert column[-1] < 20
    assert (np.diff(column) <= 0).all()
    before = canvas.image.copy()
    canvas.tint(np.add(square, (9, 0, 0)), (255, 0, 0), 1.0)
    np.testing.assert_array_equal(canvas.image, before)


def test_a_folder_of_faces_is_a_data_set(tmp_path: Path):
    folder = make_faces(tmp_path / "faces", 40, size=(48, 64), seed=3)
    dataset = find_dataset(
        DataSpec(root=folder, classes=None, values=None, colors=None, split=Fractions(0.5, 0.25, 0.25, 0))
    )
    samples = dataset.samples("all")
    assert len(samples) == 40
    assert dataset.labels.is_binary
    for sample in samples:
        assert sample.image.suffix == ".jpg"
        assert sample.mask is not None
        mask = read_mask(sample.mask)
        assert read_image(sample.image).shape == (48, 64, 3)
        assert mask.shape == (48, 64)
        assert set(np.unique(mask)) <= {0, 255}
    bare = sum(not read_mask(sample.mask).any() for sample in samples if sample.mask)
    assert 1 <= bare <= 14


def test_a_face_of_a_folder_depends_on_the_seed_and_not_on_the_count(tmp_path: Path):
    two = make_faces(tmp_path / "two", 2, size=(32, 32), seed=5)
    four = make_faces(tmp_path / "four", 4, size=(32, 32), seed=5)
    other = make_faces(tmp_path / "other", 2, size=(32, 32), seed=6)
    for name in ("images/face_0001.jpg", "masks/face_0001.png"):
        assert (two / name).read_bytes() == (four / name).read_bytes()
    assert (two / "images/face_0001.jpg").read_bytes() != (other / "images/face_0001.jpg").read_bytes()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="the output folder cannot be written"):
        make_faces(tmp_path / "file", 1)
