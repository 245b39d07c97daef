"""COCO files as labelling tools write them: paths of elsewhere, normalised outlines, names with blanks."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kseg.data.find import find_dataset
from kseg.data.formats.image_names import readings
from kseg.data.spec import DataSpec, Folders
from kseg.errors import DataError
from tests.data.formats.contract import CLASSES, SIZE, draw_picture, ids, truth
from tests.data.formats.test_coco import coco, find_coco, of, set_, write_coco

HEIGHT, WIDTH = SIZE


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("images/cat.jpg", ["images/cat.jpg"]),
        ("my%20cat.jpg", ["my%20cat.jpg", "my cat.jpg"]),
        ("..\\images\\cat.jpg", ["images/cat.jpg"]),
        ("../../images/cat.jpg", ["images/cat.jpg"]),
        ("C:\\data\\cat.jpg", ["data/cat.jpg"]),
        ("s3://bucket/a/cat.jpg", ["bucket/a/cat.jpg", "a/cat.jpg"]),
        ("https://host:8080/a/cat.jpg?X=1#top", ["host:8080/a/cat.jpg?X=1#top", "a/cat.jpg"]),
        ("/data/upload/1/ab12-cat.jpg", ["data/upload/1/ab12-cat.jpg"]),
        ("/data/local-files/?d=pets/cat.jpg", ["data/local-files/?d=pets/cat.jpg", "pets/cat.jpg"]),
        ("%2e%2e/%2e%2e/etc/passwd", ["%2e%2e/%2e%2e/etc/passwd", "etc/passwd"]),
        ("a/../../b.jpg", ["b.jpg"]),
        ("..", []),
    ],
)
def test_what_a_path_may_mean(path: str, expected: list[str]) -> None:
    assert readings(path) == expected


@pytest.mark.parametrize(
    "name",
    [
        "my%20cat.png", "../images/my cat.png", "..\\..\\images\\my cat.png", "/data/upload/1/my%20cat.png",
        "s3://bucket/my%20cat.png", "/data/local-files/?d=somewhere/my cat.png", "file:///C:/x/images/my%20cat.png",
        "images\\my cat.png", "https://host/images/my%20cat.png?token=a%20b",
    ],
)  # fmt: skip
def test_paths_of_elsewhere(tmp_path: Path, name: str) -> None:
    write_coco(tmp_path, set_("images", 0, "file_name", name))
    (tmp_path / "images" / "a.png").rename(tmp_path / "images" / "my cat.png")
    np.testing.assert_array_equal(ids(find_coco(tmp_path, classes=CLASSES), "my cat"), truth("train/a"))


def test_a_name_with_a_percent_sign_is_first_taken_literally(tmp_path: Path) -> None:
    write_coco(tmp_path, set_("images", 0, "file_name", "my%20cat.png"))
    (tmp_path / "images" / "a.png").rename(tmp_path / "images" / "my%20cat.png")
    assert ids(find_coco(tmp_path, classes=CLASSES), "my%20cat").any()


def test_an_image_in_a_folder_that_the_file_does_not_name(tmp_path: Path) -> None:
    write_coco(tmp_path, set_("images", 0, "file_name", "data/upload/a.png"))
    draw_picture(tmp_path / "images" / "deep" / "a.png")
    (tmp_path / "images" / "a.png").unlink()
    assert ids(find_coco(tmp_path, classes=CLASSES), "deep/a").any()


@pytest.mark.parametrize("name", ["../outside.png", "%2e%2e/outside.png", "..\\outside.png"])
def test_nothing_outside_the_data_set_is_read(tmp_path: Path, name: str) -> None:
    root = tmp_path / "data"
    write_coco(root, set_("images", 0, "file_name", name))
    draw_picture(tmp_path / "outside.png")
    with pytest.raises(DataError, match="1 of 3 images of the file are missing"):
        find_coco(root)
    with pytest.raises(DataError, match="1 of 3 images of the file are missing"):
        find_coco(root, images=".")


def test_two_paths_that_lead_to_one_image(tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["images"][0]["file_name"] = "x/a.png"
        data["images"][1]["file_name"] = "y/a.png"

    write_coco(tmp_path, change)
    with pytest.raises(DataError, match=r"images\[1\]\.file_name: .*expected each image once"):
        find_coco(tmp_path)


def normalise(entry: dict[str, Any]) -> None:
    entry["segmentation"] = [
        [number / (HEIGHT if i % 2 else WIDTH) for i, number in enumerate(part)] for part in entry["segmentation"]
    ]


def test_normalised_outlines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_coco(tmp_path, lambda data: [normalise(entry) for entry in data["annotations"]] and None)
    with caplog.at_level(logging.INFO, logger="kseg"):
        dataset = find_coco(tmp_path, classes=CLASSES)
    for key in ("a", "b", "empty"):
        np.testing.assert_array_equal(ids(dataset, key), truth(f"train/{key}"))
    assert "all.json: coordinates of 0..1 are taken for fractions of the images' sizes" in caplog.text


def test_normalised_outlines_among_others(tmp_path: Path) -> None:
    write_coco(tmp_path, lambda data: normalise(data["annotations"][2]))
    message = r"found cat 1 of 2: 1 × coordinates of 0\.\.1 among others in pixels \(first annotations\[2\]\)"
    with pytest.raises(DataError, match=message):
        find_coco(tmp_path, classes=CLASSES)


def test_a_single_pixel_in_the_corner_is_no_normalised_outline(tmp_path: Path) -> None:
    write_coco(tmp_path, set_("annotations", 2, "segmentation", [[0, 0, 1, 0, 1, 1, 0, 1]]))
    mask = ids(find_coco(tmp_path, classes=CLASSES), "b")
    assert mask[0, 0] == 1
    assert (mask == 1).sum() == 1


def test_names_with_blanks_are_one_class(tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["categories"] = [{"id": 17, "name": "disc"}, {"id": 3, "name": " disc "}]

    write_coco(tmp_path, change)
    dataset = find_coco(tmp_path)
    assert dataset.labels.names == ("background", "disc")
    np.testing.assert_array_equal(ids(dataset, "a"), truth("train/a") > 0)


@pytest.mark.parametrize(
    ("settings", "names", "empty"),
    [
        ({"values": {17: "cat", 3: "dog"}}, ("background", "cat", "dog"), 0),
        ({"values": {17: "cat", 3: "dog", 0: "ignore"}}, ("cat", "dog"), 255),
        ({"values": {17: "cat", 3: "dog", 0: "grass"}}, ("cat", "dog", "grass"), 2),
        ({"values": {17: "cat", 3: "dog"}, "classes": ("background", "cat", "dog")}, ("background", "cat", "dog"), 0),
        ({"values": {17: "cat", 3: "dog"}, "classes": ("cat", "dog")}, ("cat", "dog"), 255),
    ],
)
def test_values_without_the_background(
    tmp_path: Path, settings: dict[str, Any], names: tuple[str, ...], empty: int, caplog: pytest.LogCaptureFixture
) -> None:
    write_coco(tmp_path)
    with caplog.at_level(logging.INFO, logger="kseg"):
        dataset = find_coco(tmp_path, **settings)
    assert dataset.labels.names == names
    assert (ids(dataset, "empty") == empty).all()
    assert ("pixels without an object are" in caplog.text) == (0 not in settings["values"])


def test_hidden_files_are_no_annotations(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "._all.json").write_bytes(b"\0\5\26\7")
    (tmp_path / "all.json").rename(tmp_path / "all.JSON")
    assert len(find_dataset(DataSpec(tmp_path, format="coco")).samples("all")) == 3


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    write_coco(tmp_path)
    (tmp_path / "all.json").write_text(json.dumps(coco(of("train"))), encoding)
    np.testing.assert_array_equal(ids(find_coco(tmp_path, classes=CLASSES), "a"), truth("train/a"))


def test_a_file_without_annotations(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_coco(tmp_path, set_("annotations", []))
    with caplog.at_level(logging.WARNING, logger="kseg"):
        dataset = find_coco(tmp_path)
    assert (ids(dataset, "a") == 0).all()
    assert "all.json: no annotations: its 3 images are all background" in caplog.text


def test_parts_of_an_object_that_cannot_be_drawn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_coco(tmp_path, lambda data: data["annotations"][2]["segmentation"].append([1, 1, 2, 2]))
    with caplog.at_level(logging.WARNING, logger="kseg"):
        dataset = find_coco(tmp_path, classes=CLASSES)
    np.testing.assert_array_equal(ids(dataset, "b"), truth("train/b"))
    assert "1 of 4 objects are left out, in whole or in part: 1 × fewer than 3 points" in caplog.text
    with pytest.raises(
        DataError, match=r"1 of 4 objects cannot be drawn, .*expected all; found 1 × fewer than 3 points"
    ):
        find_coco(tmp_path, classes=CLASSES, skip_objects="error")


def test_files_that_number_the_classes_differently(tmp_path: Path) -> None:
    """Else one split would be trained with the classes of the other."""
    for split in ("train", "val"):
        draw_picture(tmp_path / "images" / split / "a.png")
        data = coco([f"{split}/a"])
        if split == "val":
            data["categories"] = [{"id": 3, "name": "cat"}, {"id": 17, "name": "dog"}]
        (tmp_path / f"{split}.json").write_text(json.dumps(data))
    spec = DataSpec(tmp_path, format="coco", annotations="{split}.json", split=Folders("train", "val", ""))
    message = r"annotations of val number the classes differently; expected 3 for dog, .*; found 3 for cat; give each"
    with pytest.raises(DataError, match=message):
        find_dataset(spec)
