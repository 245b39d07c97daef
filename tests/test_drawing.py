from __future__ import annotations

import numpy as np
import pytest

from kseg.drawing import legend, overlay, panel, spotlight
from kseg.labels import LabelMap

GLASSES = LabelMap(("background", "glasses"), colors=((0, 0, 0), (255, 0, 0)))
ROAD = LabelMap(("sky", "road", "car"), colors=((0, 0, 255), (0, 255, 0), (255, 0, 0)))


@pytest.fixture
def image() -> np.ndarray:
    return np.full((60, 80, 3), 100, np.uint8)


def test_the_background_stays_untouched(image: np.ndarray) -> None:
    drawn = overlay(image, np.zeros((60, 80), np.uint8), GLASSES)
    np.testing.assert_array_equal(drawn, image)
    assert drawn is not image


def test_the_inside_is_tinted_and_the_edge_is_drawn(image: np.ndarray) -> None:
    ids = np.zeros((60, 80), np.uint8)
    ids[20:40, 20:60] = 1
    drawn = overlay(image, ids, GLASSES, alpha=0.25)
    np.testing.assert_array_equal(drawn[30, 40], [139, 75, 75])  # a quarter of the way from 100 to the colour
    np.testing.assert_array_equal(drawn[20, 40], [255, 0, 0])
    np.testing.assert_array_equal(drawn[ids == 0], image[ids == 0])


def test_a_class_at_the_frame_has_no_contour_there(image: np.ndarray) -> None:
    drawn = overlay(image, np.ones((60, 80), np.uint8), GLASSES, alpha=0.5)
    assert (drawn == drawn[30, 40]).all()


def test_without_a_background_all_classes_are_tinted(image: np.ndarray) -> None:
    ids = np.zeros((60, 80), np.uint8)
    ids[:, 40:] = 2
    drawn = overlay(image, ids, ROAD, alpha=0.5)
    np.testing.assert_array_equal(drawn[30, 10], [50, 50, 178])
    np.testing.assert_array_equal(drawn[30, 70], [178, 50, 50])


def test_ignored_pixels_are_hatched_in_grey(image: np.ndarray) -> None:
    image[:] = (200, 0, 0)
    ids = np.zeros((60, 80), np.uint8)
    ids[:, 40:] = 255
    drawn = overlay(image, ids, GLASSES)
    np.testing.assert_array_equal(drawn[:, :40], image[:, :40])
    shades = np.unique(drawn[:, 40:].reshape(-1, 3), axis=0)
    assert len(shades) == 2
    assert (np.abs(shades - 128.0).max(axis=1) < 128).all()


def test_overlay_takes_any_number_of_classes(image: np.ndarray) -> None:
    many = LabelMap(tuple(f"class_{i}" for i in range(255)))
    ids = np.arange(60 * 80).reshape(60, 80).astype(np.uint8)
    assert overlay(image, ids, many).shape == image.shape


def test_a_panel_holds_every_picture_whole_in_its_tile() -> None:
    wide, tall = np.full((10, 40, 3), (255, 0, 0), np.uint8), np.full((400, 100, 3), (0, 0, 255), np.uint8)
    sheet = panel([[wide, tall], [tall, wide], [wide]], ["image", "truth"], (50, 60))
    assert sheet.dtype == np.uint8
    assert 3 * 50 < sheet.shape[0] < 3 * 50 + 60
    assert 2 * 60 < sheet.shape[1] < 2 * 60 + 20
    red, blue = (np.all(sheet == color, axis=2).sum() for color in ((255, 0, 0), (0, 0, 255)))
    assert red == 3 * 15 * 60
    assert blue == 2 * 50 * 12  # 12.5 columns, rounded to even


def test_a_panel_tells_its_titles() -> None:
    picture = np.full((20, 20, 3), 255, np.uint8)
    assert (panel([[picture]], [""], (20, 20)) == 255).all()
    assert (panel([[picture]], ["truth"], (20, 40)) < 255).any()


def test_a_long_title_stays_in_its_column() -> None:
    picture = np.full((20, 20, 3), 255, np.uint8)
    sheet = panel([[picture, picture]], ["a title that is far longer than the tile is wide", ""], (20, 60))
    assert (sheet[:, :64] < 255).any()
    assert (sheet[:, 68:] == 255).all()


def test_the_legend_shows_the_colours_of_all_but_the_background() -> None:
    for labels, width, shown in ((GLASSES, 200, [(255, 0, 0)]), (ROAD, 60, list(ROAD.colors))):
        sheet = legend(labels, width)
        assert sheet.shape[1:] == (width, 3)
        for color in shown:
            assert np.all(sheet == color, axis=2).sum() > 50
    assert legend(ROAD, 60).shape[0] == 3 * legend(ROAD, 600).shape[0]


def test_a_spotlight_keeps_the_region_and_greys_the_rest(image: np.ndarray) -> None:
    image[:] = (200, 50, 0)
    region = np.zeros((60, 80), bool)
    region[20:40, 20:60] = True
    shown = spotlight(image, region)
    np.testing.assert_array_equal(shown[region], image[region])
    np.testing.assert_array_equal(shown[30, 18], [255, 230, 0])
    assert len(set(shown[5, 5].tolist())) == 1
    assert shown[5, 5, 0] < 130
    np.testing.assert_array_equal(image[5, 5], (200, 50, 0))
