"""COCO: polygons, run lengths, crowds, and what can be wrong with them."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.objects import OBJECT_VOID, Objects
from kseg.data.spec import DataSpec
from kseg.data.truth import read_truth
from kseg.errors import ConfigError, DataError
from tests.data.formats.contract import (
    CLASSES,
    PICTURES,
    SIZE,
    SPLIT,
    OutlineContract,
    area,
    corners,
    draw_picture,
    ids,
    truth,
)  # fmt: skip

IDS = {"cat": 17, "dog": 3}


def flat(points: list[list[int]]) -> list[int]:
    return [number for point in points for number in point]


def runs(mask: np.ndarray) -> list[int]:
    """Uncompressed run lengths, down the columns."""
    pixels = mask.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(pixels)) + 1
    lengths: list[int] = np.diff([0, *edges, pixels.size]).tolist()
    return [0, *lengths] if pixels[0] else lengths


def coco(keys: list[str], folder: str = "") -> dict[str, Any]:
    """A COCO file of some of the pictures."""
    annotations = [
        {"id": i, "image_id": keys.index(key) + 100, "category_id": IDS[name], "iscrowd": 0,
         "segmentation": [flat(corners(box))], "area": area(box), "bbox": [box[1], box[0], 1, 1]}
        for i, (key, (name, box)) in enumerate((key, shape) for key in keys for shape in PICTURES[key])
    ]  # fmt: skip
    return {
        "images": [
            {"id": i, "file_name": f"{folder}{key.split('/')[1]}.png", "height": SIZE[0], "width": SIZE[1]}
            for i, key in enumerate(keys, 100)
        ],
        "categories": [{"id": 17, "name": "cat"}, {"id": 3, "name": "dog"}],
        "annotations": annotations,
    }


def of(split: str) -> list[str]:
    return [key for key in PICTURES if key.startswith(f"{split}/")]


class TestCoco(OutlineContract):
    format = "coco"
    folder = ""

    def write(self, root: Path) -> dict[str, Any]:
        self.write_images(root)
        (root / "annotations").mkdir(exist_ok=True)
        for split in ("train", "val", "test"):
            path = root / "annotations" / f"instances_{split}.json"
            path.write_text(json.dumps(coco(of(split), self.folder)))
        return {"annotations": "annotations/instances_{split}.json"}

    def test_all_classes_where_none_are_named(self, tmp_path: Path) -> None:
        # In the order of the categories' ids.
        assert self.find(tmp_path, classes=None).labels.names == ("background", "dog", "cat")

    def test_values_select_by_category_and_merge(self, tmp_path: Path) -> None:
        dataset = self.find(tmp_path, classes=None, values={17: "animal", 3: "animal", 0: "background"})
        for sample in dataset.samples("all"):
            np.testing.assert_array_equal(read_truth(sample, dataset.labels), truth(sample.key) > 0)
        dataset = self.find(tmp_path, classes=["background", "dog"], values={3: "dog"})
        for sample in dataset.samples("all"):
            np.testing.assert_array_equal(read_truth(sample, dataset.labels), truth(sample.key, ("background", "dog")))

    def test_the_file_is_found_where_publishers_put_it(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        assert find_dataset(DataSpec(root=tmp_path, format="coco", split=SPLIT)) == self.find(tmp_path, classes=None)


class TestCocoWithPathsOfAnotherMachine(TestCoco):
    folder = "/home/someone/coco/images/"


def write_coco(root: Path, change: Callable[[dict[str, Any]], Any] = lambda _: None) -> dict[str, Any]:
    """The training pictures, and a file that is changed."""
    for number, key in enumerate(of("train")):
        draw_picture(root / "images" / f"{key.split('/')[1]}.png", number)
    data = coco(of("train"))
    changed = change(data)
    (root / "all.json").write_text(json.dumps(data if changed is None else changed))
    return data


def find_coco(root: Path, **settings: Any) -> Dataset:
    return find_dataset(DataSpec(root=root, format="coco", annotations="all.json", **settings))


def test_crowds_are_unknown_beneath_everything(tmp_path: Path) -> None:
    crowd = np.zeros(SIZE, bool)
    crowd[:, :20] = True
    entry = {"image_id": 100, "category_id": 17, "iscrowd": 1}

    def change(data: dict[str, Any]) -> None:
        data["annotations"].append({**entry, "segmentation": {"size": list(SIZE), "counts": runs(crowd)}})

    write_coco(tmp_path, change)
    names = ("background", "dog", "cat")
    expected = truth("train/a", names)
    dataset = find_coco(tmp_path)
    assert dataset.labels.values[OBJECT_VOID] == "ignore"
    np.testing.assert_array_equal(ids(dataset, "a"), np.where(crowd & (expected == 0), 255, expected))
    drawn = ids(find_coco(tmp_path, crowds="draw"), "a")
    assert (drawn[crowd] > 0).all()
    assert (drawn != 255).all()
    # A crowd of a class that is not asked for is background.
    dogs = find_coco(tmp_path, classes=["background", "dog"])
    np.testing.assert_array_equal(ids(dogs, "a"), truth("train/a", ("background", "dog")))
    merged = find_coco(tmp_path, values={17: "animal", 3: "animal", 0: "background"})
    np.testing.assert_array_equal(ids(merged, "a"), np.where(crowd & (expected == 0), 255, expected > 0))


def test_category_ids_that_no_mask_can_hold(tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["categories"] = [{"id": 0, "name": "cat"}, {"id": 1_000_000, "name": "dog"}, {"id": -1, "name": "x"}]
        for entry in data["annotations"]:
            entry["category_id"] = 0 if entry["category_id"] == 17 else 1_000_000

    write_coco(tmp_path, change)
    np.testing.assert_array_equal(ids(find_coco(tmp_path, classes=CLASSES), "a"), truth("train/a"))


def test_sizes_may_be_left_out_of_the_file(tmp_path: Path) -> None:
    write_coco(tmp_path, lambda data: [entry.pop("height") for entry in data["images"]] and None)
    np.testing.assert_array_equal(ids(find_coco(tmp_path, classes=CLASSES), "a"), truth("train/a"))


def test_outlines_on_the_pixels_as_they_are_stored(tmp_path: Path) -> None:
    write_coco(tmp_path)
    path = tmp_path / "images" / "a.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(path) as picture:
        picture.save(path, exif=exif)
    dataset = find_coco(tmp_path, classes=CLASSES, mask_orientation="image")
    np.testing.assert_array_equal(ids(dataset, "a"), np.rot90(truth("train/a"), -1))


def set_(*path: Any) -> Callable[[dict[str, Any]], None]:
    """A change: ``set_("images", 0, "id", value)``."""

    def change(data: Any) -> None:
        *way, last, value = path
        for step in way:
            data = data[step]
        data[last] = value

    return change


def drop(*path: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: Any) -> None:
        *way, last = path
        for step in way:
            data = data[step]
        del data[last]

    return change


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a list": (lambda _: [], r"all\.json: not valid in this format; expected a mapping .*; found a list of 0"),
    "no images": (drop("images"), r"all\.json: images: not valid .*expected a list \[…\]; found nothing"),
    "images a text": (set_("images", "x"), r"images: .*expected a list \[…\]; found 'x'"),
    "empty images": (set_("images", []), "the file lists no images"),
    "no categories": (drop("categories"), r"all\.json: categories: .*found nothing"),
    "empty categories": (set_("categories", []), "the file lists no categories"),
    "no annotations": (drop("annotations"), r"all\.json: annotations: .*found nothing"),
    "an image of text": (set_("images", 1, "x"), r"images\[1\]: .*expected a mapping .*found 'x'"),
    "an image without id": (drop("images", 1, "id"), r"images\[1\]\.id: .*expected a whole number; found nothing"),
    "an image without name": (drop("images", 1, "file_name"), r"images\[1\]\.file_name: .*found nothing"),
    "an empty name": (set_("images", 1, "file_name", ""), r"images\[1\]\.file_name: .*expected text; found ''"),
    "an id of text": (set_("images", 1, "id", "7"), r"images\[1\]\.id: .*expected a whole number; found '7'"),
    "an id that is true": (set_("images", 1, "id", True), r"images\[1\]\.id: .*found True"),
    "an id with a fraction": (set_("images", 1, "id", 1.5), r"images\[1\]\.id: .*found 1\.5"),
    "an infinite id": (set_("images", 1, "id", math.inf), r"images\[1\]\.id: .*found inf"),
    "a height of text": (set_("images", 1, "height", "24"), r"images\[1\]\.height: .*expected a whole number"),
    "an image twice": (set_("images", 1, "id", 100), r"images\[1\]\.id: .*found 100, as in images\[0\]"),
    "a file twice": (set_("images", 1, "file_name", "a.png"), r"images\[1\]\.file_name: .*a\.png, as in images\[0\]"),
    "a category twice": (set_("categories", 1, "id", 17), r"categories\[1\]\.id: .*found 17, as 'cat' has"),
    "a category without name": (drop("categories", 1, "name"), r"categories\[1\]\.name: .*found nothing"),
    "an image elsewhere": (
        set_("images", 1, "file_name", "../../etc/passwd"),
        r"images of the file are missing \(\.\.",
    ),
    "an image missing": (
        set_("images", 1, "file_name", "zebra.png"),
        r"1 of 3 images of the file are missing \(zebra\.png\); 1 of 3 images are not in the file \(b\); .*skip",
    ),
    "a nul": (set_("images", 1, "file_name", "a\0.png"), "images of the file are missing"),
    "half a surrogate pair": (set_("images", 1, "file_name", "\ud800.png"), r"missing \(\\ud800\.png\)"),
    "another size": (
        set_("images", 1, "height", 25),
        r"1 of 3 images do not have the size that the annotations are for: b\.png is 24×32, the file says 25×32",
    ),
    "an annotation of text": (set_("annotations", 2, "x"), r"annotations\[2\]: .*expected a mapping"),
    "no image_id": (drop("annotations", 2, "image_id"), r"annotations\[2\]\.image_id: .*found nothing"),
    "a category_id of text": (set_("annotations", 2, "category_id", "3"), r"annotations\[2\]\.category_id: .*'3'"),
    "an outline of text": (
        set_("annotations", 2, "segmentation", "x"),
        r"annotations\[2\]\.segmentation: .*expected polygons \[\[x, y, …\], …\] or run lengths; found 'x'",
    ),
    "only boxes": (
        lambda data: [entry.pop("segmentation") for entry in data["annotations"]] and None,
        r"none of the 4 objects can be drawn; found 4 × no outline, at most a box \(first annotations\[0\]\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_coco_file(tmp_path: Path, name: str) -> None:
    change, message = BROKEN[name]
    write_coco(tmp_path, change)
    with pytest.raises(DataError, match=message) as error:
        find_coco(tmp_path)
    assert "\n" not in str(error.value)
    str(error.value).encode("utf-8")


TEXTS = {
    b"": "all.json: malformed JSON; found an empty file",
    b"{": r"malformed JSON; found .* at line 1, column 2",
    b'{"images": [\n1,,2]}': r"malformed JSON; found .* at line 2, column 3",
    b"[" * 200_000: "malformed JSON; found maximum recursion depth exceeded",
    b"1" * 5000: "malformed JSON; found Exceeds the limit",
    b"\xff\xfe\x00": "not text",
    b'"\xe9"': "expected a mapping",
    b"null": "expected a mapping .*; found None",
    b"NaN": "expected a mapping .*; found nan",
}


@pytest.mark.parametrize("content", TEXTS, ids=lambda content: content[:9].decode("latin1"))
def test_text_that_is_no_coco_file(tmp_path: Path, content: bytes) -> None:
    write_coco(tmp_path)
    (tmp_path / "all.json").write_bytes(content)
    with pytest.raises(DataError, match=TEXTS[content]):
        find_coco(tmp_path)


def outline(value: Any) -> Callable[[dict[str, Any]], None]:
    return set_("annotations", 2, "segmentation", value)


LEFT_OUT: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "an unknown image": (set_("annotations", 2, "image_id", 999), "an image that the file does not list"),
    "an unknown category": (set_("annotations", 2, "category_id", 999), "a category that the file does not list"),
    "no outline": (outline(None), "no outline, at most a box"),
    "no polygons": (outline([]), "no outline, at most a box"),
    "two points": (outline([[1, 1, 2, 2]]), "fewer than 3 points"),
    "odd": (outline([[1, 1, 2, 2, 3, 3, 4]]), "an odd number of coordinates"),
    "text": (outline([[1, 1, 2, 2, 3, "3"]]), "a coordinate that is no number"),
    "a NaN": (outline([[1, 1, 2, 2, 3, math.nan]]), "a coordinate that is not finite"),
    "infinite": (outline([[1, 1, 2, 2, 3, -math.inf]]), "a coordinate that is not finite"),
    "outside": (outline([[100, 100, 120, 100, 120, 120]]), "no pixel inside the picture"),
    "no area": (outline([[5, 5, 5, 5, 5, 5]]), "no pixel inside the picture"),
    "runs of another size": (outline({"size": [32, 24], "counts": [0, 768]}), "of another size than the picture"),
    "runs that are too short": (outline({"size": [24, 32], "counts": [0, 700]}), "do not add up to the picture"),
    "runs of damaged text": (outline({"size": [24, 32], "counts": "ooooo"}), "a damaged run-length text"),
    "runs without counts": (outline({"size": [24, 32]}), "neither numbers nor text"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_objects_that_cannot_be_drawn_are_counted(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    change, reason = LEFT_OUT[name]
    write_coco(tmp_path, change)
    with pytest.raises(DataError, match=rf"1 of 4 objects cannot be drawn.*{re.escape(reason)}.*skip_objects: skip"):
        find_coco(tmp_path, classes=CLASSES)
    with caplog.at_level(logging.WARNING, logger="kseg"):
        dataset = find_coco(tmp_path, classes=CLASSES, skip_objects="skip")
    assert "all.json: 1 of 4 objects are left out, in whole or in part: 1 × " in caplog.text
    assert f"{reason} (first annotations[2])" in caplog.text
    np.testing.assert_array_equal(ids(dataset, "a"), truth("train/a"))


def test_an_outline_that_is_not_in_a_list_of_outlines(tmp_path: Path) -> None:
    write_coco(
        tmp_path, lambda data: [e.update(segmentation=e["segmentation"][0]) for e in data["annotations"]] and None
    )
    np.testing.assert_array_equal(ids(find_coco(tmp_path, classes=CLASSES), "a"), truth("train/a"))


def test_an_outline_at_the_end_of_the_world(tmp_path: Path) -> None:
    write_coco(tmp_path, outline([[0, 0, 1e12, 0, 1e12, 1e12, 0, 1e12]]))
    assert (ids(find_coco(tmp_path, classes=CLASSES), "b") > 0).all()


def test_pictures_of_another_size_can_be_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_coco(tmp_path, set_("images", 1, "height", 25))
    with caplog.at_level(logging.WARNING, logger="kseg"):
        dataset = find_coco(tmp_path, classes=CLASSES, unpaired="skip")
    assert {sample.key for sample in dataset.samples("all")} == {"a", "empty"}
    assert "b.png is 24×32, the file says 25×32; left out" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"annotations": "gone.json"}, r"data\.annotations: no such file; found .*gone\.json"),
        ({"annotations": None, "images": "."}, None),
        ({"classes": ["background", "dgo"]},
         r"data\.classes: unknown class 'dgo'; expected of .*all\.json: cat, dog; did you mean 'dog'\?"),
        ({"values": {1: "x", 0: "background"}}, r"names none of the objects' values; expected 3: dog, 17: cat"),
        ({"split": SPLIT, "images": "."}, r"one annotation file for all splits"),
        ({"images": "{split}/x"}, r"\{split\} stands for the folder of a split, but data\.split is not by folders"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_for_coco(tmp_path: Path, settings: dict[str, Any], message: str | None) -> None:
    write_coco(tmp_path)
    given = {"annotations": "all.json", **settings}
    if message is None:
        assert len(find_dataset(DataSpec(root=tmp_path, format="coco", **given)).samples("all")) == 3
        return
    with pytest.raises(ConfigError, match=message) as error:
        find_dataset(DataSpec(root=tmp_path, format="coco", **given))
    assert error.value.exit_code == 2


def test_many_annotations(tmp_path: Path) -> None:
    """20 000 objects in one picture, 2000 entries of pictures that are missing; quadratic work would take minutes."""

    def change(data: dict[str, Any]) -> None:
        entry = data["annotations"][0]
        data["annotations"] += [{**entry, "id": i} for i in range(10_000)]
        data["images"] += [{"id": i + 1000, "file_name": f"{i}.png"} for i in range(2000)]
        data["annotations"] += [{**entry, "image_id": i % 2000 + 1000} for i in range(10_000)]

    write_coco(tmp_path, change)
    dataset = find_coco(tmp_path, unpaired="skip")
    (sample,) = [sample for sample in dataset.samples("all") if sample.key == "a"]
    assert isinstance(sample.mask, Objects)
    assert len(sample.mask.runs) == 10_002
