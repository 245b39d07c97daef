"""LabelMe: a file for each picture."""

from __future__ import annotations

import base64
import json
import logging
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kseg.data.find import find_dataset
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError
from kseg.images import read_image
from tests.data.formats.contract import (
    CLASSES,
    PICTURES,
    SIZE,
    OutlineContract,
    corners,
    draw_picture,
    ids,
    truth,
)  # fmt: skip


def labelme(key: str) -> dict[str, Any]:
    return {
        "version": "5.2.1",
        "flags": {},
        "shapes": [
            {"label": name, "points": corners(box), "group_id": None, "shape_type": "polygon", "flags": {}}
            for name, box in PICTURES[key]
        ],
        "imagePath": f"{key.split('/')[1]}.png",
        "imageData": None,
        "imageHeight": SIZE[0],
        "imageWidth": SIZE[1],
    }


class TestLabelme(OutlineContract):
    format = "labelme"
    folder = "images"

    def write(self, root: Path) -> dict[str, Any]:
        self.write_images(root)
        for key in PICTURES:
            path = root / self.folder / f"{key}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(labelme(key)))
        return {"annotations": self.folder} if self.folder != "images" else {}


class TestLabelmeInAFolderOfItsOwn(TestLabelme):
    folder = "labels"


def write_labelme(root: Path, *shapes: dict[str, Any], **changed: Any) -> Path:
    """One picture with some shapes and one that is as it should be."""
    for name in ("x", "y"):
        draw_picture(root / "images" / f"{name}.png")
    good = labelme("val/a")
    (root / "images" / "y.json").write_text(json.dumps(good))
    path = root / "images" / "x.json"
    path.write_text(json.dumps({**good, "shapes": list(shapes) or good["shapes"], **changed}))
    return path


def shape(kind: str | None, points: Any, label: str = "cat", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, **more}


def drawn(root: Path, **settings: Any) -> np.ndarray:
    dataset = find_dataset(DataSpec(root=root, format="labelme", **{"classes": CLASSES, **settings}))
    return ids(dataset, "x")


def test_labelmes_shapes(tmp_path: Path) -> None:
    disk = np.hypot(*np.mgrid[0 : SIZE[0], 0 : SIZE[1]] - np.array([12, 16])[:, None, None]) <= 7
    mask = np.zeros((6, 8), np.uint8)
    mask[2:, 3:] = 255
    png = base64.b64encode(cv2.imencode(".png", mask)[1].tobytes()).decode()
    box = np.zeros(SIZE, bool)
    box[4:10, 5:20] = True
    placed = np.zeros(SIZE, bool)
    placed[10:16, 20:28] = mask > 0
    for entry, expected, slack in (
        (shape("rectangle", [[5, 4], [20, 10]]), box, 0),
        (shape("rectangle", [[20, 10], [5, 4]]), box, 0),
        (shape(None, [[5, 4], [20, 4], [20, 10], [5, 10]]), box, 0),
        (shape("circle", [[16.5, 12.5], [16.5, 19.5]]), disk, 12),
        (shape("mask", [[20, 10], [27, 15]], mask=png), placed, 0),
        (shape("mask", [[-3, -2], [4, 3]], mask=png), np.pad(mask > 0, ((0, 18), (0, 24)))[2 : 2 + 24, 3:], None),
    ):
        write_labelme(tmp_path, entry)
        actual = drawn(tmp_path) == 1
        if slack is None:
            assert actual[:4, :5].all()
            assert actual.sum() == 20
        else:
            assert (actual != expected).sum() <= slack, entry


def test_labelmes_own_labels(tmp_path: Path) -> None:
    entries = [
        shape("rectangle", [[0, 0], [20, 20]]),
        shape("rectangle", [[5, 5], [10, 10]], "_background_"),
        shape("rectangle", [[0, 0], [32, 24]], "__ignore__"),
    ]
    write_labelme(tmp_path, *entries)
    expected = np.full(SIZE, 255)
    expected[:20, :20] = 1
    expected[5:10, 5:10] = 0
    np.testing.assert_array_equal(drawn(tmp_path), expected)


