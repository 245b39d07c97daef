"""The pictures of a run folder show what they are named for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kseg.card import ModelCard
from kseg.data.pipeline.arrays import Arrays
from kseg.data.sample import Sample
from kseg.images import read_image
from kseg.labels import LabelMap
from kseg.training import pictures
from kseg.training.pictures import TILE, ValidationPanel, draw_results, draw_train_batch
from tests.drawn_figures import watch_figures

SIZE = (32, 32)
SCALE = (TILE / 32) ** 2
"""Pixels of the picture for each of an image."""
RED = LabelMap(("background", "thing"), colors=((0, 0, 0), (255, 0, 0)))


def near(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """Where a JPEG shows a colour."""
    return np.abs(picture.astype(int) - color).max(axis=2) < 25


def square(top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


def flat(*color: int) -> np.ndarray:
    return np.full((*SIZE, 3), color, np.uint8)


def test_the_curves_are_the_scores_of_training_and_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = watch_figures(pictures, monkeypatch)
    rows = [{"epoch": e, "seconds": 1.0, "loss": 1 / e, "val_loss": 2 / e, "iou": e / 5, "val_iou": e / 9} for e in
            (1.0, 2.0, 3.0)]  # fmt: skip
    draw_results(tmp_path / "r.png", rows)
    assert (tmp_path / "r.png").is_file()
    curves = {axes.get_title(): [line.get_xydata().tolist() for line in axes.lines] for axes in drawn[0].axes}
    assert curves == {
        key: [[[row["epoch"], row[name]] for row in rows] for name in (key, f"val_{key}")] for key in ("loss", "iou")
    }


def test_the_first_batch_has_its_masks_over_it(tmp_path: Path) -> None:
    images, masks = np.stack([flat(20, 160, 60), flat(60, 60, 220)]), np.stack([square(8, 8, 16), square(4, 4, 8)])
    draw_train_batch(tmp_path / "b.jpg", [(images.astype(np.float32), masks)], RED)
    picture = read_image(tmp_path / "b.jpg")
    for (red, green, blue), side in (((20, 160, 60), 16), ((60, 60, 220), 8)):
        # The contour, of a pixel or two, is on both sides of the outline.
        assert (32**2 - (side + 4) ** 2) * SCALE <= near(picture, (red, green, blue)).sum() <= 32**2 * SCALE
        tinted = near(picture, ((red + 255) // 2, green // 2, blue // 2)).sum()
        assert (side - 4) ** 2 * SCALE <= tinted <= side**2 * SCALE


class Network:
    """Predicts the same masks whatever it sees."""

    def __init__(self, masks: np.ndarray) -> None:
        self.masks = masks

    def predict(self, images: np.ndarray, **_: Any) -> np.ndarray:
        assert images.dtype == np.float32
        return self.masks[..., None].astype(np.float32)


def test_a_row_is_the_image_its_truth_and_its_prediction(tmp_path: Path) -> None:
    packed = np.dstack([flat(20, 160, 60), square(4, 4, 12)])[None]
    panel = ValidationPanel(Arrays(packed, (Sample("a", tmp_path / "a.png", None),)), RED)
    card = ModelCard("x", "none", *SIZE, RED)
    assert panel.draw(tmp_path / "v.jpg", Network(square(18, 18, 8)[None]), card)  # type: ignore[arg-type]
    picture = read_image(tmp_path / "v.jpg")
    columns = np.array_split(near(picture, (137, 80, 30)), 3, axis=1)
    sides = [np.sqrt(column.sum() / SCALE) for column in columns]
    assert sides[0] == 0
    assert 8 <= sides[1] <= 12
    assert 4 <= sides[2] <= 8
    upper, lower = (np.argwhere(column).mean(axis=0)[0] for column in columns[1:])
    assert lower - upper == pytest.approx(12 * TILE / 32, abs=10)


@pytest.mark.parametrize(("truth", "prediction", "fine"), [(8, 8, True), (8, 0, False), (0, 0, True), (0, 8, True)])
def test_background_alone_is_told_where_there_is_something_to_find(
    tmp_path: Path, truth: int, prediction: int, fine: bool
) -> None:
    packed = np.dstack([flat(90, 90, 90), square(4, 4, truth)])[None]
    panel = ValidationPanel(Arrays(packed, (Sample("a", tmp_path / "a.png", None),)), RED)
    card = ModelCard("x", "none", *SIZE, RED)
    network: Any = Network(square(4, 4, prediction)[None])
    assert panel.draw(tmp_path / "v.jpg", network, card) is fine
