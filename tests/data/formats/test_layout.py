from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kseg.data.formats.layout import guess_layout
from kseg.data.spec import DataSpec, Folders, Lists
from kseg.errors import DataError
from tests.data.folders import make_pairs, write

IMAGE = np.zeros((4, 6, 3), np.uint8)
MASK = np.zeros((4, 6), np.uint8)
BY_FOLDERS = Folders(train="train", val="val", test="test")

REAL: dict[str, dict[str, Any]] = {
    "pets": {"images": "images", "masks": "annotations/trimaps"},
    "portraits": {"images": "source360", "masks": "mask360"},
    "faces": {"images": "images", "masks": "masks"},
    "nuclei": {"images": "images", "masks": "masks"},
    "membrane": {"images": "images", "masks": "masks"},
    "camvid": {"images": "{split}", "masks": "{split}annot", "split": BY_FOLDERS},
    "coco_tiny": {
        "format": "coco",
        "images": "{split}2017",
        "annotations": "annotations/instances_{split}2017.json",
        "split": Folders(train="train", val="val", test=""),
    },
}


def reads_by(spec: DataSpec, settings: dict[str, Any]) -> bool:
    assert spec == DataSpec(spec.root, **settings)
    return True


def files(root: Path, *pictures: str, **texts: str) -> Path:
    for name in pictures:
        write(root / name, MASK if "mask" in name or "label" in name or "Class" in name else IMAGE)
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_the_published_layouts_are_recognised(real_data: Path, name: str) -> None:
    assert reads_by(guess_layout(real_data / name), REAL[name])


def test_two_folders_with_the_same_stems(tmp_path: Path) -> None:
    assert reads_by(guess_layout(make_pairs(tmp_path, ["a", "b"])), {"images": "images", "masks": "masks"})


def test_the_suffix_of_the_masks(tmp_path: Path) -> None:
    actual = guess_layout(make_pairs(tmp_path, ["a", "b"], suffix="_seg"))
    assert reads_by(actual, {"images": "images", "masks": "masks", "mask_suffix": "_seg"})


def test_the_masks_are_told_by_how_they_are_stored_where_the_names_do_not_say(tmp_path: Path) -> None:
    for name in ("1", "2"):
        write(tmp_path / "a" / f"{name}.png", MASK)
        write(tmp_path / "b" / f"{name}.png", IMAGE)
    assert reads_by(guess_layout(tmp_path), {"images": "b", "masks": "a"})


@pytest.mark.parametrize(
    ("images", "masks", "template"),
    [
        ("images/{}", "masks/{}", ("images/{split}", "masks/{split}")),
        ("{}/images", "{}/masks", ("{split}/images", "{split}/masks")),
        ("{}", "{}_labels", ("{split}", "{split}_labels")),
    ],
)
def test_folders_of_splits(tmp_path: Path, images: str, masks: str, template: tuple[str, str]) -> None:
    for split in ("train", "val", "test"):
        files(tmp_path, f"{images.format(split)}/{split}1.png", f"{masks.format(split)}/{split}1.png")
    assert reads_by(guess_layout(tmp_path), {"images": template[0], "masks": template[1], "split": BY_FOLDERS})


def test_validation_by_its_long_name_and_no_test(tmp_path: Path) -> None:
    for split in ("training", "validation"):
        files(tmp_path, f"{split}/images/1.png", f"{split}/masks/1.png")
    actual = guess_layout(tmp_path).split
    assert actual == (Folders(train="training", val="validation", test=""))


def test_pictures_and_masks_side_by_side(tmp_path: Path) -> None:
    files(tmp_path, "cat.png", "cat_mask.png", "dog.png", "dog_mask.png")
    assert reads_by(guess_layout(tmp_path), {"images": ".", "masks": ".", "mask_suffix": "_mask"})


def test_lists_beside_the_folders(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a", "b"])
    (tmp_path / "train.txt").write_text("a\n")
    (tmp_path / "val.txt").write_text("b\n")
    assert guess_layout(tmp_path).split == Lists(train="train.txt", val="val.txt", test="")


def test_voc(tmp_path: Path) -> None:
    files(tmp_path, "JPEGImages/a.png", "SegmentationClass/a.png")
    lists = "ImageSets/Segmentation"
    files(tmp_path, **{f"{lists}/train.txt": "a", f"{lists}/val.txt": "a"})
    assert reads_by(
        guess_layout(tmp_path),
        {
            "format": "voc",
            "images": "JPEGImages",
            "masks": "SegmentationClass",
            "split": Lists(train=f"{lists}/train.txt", val=f"{lists}/val.txt", test=""),
        },
    )


def test_yolo(tmp_path: Path) -> None:
    for split in ("train", "val"):
        files(tmp_path, f"images/{split}/a.png", **{f"labels/{split}/a.txt": "0 0.1 0.1 0.9 0.1 0.9 0.9\n"})
    assert reads_by(
        guess_layout(tmp_path),
        {
            "format": "yolo",
            "images": "images/{split}",
            "annotations": "labels/{split}",
            "split": Folders(train="train", val="val", test=""),
        },
    )


def test_labelme(tmp_path: Path) -> None:
    files(tmp_path, "photos/a.png", **{"photos/a.json": json.dumps({"shapes": []})})
    assert reads_by(guess_layout(tmp_path), {"format": "labelme", "images": "photos"})


def test_coco_with_one_file(tmp_path: Path) -> None:
    text = json.dumps({"images": [], "annotations": [], "categories": []})
    files(tmp_path, "images/a.png", **{"instances.json": text})
    assert reads_by(guess_layout(tmp_path), {"format": "coco", "images": "images", "annotations": "instances.json"})


def test_a_manifest(tmp_path: Path) -> None:
    files(tmp_path, "x/a.png", **{"all.tsv": "Image\tMask\tsplit\nx/a.png\tx/a.png\ttrain\n", "b.csv": "id,name\n"})
    assert reads_by(guess_layout(tmp_path), {"format": "manifest", "annotations": "all.tsv"})


def test_json_that_is_none_of_them_is_passed_over(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a"])
    files(tmp_path, **{"notes.json": "{", "images/a.json": "[]", "labels/a.txt": "\xff no numbers"})
    assert reads_by(guess_layout(tmp_path), {"images": "images", "masks": "masks"})


def test_nothing_that_is_known_is_one_line(tmp_path: Path) -> None:
    files(tmp_path, "photos/a.png", "photos/b.png")
    with pytest.raises(DataError, match=r"no layout of a data set is recognised; .* found folders with images: photos"):
        guess_layout(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="found no images"):
        guess_layout(tmp_path / "empty")
    with pytest.raises(DataError, match="no such folder"):
        guess_layout(tmp_path / "none")