def test_a_file_that_names_its_picture(tmp_path: Path) -> None:
    path = write_labelme(tmp_path, shape("rectangle", [[0, 0], [32, 24]]), imagePath="x.png")
    path.rename(path.with_name("000017.json"))
    assert (drawn(tmp_path) == 1).all()


def test_labelme_values_are_named(tmp_path: Path) -> None:
    write_labelme(tmp_path, shape("rectangle", [[0, 0], [32, 24]], "cat"))
    values = {0: "background", 7: "cat", 9: "dog"}
    dataset = find_dataset(DataSpec(root=tmp_path, format="labelme", values=values))
    assert dataset.labels.names == ("background", "cat", "dog")
    assert (ids(dataset, "x") == 1).all()


LABELME_LEFT_OUT = {
    "a coordinate that is no number": shape("polygon", [[1, 1], [5, 1], [5, "x"]]),
    "a coordinate that is not finite": shape("rectangle", [[1, 1], [5, math.nan]]),
    "fewer than 3 points": shape("polygon", [[1, 1], [5, 1]]),
    "points that are not [[x, y], …]": shape("polygon", [[1, 1], [5, 1], [1, 2, 3]]),
    "a shape without inside (line)": shape("line", [[1, 1], [5, 1]]),
    "no pixel inside the picture": shape("rectangle", [[5, 5], [5, 5]]),
    "a circle without centre and rim": shape("circle", [[5, 5]]),
    "a mask without pixels": shape("mask", [[1, 1], [5, 5]]),
    "a mask that cannot be decoded": shape("mask", [[1, 1], [5, 5]], mask="%%%"),
    "a mask that is no PNG": shape("mask", [[1, 1], [5, 5]], mask="QUJD"),
}


