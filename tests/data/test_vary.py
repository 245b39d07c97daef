from __future__ import annotations

import cv2
import numpy as np
import pytest

from kseg.data import Augment
from kseg.data.vary import permutation, vary
from kseg.errors import ConfigError
from kseg.labels import IGNORE_INDEX

SIZE = 48


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray]:
    """A bright blob without symmetry on dark ground, and the mask that its brightness draws."""
    canvas = np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(canvas, (20, 18), (14, 7), 30, 0, 360, 255, cv2.FILLED)
    cv2.circle(canvas, (36, 34), 6, 255, cv2.FILLED)
    image = np.where(canvas[..., np.newaxis] > 0, (230, 210, 200), (40, 20, 30)).astype(np.uint8)
    return image, (canvas > 0).astype(np.uint8)


SETTINGS = {
    "hflip": Augment(hflip=1),
    "vflip": Augment(vflip=1),
    "rot90": Augment(rot90=1),
    "brightness": Augment(brightness=0.1),
    "contrast": Augment(contrast=0.3),
    "saturation": Augment(saturation=0.5),
    "scale": Augment(scale=(0.6, 1.6)),
    "rotate": Augment(rotate=45),
    "all": Augment(0.5, 0.5, 0.5, 0.1, 0.1, 0.1, (0.7, 1.5), 30),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_mask_still_fits_the_image(sample: tuple[np.ndarray, np.ndarray], name: str) -> None:
    changed = 0
    for number in range(12):
        image, mask = vary(*sample, SETTINGS[name], seed=1, number=number)
        assert image.shape == sample[0].shape
        assert image.dtype == mask.dtype == np.uint8
        inside = mask != IGNORE_INDEX
        drawn = image.mean(axis=2) > 120
        # Bilinear pixels and nearest ones part at the very edge of a shape.
        soft = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        np.testing.assert_array_equal(drawn[inside & ~soft], mask[inside & ~soft] == 1)
        changed += not np.array_equal(image, sample[0])
    assert changed >= 10


def test_nothing_is_varied_by_default(sample: tuple[np.ndarray, np.ndarray]) -> None:
    image, mask = vary(*sample, Augment(), seed=1, number=5)
    np.testing.assert_array_equal(image, sample[0])
    np.testing.assert_array_equal(mask, sample[1])


@pytest.mark.parametrize(("name", "flipped"), [("hflip", np.s_[:, ::-1]), ("vflip", np.s_[::-1])])
def test_flips_are_exact(sample: tuple[np.ndarray, np.ndarray], name: str, flipped: tuple[slice, ...]) -> None:
    image, mask = vary(*sample, SETTINGS[name], seed=0, number=0)
    np.testing.assert_array_equal(image, sample[0][flipped])
    np.testing.assert_array_equal(mask, sample[1][flipped])


def test_all_quarter_turns_come_up_and_oblong_images_keep_their_shape(
    sample: tuple[np.ndarray, np.ndarray],
) -> None:
    turned = [vary(*sample, Augment(rot90=1), seed=0, number=n)[1] for n in range(40)]
    which = {next(k for k in (1, 2, 3) if np.array_equal(np.rot90(sample[1], k), mask)) for mask in turned}
    assert which == {1, 2, 3}
    image, mask = sample[0][:20], sample[1][:20]
    for number in range(8):
        varied = vary(image, mask, Augment(rot90=1), seed=0, number=number)
        np.testing.assert_array_equal(varied[0], image[::-1, ::-1])


def test_probabilities_hold(sample: tuple[np.ndarray, np.ndarray]) -> None:
    flipped = sum(
        not np.array_equal(vary(*sample, Augment(hflip=0.3), seed=4, number=n)[1], sample[1]) for n in range(1000)
    )
    assert 240 < flipped < 360  # 300 ± 4 standard deviations


def test_chance_is_a_function_of_seed_and_number(sample: tuple[np.ndarray, np.ndarray]) -> None:
    full = SETTINGS["all"]
    first, again, other, seed = (vary(*sample, full, seed=s, number=n)[0] for s, n in ((1, 7), (1, 7), (1, 8), (2, 7)))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, seed)


