"""Every transform: that the mask still fits, eagerly and inside tf.data, and what each one means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pytest
import tensorflow as tf

from kseg.augment import TRANSFORMS, parse
from kseg.data.pipeline.transforms.apply import augment_sample
from kseg.labels import IGNORE_INDEX

Sample = tuple[np.ndarray, np.ndarray]
SIZE = (48, 64)

ALWAYS: dict[str, dict[str, Any]] = {
    "hflip": {}, "vflip": {}, "rot90": {}, "rotate": {"degrees": 45}, "scale": {"by": [0.6, 1.6]},
    "shift": {"by": 0.3}, "random_resized_crop": {"foreground": 0.5}, "brightness": {"by": 0.1},
    "contrast": {"by": 0.3}, "gamma": {"by": [0.8, 1.25]}, "hue": {"degrees": 90}, "saturation": {"by": 0.5},
    "blur": {"sigma": [0.5, 1.0]}, "noise": {"by": [0.01, 0.04]}, "jpeg": {"quality": [60, 90]}, "cutout": {},
    "mosaic": {},
}  # fmt: skip
"""Settings of each transform that change every sample, but leave its shapes to be seen."""


def always(name: str, **settings: Any) -> list[Any]:
    return [{name: {**ALWAYS[name], **settings, "p": 1.0}}]


def run(sample: Sample, items: Sequence[Any] | str, number: int = 0, **settings: Any) -> Sample:
    augment = parse(items if isinstance(items, str) else list(items))
    image, mask = augment_sample(*sample, augment, **{"seed": 1, "number": number, **settings})
    return np.asarray(image), np.asarray(mask)


@pytest.fixture
def sample() -> Sample:
    """Bright blobs without symmetry on dark ground, and the mask that their brightness draws."""
    canvas = np.zeros(SIZE, np.uint8)
    cv2.ellipse(canvas, (22, 18), (16, 8), 30, 0, 360, 255, cv2.FILLED)
    cv2.circle(canvas, (48, 34), 7, 255, cv2.FILLED)
    image = np.where(canvas[..., np.newaxis] > 0, (215, 200, 185), (40, 25, 35)).astype(np.uint8)
    return image, (canvas > 0).astype(np.uint8)


@pytest.fixture
def noise() -> Sample:
    """No two pixels alike, of equal sides."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (40, 40, 3), np.uint8), rng.integers(0, 4, (40, 40), np.uint8)


def test_the_table_is_whole() -> None:
    assert list(ALWAYS) == list(TRANSFORMS)


@pytest.mark.parametrize("name", [*ALWAYS, "light", "medium"])
def test_the_mask_still_fits_the_image(sample: Sample, name: str) -> None:
    changed = 0
    for number in range(12):
        image, mask = run(sample, always(name) if name in ALWAYS else name, number)
        assert image.shape == sample[0].shape
        assert mask.shape == sample[1].shape
        assert image.dtype == mask.dtype == np.uint8
        inside = mask != IGNORE_INDEX
        drawn = image.mean(axis=2) > 117  # half way
        # Bilinear, blurred and nearest pixels part at the very edge of a shape.
        near = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        np.testing.assert_array_equal(drawn[inside & ~near], mask[inside & ~near] == 1)
        both, either = (drawn & (mask == 1) & inside).sum(), ((drawn | (mask == 1)) & inside).sum()
        assert both > 0.9 * either
        changed += not np.array_equal(image, sample[0])
    assert changed >= 9  # a draw may come out next to nothing


