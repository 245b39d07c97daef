"""COCO's ``iscrowd``: real crowds are ignored, and what only looks like one is asked about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.inspection.inspect import inspect_data
from kseg.data.objects import Crowd, Objects
from kseg.data.spec import DataSpec
from tests.data.formats.contract import SIZE, corners, draw_picture, ids
from tests.data.formats.test_coco import flat, runs

BOX = (2, 3, 12, 13)


def as_runs() -> dict[str, Any]:
    mask = np.zeros(SIZE, bool)
    mask[2:12, 3:13] = True
    return {"size": list(SIZE), "counts": runs(mask)}


def write(root: Path, *, crowds: int, objects: int, outlined: bool, scale: int = 1) -> None:
    """One object of the class cat an image; the first ones are crowds."""
    images = [{"id": i, "file_name": f"{i}.png", "height": SIZE[0], "width": SIZE[1]} for i in range(objects)]
    polygon = [flat(corners(BOX))]
    small = [flat(corners((2, 3, 2 + 10 // scale, 3 + 10 // scale)))]
    annotations = [
        {"id": i, "image_id": i, "category_id": 1, "iscrowd": int(i < crowds),
         "segmentation": (polygon if outlined else as_runs()) if i < crowds else small}
        for i in range(objects)
    ]  # fmt: skip
    for i in range(objects):
        draw_picture(root / "images" / f"{i}.png", i)
    data = {"images": images, "categories": [{"id": 1, "name": "cat"}], "annotations": annotations}
    (root / "all.json").write_text(json.dumps(data))


def spec(root: Path, **settings: Any) -> DataSpec:
    return DataSpec(root, format="coco", annotations="all.json", **settings)


def finding(root: Path, **settings: Any) -> Any:
    (crowds,) = [each for each in inspect_data(spec(root, **settings)).findings if each.code == "crowds"]
    return crowds


@pytest.mark.parametrize(
    ("crowds", "objects", "outlined", "scale", "severity"),
    [
        (4, 4, True, 1, "question"),  # an exporter that marks everything
        (4, 4, False, 1, "question"),
        (10, 20, False, 1, "question"),  # half of the class
        (9, 20, False, 1, "note"),  # COCO's own: run lengths, and not the most
        (2, 20, True, 1, "question"),  # COCO has no crowds of polygons
        (1, 20, True, 1, "note"),
        (1, 20, True, 5, "question"),  # one of twenty, but most of the pixels
        (1, 20, False, 5, "note"),
    ],
)
def test_what_is_asked(tmp_path: Path, crowds: int, objects: int, outlined: bool, scale: int, severity: str) -> None:
    write(tmp_path, crowds=crowds, objects=objects, outlined=outlined, scale=scale)
    found = finding(tmp_path)
    assert found.severity == severity
    assert found.guess == ({"data.crowds": "draw"} if severity == "question" else {})
    if severity == "question":
        assert found.found == f"cat {crowds} of {objects}"


def test_the_question_as_an_error(tmp_path: Path) -> None:
    write(tmp_path, crowds=4, objects=4, outlined=True)
    error = finding(tmp_path).to_error(tmp_path)
    message = str(error)
    assert "in 4 of 4 images, objects are marked as crowds (iscrowd: 1); found cat 4 of 4; " in message
    assert "answer with --set data.crowds=draw" in message
    assert "set data.crowds: ignore if they are crowds" in message
    assert error.exit_code == 1


def test_the_question_does_not_take_the_class_for_absent(tmp_path: Path) -> None:
    write(tmp_path, crowds=4, objects=4, outlined=True)
    assert {each.code for each in inspect_data(spec(tmp_path)).findings if each.prevents} == {"crowds"}


@pytest.mark.parametrize("answer", ["draw", "ignore"])
def test_an_answer_settles_it(tmp_path: Path, answer: str) -> None:
    write(tmp_path, crowds=4, objects=8, outlined=True)
    findings = inspect_data(spec(tmp_path, crowds=answer)).findings
    assert not any(each.prevents for each in findings)
    expected = {"draw": 1, "ignore": 255}[answer]
    assert (ids(find_dataset(spec(tmp_path, crowds=answer)), "0")[2:12, 3:13] == expected).all()


def test_crowds_survive_the_record(tmp_path: Path) -> None:
    write(tmp_path, crowds=1, objects=4, outlined=True)
    dataset = find_dataset(spec(tmp_path))
    dataset.save(tmp_path / "data.json")
    assert Dataset.load(tmp_path / "data.json") == dataset
    masks = {sample.key: sample.mask for sample in dataset.samples("all")}
    assert isinstance(masks["0"], Objects)
    assert masks["0"].crowds == (Crowd(1, 100, outlined=True),)
    assert isinstance(masks["1"], Objects)
    assert masks["1"].crowds == ()


@pytest.mark.real
def test_no_question_about_cocos_own_crowds(real_data: Path) -> None:
    for part in ("train", "val"):
        found = finding_of_coco(real_data / "coco_tiny", part)
        assert found.severity == "note"


def finding_of_coco(root: Path, part: str) -> Any:
    settings = DataSpec(root, format="coco", images=f"{part}2017", annotations=f"annotations/instances_{part}2017.json")
    (crowds,) = [each for each in inspect_data(settings).findings if each.code == "crowds"]
    return crowds
