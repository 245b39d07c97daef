"""The background of annotation files, whatever its spelling: it is not a second class beside what is not annotated."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.spec import DataSpec, Fractions
from kseg.data.truth import read_truth

SPELLINGS = ["Background", "_background_", "bg"]
ALL = Fractions(train=1.0, val=0.0, test=0.0)
SQUARE = [2, 2, 2, 5, 5, 5, 5, 2]


def write_image(root: Path) -> None:
    (root / "images").mkdir()
    cv2.imwrite(str(root / "images" / "a.png"), np.zeros((10, 10, 3), np.uint8))


def assert_cat_on_background(dataset: Dataset) -> None:
    assert dataset.labels.names == ("background", "cat")
    truth = read_truth(dataset.splits["train"][0], dataset.labels)
    assert truth[3, 3] == 1
    assert truth[8, 8] == 0


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_category_of_coco(tmp_path: Path, spelling: str) -> None:
    write_image(tmp_path)
    document = {
        "images": [{"id": 1, "file_name": "a.png", "height": 10, "width": 10}],
        "categories": [{"id": 1, "name": spelling}, {"id": 2, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 2, "segmentation": [SQUARE]}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    assert_cat_on_background(find_dataset(DataSpec(tmp_path, format="coco", split=ALL)))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_label_of_labelme(tmp_path: Path, spelling: str) -> None:
    write_image(tmp_path)
    outer = [[0, 0], [0, 9], [9, 9], [9, 0]]
    inner = np.reshape(SQUARE, (-1, 2)).tolist()
    shapes = [{"label": spelling, "points": outer}, {"label": "cat", "points": inner}]
    document = {"imagePath": "a.png", "imageHeight": 10, "imageWidth": 10, "shapes": shapes}
    (tmp_path / "images" / "a.json").write_text(json.dumps(document))
    assert_cat_on_background(find_dataset(DataSpec(tmp_path, format="labelme", split=ALL)))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_name_of_yolo(tmp_path: Path, spelling: str) -> None:
    write_image(tmp_path)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("1 " + " ".join(f"{coordinate / 10}" for coordinate in SQUARE))
    (tmp_path / "data.yaml").write_text(f"names: [{spelling}, cat]")
    assert_cat_on_background(find_dataset(DataSpec(tmp_path, format="yolo", split=ALL)))