@pytest.mark.parametrize("name", [*ALWAYS, "heavy"])
def test_inside_tf_data_it_does_the_same(sample: Sample, name: str) -> None:
    items = always(name) if name in ALWAYS else name
    numbers = tf.data.Dataset.range(6)

    def make(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return augment_sample(*sample, parse(items), seed=1, number=number)

    for number, (image, mask) in enumerate(numbers.map(make, num_parallel_calls=3)):
        assert image.shape == (*SIZE, 3)
        assert mask.shape == SIZE
        alone = run(sample, items, number)
        np.testing.assert_array_equal(image, alone[0])
        np.testing.assert_array_equal(mask, alone[1])


@pytest.mark.parametrize("name", ALWAYS)
def test_at_p_0_nothing_happens(noise: Sample, name: str) -> None:
    for number in range(4):
        image, mask = run(noise, [{name: {**ALWAYS[name], "p": 0.0}}], number)
        np.testing.assert_array_equal(image, noise[0])
        np.testing.assert_array_equal(mask, noise[1])


@pytest.mark.parametrize("name", ALWAYS)
def test_probabilities_hold(noise: Sample, name: str) -> None:
    items = parse([{name: {**ALWAYS[name], "p": 0.3}}])
    small = (noise[0][:8, :8], noise[1][:8, :8])
    numbers = tf.data.Dataset.range(600).map(
        lambda number: augment_sample(*small, items, seed=4, number=number), num_parallel_calls=2
    )
    changed = sum(not np.array_equal(image, small[0]) for image, _ in numbers.as_numpy_iterator())
    assert 135 < changed < 225  # 180 ± 4 standard deviations


def test_chance_is_a_function_of_seed_and_number(sample: Sample) -> None:
    first, again, other, seed = (run(sample, "heavy", n, seed=s)[0] for s, n in ((1, 7), (1, 7), (1, 8), (2, 7)))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, seed)


def test_other_transforms_leave_the_chance_of_the_rest(sample: Sample) -> None:
    for number in range(8):
        alone = run(sample, [{"rotate": {"p": 0.5}}], number)[1]
        for items in (
            [{"rotate": {"p": 0.5}}, {"brightness": 0.3}, "noise"],
            ["gamma", "hue", {"rotate": {"p": 0.5}}],
            [{"hflip": 0.0}, {"rotate": {"p": 0.5}}],
        ):
            np.testing.assert_array_equal(alone, run(sample, items, number)[1])


def test_a_transform_that_stands_twice_is_drawn_twice(noise: Sample) -> None:
    once, twice = ([{"shift": 0.2}] * n for n in (1, 2))
    moved = [run(noise, once, number) for number in range(6)]
    again = [run((moved[n][0], moved[n][1]), once, n)[1] for n in range(6)]
    assert any(not np.array_equal(run(noise, twice, n)[1], again[n]) for n in range(6))