def test_another_option_leaves_the_chance_of_the_rest(sample: tuple[np.ndarray, np.ndarray]) -> None:
    for number in range(10):
        alone = vary(*sample, Augment(hflip=0.5), seed=1, number=number)[1]
        both = vary(*sample, Augment(hflip=0.5, brightness=0.3), seed=1, number=number)[1]
        np.testing.assert_array_equal(alone, both)


def test_outside_is_black_and_ignored() -> None:
    image, mask = np.full((40, 60, 3), 200, np.uint8), np.ones((40, 60), np.uint8)
    varied, truth = vary(image, mask, Augment(scale=(0.5, 0.5)), seed=0, number=0)
    assert set(np.unique(truth)) == {1, IGNORE_INDEX}
    assert (truth == 1).mean() == pytest.approx(0.25, abs=0.03)
    assert (varied[truth == IGNORE_INDEX].mean(axis=1) < 200).all()
    assert (varied == 0).all(axis=2).mean() == pytest.approx(0.75, abs=0.05)


def test_enlarging_fills_the_image_with_any_part_of_it() -> None:
    columns = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    seen = set()
    for number in range(60):
        _, truth = vary(np.dstack([columns] * 3), columns, Augment(scale=(2, 2)), seed=0, number=number)
        assert IGNORE_INDEX not in truth
        assert 30 <= int(truth.max()) - int(truth.min()) <= 33
        seen |= set(np.unique(truth).tolist())
    assert len(seen) > 60


def test_a_turn_is_about_the_centre() -> None:
    image = np.zeros((41, 41, 3), np.uint8)
    image[20, 20] = 255
    for number in range(5):
        varied, _ = vary(image, np.zeros((41, 41), np.uint8), Augment(rotate=180), seed=0, number=number)
        assert np.unravel_index(varied[..., 0].argmax(), (41, 41)) == (20, 20)


def test_brightness_contrast_and_saturation_do_what_they_say() -> None:
    image = np.array([[[100, 100, 100], [180, 120, 60]]], np.uint8)
    mask = np.zeros((1, 2), np.uint8)
    for number in range(10):
        bright, _ = vary(image, mask, Augment(brightness=0.2), seed=0, number=number)
        shift = bright.astype(int) - image
        assert len(np.unique(shift)) == 1
        assert abs(shift[0, 0, 0]) <= 51
        gray, _ = vary(image, mask, Augment(saturation=0.8), seed=0, number=number)
        np.testing.assert_array_equal(gray[0, 0], [100, 100, 100])
        luma = np.array([0.299, 0.587, 0.114])
        assert gray[0, 1] @ luma == pytest.approx(image[0, 1] @ luma, abs=1.5)
        flat, _ = vary(image, mask, Augment(contrast=0.8), seed=0, number=number)
        assert flat.mean(axis=(0, 1)) @ luma == pytest.approx(image.mean(axis=(0, 1)) @ luma, abs=1.5)


@pytest.mark.parametrize("total", [1, 2, 7, 1000])
def test_an_epoch_is_a_permutation(total: int) -> None:
    orders = [permutation(total, seed=3, epoch=epoch) for epoch in range(4)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(total))
    assert total < 3 or len({tuple(order) for order in orders}) > 1
    np.testing.assert_array_equal(orders[2], permutation(total, seed=3, epoch=2))


def test_every_order_is_as_likely() -> None:
    orders = [tuple(permutation(4, seed=0, epoch=epoch)) for epoch in range(2400)]
    times = [orders.count(order) for order in set(orders)]
    assert len(times) == 24
    assert min(times) > 60  # 100 ± 4 standard deviations
    assert max(times) < 140


def test_the_order_stays_over_versions() -> None:
    """A resumed training, or one repeated elsewhere, sees the same batches."""
    assert permutation(8, seed=0, epoch=0).tolist() == [0, 2, 1, 5, 4, 3, 6, 7]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hflip": 1.5}, r"augment\.hflip: out of range; expected 0\.\.1; found 1\.5"),
        ({"contrast": -0.1}, r"augment\.contrast"),
        ({"scale": (1.2, 0.8)}, r"augment\.scale: .*0 < least ≤ greatest; found \(1\.2, 0\.8\)"),
        ({"scale": (0.0, 1.0)}, r"augment\.scale"),
        ({"rotate": 200}, r"augment\.rotate: out of range; expected 0\.\.180"),
    ],
)
def test_settings_out_of_range(given: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        Augment(**given)  # type: ignore[arg-type]
    assert error.value.exit_code == 2
