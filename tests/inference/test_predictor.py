"""The waist, with plain functions in place of networks."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from kseg.errors import ArtifactError, UsageError
from kseg.images import read_image
from kseg.inference import Predictor, check_threshold
from kseg.inference.predictor import with_flip
from tests.inference.artifacts import COLORS, RED, SIZE


def redness(images):
    return images[..., :1].astype(np.float32) / 255


def rgb(images):
    return images.astype(np.float32) / 255


def fixed(scores):
    """A network that always answers the same, whatever it is shown."""
    return lambda images: np.repeat(np.asarray(scores, np.float32)[None], len(images), 0)


@pytest.mark.parametrize("size", [(16, 24), (1, 1), (1, 700), (900, 2), (37, 53)])
def test_what_comes_back_has_the_images_size(size):
    image = np.zeros((*size, 3), np.uint8)
    assert Predictor(redness, RED).predict(image).shape == size
    assert Predictor(redness, RED).scores(image).shape == (*size, 1)
    ids = Predictor(rgb, COLORS).predict(image)
    assert (ids.shape, ids.dtype) == (size, np.uint8)


def test_the_network_is_given_its_own_size_whatever_the_image():
    calls = []

    def run(images):
        calls.append((images.shape, images.dtype, images.flags.c_contiguous))
        return redness(images)

    Predictor(run, RED).predict(np.zeros((50, 70, 3), np.uint8)[::2, ::2])
    assert calls == [((1, *SIZE, 3), np.uint8, True)]


def test_scores_are_resized_bilinearly_with_aligned_pixel_centres():
    rng = np.random.default_rng(0)
    native = rng.random((*SIZE, 1)).astype(np.float32)
    scores = Predictor(fixed(native), RED).scores(np.zeros((48, 72, 3), np.uint8))
    rows, columns = (np.arange(48) + 0.5) / 3 - 0.5, (np.arange(72) + 0.5) / 3 - 0.5
    expected = ndimage.map_coordinates(
        native[..., 0], np.meshgrid(rows, columns, indexing="ij"), order=1, mode="nearest"
    )
    np.testing.assert_allclose(scores[..., 0], expected, atol=1e-5)


def test_scores_are_resized_before_the_threshold():
    native = np.zeros((*SIZE, 1), np.float32)
    native[:, 12:] = 1.0  # an edge in the middle, at column 12 of 24
    ids = Predictor(fixed(native), RED, threshold=0.8).predict(np.zeros((16, 240, 3), np.uint8))
    edge = int(ids[0].argmax())
    # Thresholded first, the edge would lie at column 120; resized first, 0.8 is met 0.3 pixels of the network later.
    assert edge == 123
    assert (np.diff(ids[0].astype(int)) >= 0).all()


def test_the_best_class_is_found_after_resizing():
    native = np.zeros((*SIZE, 3), np.float32)
    native[..., 0], native[:, :12, 1], native[:, 12:, 2] = 0.4, 0.6, 0.6
    ids = Predictor(fixed(native), COLORS).predict(np.zeros((16, 240, 3), np.uint8))[0]
    # Between the two classes both fall under the background's 0.4, which resizing class ids could not know.
    assert ids[0] == 1
    assert ids[120] == 0
    assert ids[-1] == 2


@pytest.mark.parametrize("size", [(16, 24), (5, 9), (61, 47)])
def test_ids_of_the_scores_are_the_prediction(size):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    for predictor in (Predictor(redness, RED), Predictor(rgb, COLORS)):
        np.testing.assert_array_equal(predictor.ids(predictor.scores(image)), predictor.predict(image))


@pytest.mark.parametrize("size", [(16, 24), (5, 9), (61, 47)])
@pytest.mark.parametrize("threshold", [None, 0.5, 0.2, 0.9])
def test_a_decision_is_the_prediction_and_the_probability_of_the_likeliest_class(size, threshold):
    image = np.random.default_rng(2).integers(0, 256, (*size, 3), np.uint8)
    card = dataclasses.replace(RED, threshold=0.7)
    binary, several = Predictor(redness, card, threshold=threshold), Predictor(rgb, COLORS)
    decision, red = binary.decide(image), binary.scores(image)[..., 0]
    np.testing.assert_array_equal(decision.ids, binary.predict(image))
    np.testing.assert_array_equal(decision.likeliest, red >= 0.5)
    np.testing.assert_allclose(decision.confidence, np.where(red >= 0.5, red, 1 - red), atol=1e-7)
    decision = several.decide(image)
    np.testing.assert_array_equal(decision.ids, several.predict(image))
    np.testing.assert_array_equal(decision.likeliest, decision.ids)
    np.testing.assert_array_equal(decision.confidence, several.scores(image).max(-1))


def test_a_decision_runs_the_network_once():
    runs = []
    Predictor(lambda images: runs.append(1) or rgb(images), COLORS).decide(np.zeros((40, 50, 3), np.uint8))
    assert len(runs) == 1


def test_of_equal_scores_the_first_class_wins():
    ids = Predictor(fixed(np.full((*SIZE, 3), 1 / 3)), COLORS).predict(np.zeros((33, 44, 3), np.uint8))
    assert not ids.any()


def test_the_threshold_is_the_cards_unless_given():
    card = dataclasses.replace(RED, threshold=0.25)
    predictor = Predictor(fixed(np.full((*SIZE, 1), 0.25)), card)
    image = np.zeros((4, 4, 3), np.uint8)
    assert predictor.predict(image).all()
    assert not dataclasses.replace(predictor, threshold=0.3).predict(image).any()
    assert dataclasses.replace(predictor, threshold=0.0).predict(image).all()


def test_a_turned_photo_is_predicted_as_it_is_seen(tmp_path):
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:, :6] = (255, 0, 0)  # red on the left as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned a quarter clockwise: red on top
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    ids = Predictor(redness, RED).predict(read_image(tmp_path / "turned.png"))
    assert ids.shape == (24, 16)
    assert ids[:5].all()
    assert not ids[8:].any()


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_rgb_image_is_refused(image):
    with pytest.raises(ValueError, match=r"expected an RGB image uint8 \[H, W, 3\], found"):
        Predictor(redness, RED).predict(image)


def test_a_network_that_contradicts_its_card_is_told():
    with pytest.raises(
        ArtifactError, match=r"red: the network contradicts its card; expected float32 \[1, 16, 24, 1\]"
    ):
        Predictor(rgb, RED).predict(np.zeros((4, 4, 3), np.uint8))


def test_nan_does_not_pass_as_background():
    with pytest.raises(ArtifactError, match="NaN or infinite"):
        Predictor(fixed(np.full((*SIZE, 1), math.nan)), RED).predict(np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize("threshold", [-0.1, 1.5, math.nan])
def test_a_threshold_outside_0_to_1_is_a_usage_error(threshold):
    with pytest.raises(UsageError, match=r"--threshold: not a threshold; expected a number in 0\.\.1"):
        check_threshold(RED, threshold)


def test_several_classes_take_no_threshold():
    with pytest.raises(
        UsageError, match=r"takes no threshold; found 3 classes \(background, red, blue\), of which the highest"
    ):
        check_threshold(COLORS, 0.5)
    check_threshold(COLORS, None)
    check_threshold(RED, 1.0)


def leftness(images):
    """A network that is not even-handed: it adds to what it sees how far left it sees it."""
    columns = np.linspace(1, 0, images.shape[2], dtype=np.float32)[None, None, :, None]
    return redness(images) / 2 + columns / 2


def test_with_its_mirror_image_a_network_is_even_handed():
    image = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    run = with_flip(leftness)
    np.testing.assert_allclose(run(image)[:, :, ::-1], run(image[:, :, ::-1]), atol=1e-6)
    np.testing.assert_allclose(run(image), redness(image) / 2 + 0.25, atol=1e-6)
    assert not np.allclose(leftness(image)[:, :, ::-1], leftness(image[:, :, ::-1]))


def test_the_mirror_image_is_a_whole_array_of_its_own():
    """Runtimes take memory as it lies."""
    calls = []

    def run(images):
        calls.append((images.shape, images.flags.c_contiguous))
        return redness(images)

    scores = Predictor(with_flip(run), RED).scores(np.zeros((50, 70, 3), np.uint8))
    assert (scores.shape, scores.dtype) == ((50, 70, 1), np.float32)
    assert calls == [((1, *SIZE, 3), True)] * 2