class TestPlace:
    @pytest.mark.parametrize("rest", [[], [{"scale": [1, 1]}]], ids=["reversed", "resampled"])
    @pytest.mark.parametrize(("name", "flipped"), [("hflip", np.s_[:, ::-1]), ("vflip", np.s_[::-1])])
    def test_flips_are_exact(self, noise: Sample, name: str, flipped: Any, rest: list[Any]) -> None:
        image, mask = run((noise[0][:30], noise[1][:30]), [*always(name), *rest])
        np.testing.assert_array_equal(image, noise[0][:30][flipped])
        np.testing.assert_array_equal(mask, noise[1][:30][flipped])

    def test_quarter_turns_are_exact_and_all_come_up(self, noise: Sample) -> None:
        seen = set()
        for number in range(20):
            image, mask = run(noise, always("rot90"), number)
            turns = next(k for k in (1, 2, 3) if np.array_equal(np.rot90(noise[1], k), mask))
            np.testing.assert_array_equal(image, np.rot90(noise[0], turns))
            seen.add(turns)
        assert seen == {1, 2, 3}

    def test_oblong_images_are_turned_upside_down(self, noise: Sample) -> None:
        for number in range(4):
            image, _ = run((noise[0][:20], noise[1][:20]), always("rot90"), number)
            np.testing.assert_array_equal(image, noise[0][:20][::-1, ::-1])

    def test_it_resamples_as_opencv_does(self, noise: Sample) -> None:
        """An independent warp, over smooth pictures, since OpenCV's weights are coarser."""
        image = cv2.GaussianBlur(noise[0], (0, 0), 3)
        height, width = noise[1].shape
        marks = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.uint8) * 4
        for number in range(5):
            items = [{"rotate": 40}, {"scale": [0.7, 1.5]}, {"shift": 0.1}]
            varied, _ = run((image, noise[1]), items, number)
            seen, where = run((np.dstack([marks, marks[..., 0]]), noise[1]), items, number)
            ok = (where != IGNORE_INDEX) & (seen[..., 0] > 8) & (seen[..., 1] > 8)
            ok &= (seen[..., 0] < 4 * (width - 3)) & (seen[..., 1] < 4 * (height - 3))
            rows, columns = np.nonzero(ok)
            plane = np.column_stack([columns, rows, np.ones_like(rows)])
            fit = np.linalg.lstsq(plane, seen[ok][:, :2] / 4, rcond=None)[0].T
            reference = cv2.warpAffine(image, fit, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            assert np.abs(varied[ok].astype(int) - reference[ok]).max() <= 4

    def test_outside_is_black_and_ignored(self) -> None:
        sample = np.full((40, 60, 3), 200, np.uint8), np.ones((40, 60), np.uint8)
        image, mask = run(sample, [{"scale": [0.5, 0.5]}])
        assert set(np.unique(mask)) == {1, IGNORE_INDEX}
        assert (mask == 1).mean() == pytest.approx(0.25, abs=0.03)
        np.testing.assert_array_equal(image == 200, (mask == 1)[..., np.newaxis].repeat(3, axis=2))
        np.testing.assert_array_equal(image == 0, (mask == IGNORE_INDEX)[..., np.newaxis].repeat(3, axis=2))

    def test_enlarging_fills_the_image_with_any_part_of_it(self) -> None:
        columns = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
        seen: set[int] = set()
        for number in range(60):
            _, mask = run((np.dstack([columns] * 3), columns), [{"scale": [2, 2]}], number)
            assert IGNORE_INDEX not in mask
            assert 30 <= int(mask.max()) - int(mask.min()) <= 33
            seen |= set(np.unique(mask).tolist())
        assert len(seen) > 60

    def test_a_turn_is_about_the_centre(self) -> None:
        image = np.zeros((41, 41, 3), np.uint8)
        image[20, 20] = 255
        for number in range(5):
            varied, _ = run((image, image[..., 0]), [{"rotate": 180}], number)
            assert np.unravel_index(varied[..., 0].argmax(), (41, 41)) == (20, 20)

    def test_a_shift_moves_by_its_share_at_most(self) -> None:
        rows, columns = np.mgrid[:50, :100].astype(np.uint8)
        image = np.dstack([rows, columns, rows])
        for number in range(10):
            varied, mask = run((image, rows), [{"shift": 0.2}], number)
            ok = mask != IGNORE_INDEX
            down, across = (np.median((varied.astype(int) - image)[..., i][ok]) for i in (0, 1))
            assert abs(down) <= 10
            assert abs(across) <= 20
            assert ok.mean() == pytest.approx((1 - abs(down) / 50) * (1 - abs(across) / 100), abs=0.03)

    def test_a_crop_has_its_area_and_lies_inside(self) -> None:
        rows, columns = np.mgrid[:100, :100].astype(np.uint8)
        areas = []
        for number in range(40):
            items = [{"random_resized_crop": {"area": [0.2, 0.5], "ratio": [1, 1]}}]
            varied, mask = run((np.dstack([rows, columns, rows]), rows), items, number)
            assert IGNORE_INDEX not in mask
            height, width = (int(varied[..., i].max()) - int(varied[..., i].min()) + 1 for i in (0, 1))
            assert abs(height - width) <= 2
            areas.append(height * width / 1e4)
        assert 0.18 < min(areas) < 0.3 < 0.4 < max(areas) < 0.53

    def test_a_crop_about_objects_shows_them_all_as_often(self) -> None:
        mask = np.zeros((64, 64), np.uint8)
        mask[5:8, 5:8], mask[30:60, 30:60] = 1, 2
        image = np.zeros((64, 64, 3), np.uint8)
        items = [{"random_resized_crop": {"area": [0.02, 0.04], "ratio": [1, 1], "foreground": 1.0}}]
        shown = [run((image, mask), items, number)[1].max() for number in range(60)]
        assert 18 < shown.count(1) < 42, "a small class as often as a large one"
        assert shown.count(0) == 0
        anywhere = [{"random_resized_crop": {**items[0]["random_resized_crop"], "foreground": 0.0}}]
        blind = [run((image, mask), anywhere, number)[1].max() for number in range(60)]
        assert blind.count(1) < 5

    def test_a_crop_about_an_object_shows_it_anywhere(self) -> None:
        """Always in the middle, its place would tell what it is."""
        mask = np.zeros((64, 64), np.uint8)
        mask[32, 32] = 1
        items = [{"random_resized_crop": {"area": [0.06, 0.06], "ratio": [1, 1], "foreground": 1.0}}]
        sample = np.zeros((64, 64, 3), np.uint8), mask
        places = np.array([np.argwhere(run(sample, items, number)[1] == 1).mean(0) for number in range(40)])
        assert places.min() < 12
        assert places.max() > 52

    def test_a_crop_about_objects_where_there_are_none(self) -> None:
        sample = np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), np.uint8)
        _, mask = run(sample, always("random_resized_crop", foreground=1.0))
        assert set(np.unique(mask)) == {0}

    def test_a_crop_after_a_flip_finds_the_object(self) -> None:
        mask = np.zeros((64, 64), np.uint8)
        mask[10:13, 10:13] = 1
        items = [*always("hflip"), *always("random_resized_crop", foreground=1.0, area=[0.05, 0.06])]
        for number in range(10):
            assert (run((np.zeros((64, 64, 3), np.uint8), mask), items, number)[1] == 1).any()

    def test_without_a_background_every_class_is_an_object(self) -> None:
        mask = np.full((64, 64), 3, np.uint8)
        mask[10:13, 10:13] = 0
        items = [{"random_resized_crop": {"area": [0.02, 0.02], "foreground": 1.0}}]
        sample = np.zeros((64, 64, 3), np.uint8), mask
        shown = [(run(sample, items, number, background=None)[1] == 0).any() for number in range(20)]
        assert sum(shown) >= 5


