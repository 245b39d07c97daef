"""Windows of an enlarged image: together they are that image, and a network sees small things in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kseg.card import ModelCard
from kseg.errors import UsageError
from kseg.images import resize_image, resize_scores
from kseg.inference import Predictor, check_zoom, load_predictor, zoomed_scores
from kseg.labels import LabelMap
from tests.inference.artifacts import FORMS, SIZE, picture


def brightness(image):
    """A network that decides pixel by pixel."""
    return (image / 255).astype(np.float32)


@given(
    st.tuples(st.integers(2, 40), st.integers(2, 40)), st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.floats(1.01, 4), st.integers(0, 2**32 - 1),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_what_is_decided_pixel_by_pixel_is_the_enlarged_image_and_the_whole_one(size, given_size, zoom, seed):
    image = np.random.default_rng(seed).integers(0, 256, (*given_size, 3), np.uint8)
    large = (round(size[0] * zoom), round(size[1] * zoom))
    expected = brightness(resize_image(image, large)) + resize_scores(brightness(resize_image(image, size)), large)
    shapes = []

    def ask(window):
        shapes.append(window.shape)
        return brightness(window)

    np.testing.assert_allclose(zoomed_scores(ask, image, size, zoom), expected / 2, atol=1e-5)
    assert set(shapes) == {(*size, 3)}


@pytest.mark.parametrize(("zoom", "times"), [(1.2, 5), (1.5, 5), (2, 10), (3, 26), (4, 50)])
def test_how_often_the_network_is_asked(zoom, times):
    calls = []
    zoomed_scores(lambda window: calls.append(1) or brightness(window), np.zeros((9, 9, 3), np.uint8), (32, 48), zoom)
    assert len(calls) == times


def test_a_window_counts_most_in_its_middle():
    """The network says 1 in the first window, 0 elsewhere; it is asked about the whole image first."""
    answers = iter([0.0, 1.0] + [0.0] * 20)
    image = np.zeros((8, 8, 3), np.uint8)

    def ask(window):
        return np.full((*window.shape[:2], 1), next(answers), np.float32)

    along = zoomed_scores(ask, image, (16, 16), 1.5)[4, :, 0]
    assert along[0] == pytest.approx(0.5)  # the other half is of the whole image
    assert (np.diff(along) <= 1e-6).all()
    assert 0 < along[15] < along[8] < 0.5
    assert along[16] == 0


def test_small_things_are_seen():
    """A network that sees nothing narrower than three pixels, like one whose decoder ends at a third of its size."""

    def run(images):
        bright = images[..., 0] > 128
        wide = bright[:, :, 1:-1] & bright[:, :, :-2] & bright[:, :, 2:]
        return np.pad(wide, ((0, 0), (0, 0), (1, 1)))[..., None].astype(np.float32)

    card = ModelCard("wide", "none", 24, 24, LabelMap(("background", "line")))
    image = np.zeros((24, 24, 3), np.uint8)
    image[:, 10:12] = 255
    assert Predictor(run, card).scores(image).max() == 0
    scores = Predictor(run, card, zoom=2).scores(image)[..., 0]
    assert scores[:, 10:12].min() > 0.2
    assert scores[:, :9].max() == scores[:, 13:].max() == 0


@pytest.mark.parametrize("form", FORMS)
def test_every_form_can_be_asked_so(models, form):
    image, ids = picture(SIZE)
    predictor = load_predictor(models / form, zoom=1.5)
    np.testing.assert_array_equal(predictor.predict(image)[2:-2, 2:-2], ids[2:-2, 2:-2])
    assert predictor.zoom == 1.5
    decided = predictor.decide(image)
    np.testing.assert_array_equal(decided.ids, predictor.predict(image))
    assert predictor.scores(image).shape == (*SIZE, 1)


@pytest.mark.parametrize("zoom", [0.5, 4.1, float("nan"), float("inf"), -2.0])
def test_no_enlargement(models, zoom):
    with pytest.raises(UsageError, match=r"--zoom: not a zoom factor; expected a number in 1\.\.4; found"):
        check_zoom(zoom)
    with pytest.raises(UsageError, match="not a zoom factor"):
        load_predictor(models / "red.keras", zoom=zoom)