@pytest.mark.parametrize("reason", LABELME_LEFT_OUT)
def test_shapes_that_cannot_be_drawn_are_counted(tmp_path: Path, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    write_labelme(tmp_path, LABELME_LEFT_OUT[reason])
    with pytest.raises(DataError, match=r"1 of 2 objects cannot be drawn.* found cat 1 of 1: 1 × .*skip_objects: skip"):
        drawn(tmp_path)
    with caplog.at_level(logging.WARNING, logger="kseg"):
        assert (drawn(tmp_path, skip_objects="skip") == 0).all()
    assert "images: 1 of 2 objects are left out, in whole or in part: 1 × " + reason in caplog.text
    assert "(first x.json shapes[0]" in caplog.text


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shapes": None}, r"x\.json: shapes: .*expected a list \[…\]; found None"),
        ({"shapes": [1]}, r"x\.json: shapes\[0\]: .*expected a mapping"),
        ({"shapes": [{"points": []}]}, r"x\.json: shapes\[0\]\.label: .*expected text; found nothing"),
        ({"imageHeight": "24"}, r"x\.json: imageHeight: .*expected a whole number"),
        ({"imageHeight": 25}, r"1 of 2 images do not have the size that their shapes are for: x\.json is for 25×32"),
    ],
)
def test_a_broken_labelme_file(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    write_labelme(tmp_path, **changed)
    with pytest.raises(DataError, match=message):
        drawn(tmp_path)


def test_labelme_with_mistakes(tmp_path: Path) -> None:
    path = write_labelme(tmp_path)
    with pytest.raises(DataError, match=r"no shape has the label of a class; expected zebra; found dog; set data\.cl"):
        drawn(tmp_path, classes=["background", "zebra"])
    with pytest.raises(ConfigError, match=r"data\.annotations: no such folder"):
        drawn(tmp_path, annotations="gone")
    path.write_text("{")
    with pytest.raises(DataError, match=r"x\.json: malformed JSON; found .*line 1"):
        drawn(tmp_path)
    for file in (tmp_path / "images").glob("*.json"):
        file.unlink()
    with pytest.raises(DataError, match=r"images: no JSON files; expected a LabelMe file for each image"):
        drawn(tmp_path)


def test_labels_that_are_no_class_of_the_configuration(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They are not asked for, but said."""
    write_labelme(tmp_path, shape("rectangle", [[1, 1], [5, 5]], "zebra"))
    with caplog.at_level(logging.WARNING, logger="kseg"):
        assert (drawn(tmp_path) == 0).all()
    assert "images: shapes with labels that are not in data.classes are left out: zebra 1" in caplog.text


WHOLE = [[0, 0], [32, 24]]


@pytest.mark.parametrize(
    "image_path",
    ["x.png", "..\\images\\x.png", "../images/x.png", "C:\\Users\\me\\x.png", "/home/me/photos/x.png", "x%2Epng"],
)
def test_the_image_that_a_file_names(tmp_path: Path, image_path: str) -> None:
    path = write_labelme(tmp_path, shape("rectangle", WHOLE), imagePath=image_path)
    (tmp_path / "labels").mkdir()
    path.rename(tmp_path / "labels" / "000017.JSON")
    path.with_name("y.json").rename(tmp_path / "labels" / "y.json")
    assert (drawn(tmp_path, annotations="labels") == 1).all()


def test_an_image_that_several_files_may_mean(tmp_path: Path) -> None:
    path = write_labelme(tmp_path, shape("rectangle", WHOLE), imagePath="/elsewhere/z.png")
    for folder in ("a", "b"):
        draw_picture(tmp_path / "images" / folder / "z.png")
    path.rename(path.with_name("000017.json"))
    with pytest.raises(DataError, match=r"1 JSON files have no image \(000017\.json\)"):
        drawn(tmp_path)


def test_linked_folders_and_hidden_files(tmp_path: Path) -> None:
    write_labelme(tmp_path / "store", shape("rectangle", WHOLE))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "deep").symlink_to(tmp_path / "store" / "images")
    (tmp_path / "images" / "deep" / "._x.json").write_bytes(b"\0\5\26\7")
    (tmp_path / "images" / ".cache").mkdir()
    (tmp_path / "images" / ".cache" / "z.json").write_text("{}")
    dataset = find_dataset(DataSpec(root=tmp_path, format="labelme", classes=CLASSES))
    assert (ids(dataset, "deep/x") == 1).all()


def test_labels_with_blanks_are_one_class(tmp_path: Path) -> None:
    write_labelme(
        tmp_path, shape("rectangle", [[0, 0], [16, 24]], "cat"), shape("rectangle", [[16, 0], [32, 24]], "cat ")
    )
    dataset = find_dataset(DataSpec(root=tmp_path, format="labelme"))
    assert dataset.labels.names == ("background", "cat", "dog")
    assert (ids(dataset, "x") == 1).all()


@pytest.mark.parametrize("settings", [
    {"values": {0: "background", 1: "Disc", 2: "Disc"}, "classes": ["background", "Disc"]},  # as the message proposes
    {"classes": ["background", "disc"]},
])  # fmt: skip
def test_labels_that_differ_in_case_may_be_one_class(tmp_path: Path, settings: dict[str, Any]) -> None:
    first, second = [[1, 1], [3, 3]], [[5, 5], [7, 7]]
    write_labelme(tmp_path, shape("rectangle", first, "Disc"), shape("rectangle", second, "disc"))
    ids = drawn(tmp_path, **settings)
    assert (ids[2, 2], ids[6, 6], ids[4, 4]) == (1, 1, 0)


def test_a_group_of_shapes_is_their_union(tmp_path: Path) -> None:
    halves = [[[0, 0], [16, 24]], [[16, 0], [32, 24]]]
    write_labelme(tmp_path, *(shape("rectangle", half, group_id=7) for half in halves))
    assert (drawn(tmp_path) == 1).all()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    path = write_labelme(tmp_path, shape("rectangle", WHOLE))
    path.write_text(path.read_text(), encoding)
    assert (drawn(tmp_path) == 1).all()


def test_normalised_shapes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_labelme(tmp_path, shape("polygon", [[0.5, 0], [1, 0], [1, 0.5], [0.5, 0.5]]))
    path = tmp_path / "images" / "y.json"
    path.write_text(json.dumps({**labelme("val/a"), "shapes": [shape("rectangle", [[0, 0], [0.5, 1]])]}))
    expected = np.zeros(SIZE)
    expected[:12, 16:] = 1
    with caplog.at_level(logging.INFO, logger="kseg"):
        np.testing.assert_array_equal(drawn(tmp_path), expected)
    assert "images: coordinates of 0..1 are taken for fractions of the images' sizes" in caplog.text


def test_normalised_shapes_among_others(tmp_path: Path) -> None:
    write_labelme(tmp_path, shape("polygon", [[0.5, 0], [1, 0], [1, 0.5], [0.5, 0.5]]))
    with pytest.raises(DataError, match=r"found cat 1 of 1: 1 × coordinates of 0\.\.1 among others in pixels"):
        drawn(tmp_path)


def test_a_file_without_shapes_is_background(tmp_path: Path) -> None:
    path = write_labelme(tmp_path)
    path.write_text(json.dumps({**labelme("train/empty")}))
    assert (drawn(tmp_path) == 0).all()


def write_embedded(root: Path, image: bytes) -> Path:
    """Two JSON files without image files, in a folder of their own."""
    folder = root / "images" / "deep"
    folder.mkdir(parents=True)
    data = base64.b64encode(image).decode()
    for name in ("x", "y"):
        entry = {**labelme("val/a"), "imageData": data, "imagePath": f"..\\{name}.jpg"}
        (folder / f"{name}.json").write_text(json.dumps(entry))
    return folder


def test_images_that_are_only_in_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KSEG_CACHE", str(tmp_path / "cache"))
    pixels = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    png = cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
    write_embedded(tmp_path / "data", png)
    with caplog.at_level(logging.INFO, logger="kseg"):
        dataset = find_dataset(DataSpec(root=tmp_path / "data", format="labelme"))
    assert "images: 2 images are only inside the JSON files, and extracted" in caplog.text
    assert {sample.key for sample in dataset.samples("all")} == {"deep/x", "deep/y"}
    for sample in dataset.samples("all"):
        assert sample.image.is_relative_to(tmp_path / "cache")
        np.testing.assert_array_equal(read_image(sample.image), pixels)
        np.testing.assert_array_equal(ids(dataset, sample.key) > 0, truth("val/a") > 0)
    assert find_dataset(DataSpec(root=tmp_path / "data", format="labelme")) == dataset


def test_the_same_image_in_two_files_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSEG_CACHE", str(tmp_path / "cache"))
    folder = write_embedded(tmp_path / "data", cv2.imencode(".png", np.zeros((*SIZE, 3), np.uint8))[1].tobytes())
    (folder / "deeper").mkdir()
    (folder / "y.json").rename(folder / "deeper" / "x.json")
    dataset = find_dataset(DataSpec(root=tmp_path / "data", format="labelme"))
    assert {sample.key for sample in dataset.samples("all")} == {"deep/x", "deep/deeper/x"}


def test_image_data_that_is_no_image(tmp_path: Path) -> None:
    write_embedded(tmp_path, b"no image")
    with pytest.raises(DataError, match=r"x\.json: imageData: .*expected an image \(JPEG, PNG, BMP, TIFF\) in base64"):
        find_dataset(DataSpec(root=tmp_path, format="labelme"))


def test_no_images_at_all(tmp_path: Path) -> None:
    path = write_labelme(tmp_path)
    for image in path.parent.glob("*.png"):
        image.unlink()
    with pytest.raises(DataError, match=r"data\.images: .*no images found"):
        find_dataset(DataSpec(root=tmp_path, format="labelme"))