class TestColor:
    @pytest.fixture
    def pixels(self) -> Sample:
        return np.array([[[100, 100, 100], [180, 120, 60]]], np.uint8), np.array([[0, 7]], np.uint8)

    LUMA = np.array([0.299, 0.587, 0.114])

    @pytest.mark.parametrize("number", range(6))
    def test_they_do_what_they_say(self, pixels: Sample, number: int) -> None:
        image = pixels[0]
        bright, _ = run(pixels, [{"brightness": 0.2}], number)
        shift = bright.astype(int) - image
        assert len(np.unique(shift)) == 1
        assert abs(shift[0, 0, 0]) <= 51
        for items in ([{"saturation": 0.8}], [{"hue": 60}]):
            tinted, _ = run(pixels, items, number)
            np.testing.assert_array_equal(tinted[0, 0], [100, 100, 100])
            assert tinted[0, 1] @ self.LUMA == pytest.approx(image[0, 1] @ self.LUMA, abs=1.5)
        flat, _ = run(pixels, [{"contrast": 0.8}], number)
        assert flat.mean(axis=(0, 1)) @ self.LUMA == pytest.approx(image.mean(axis=(0, 1)) @ self.LUMA, abs=1.5)

    def test_a_run_is_one_after_the_other(self, sample: Sample) -> None:
        items = [{"hue": 20}, {"saturation": 0.3}, {"contrast": 0.2}, {"brightness": 0.05}]
        for number in range(4):
            together, _ = run(sample, items, number)
            one = sample
            for item in items:
                one = run(one, [item], number)
            assert np.abs(together.astype(int) - one[0]).max() <= 3  # rounded once, not four times

    def test_gamma_keeps_black_and_white(self) -> None:
        levels = np.tile(np.arange(256, dtype=np.uint8)[np.newaxis, :, np.newaxis], (1, 1, 3))
        varied, _ = run((levels, levels[..., 0]), [{"gamma": {"by": [2, 2], "p": 1}}])
        np.testing.assert_array_equal(varied[0, :, 0], np.rint(255 * (np.arange(256) / 255) ** 2))

    @pytest.mark.parametrize("name", ["brightness", "contrast", "gamma", "hue", "saturation", "blur", "noise", "jpeg"])
    def test_masks_stay_as_they_are(self, name: str) -> None:
        mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
        image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
        np.testing.assert_array_equal(run((image, mask), always(name))[1], mask)


class TestDegraded:
    def test_blur_is_a_gaussian(self, noise: Sample) -> None:
        varied, _ = run(noise, [{"blur": {"sigma": [1.2, 1.2], "p": 1}}])
        reference = cv2.GaussianBlur(noise[0], (9, 9), 1.2, borderType=cv2.BORDER_REFLECT_101)
        assert np.abs(varied.astype(int) - reference).max() <= 1

    def test_noise_has_its_deviation(self) -> None:
        sample = np.full((64, 64, 3), 128, np.uint8), np.zeros((64, 64), np.uint8)
        grain = run(sample, [{"noise": {"by": [0.05, 0.05], "p": 1}}])[0].astype(float) - 128
        assert grain.std() == pytest.approx(0.05 * 255, rel=0.05)
        assert abs(grain.mean()) < 0.5
        assert abs(np.corrcoef(grain[..., 0].ravel(), grain[..., 1].ravel())[0, 1]) < 0.06

    def test_jpeg_is_what_a_jpeg_file_shows(self, noise: Sample) -> None:
        varied, _ = run(noise, [{"jpeg": {"quality": [40, 40], "p": 1}}])
        data = cv2.imencode(".jpg", noise[0][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
        reference = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
        assert np.abs(varied.astype(int) - reference).mean() < 8
        assert np.abs(varied.astype(int) - noise[0]).mean() > 8

    def test_cutout_is_black_and_ignored_and_of_its_size(self) -> None:
        sample = np.full((50, 100, 3), 200, np.uint8), np.ones((50, 100), np.uint8)
        for number in range(6):
            image, mask = run(sample, [{"cutout": {"size": [0.2, 0.2], "count": 1, "p": 1}}], number)
            hole = mask == IGNORE_INDEX
            assert hole.any(axis=1).sum() == 10
            assert hole.any(axis=0).sum() == 20
            assert hole.sum() == 200
            np.testing.assert_array_equal(image, np.where(hole, 0, 200)[..., np.newaxis].repeat(3, axis=2))


class TestMosaic:
    def test_it_has_parts_of_the_sample_around_a_point(self) -> None:
        rows, columns = np.mgrid[:40, :60].astype(np.uint8)
        centres = set()
        for number in range(10):
            image, mask = run((np.dstack([rows, columns, rows]), rows), always("mosaic"), number)
            np.testing.assert_array_equal(mask, image[..., 0])
            down = np.flatnonzero(np.diff(image[:, 0, 0].astype(int)) != 1)
            across = np.flatnonzero(np.diff(image[0, :, 1].astype(int)) != 1)
            assert len(down) == len(across) == 1
            centres.add((int(down[0]), int(across[0])))
            assert 9 <= down[0] <= 30
            assert 14 <= across[0] <= 45
        assert len(centres) > 5
