"""Folders of COCO, YOLO, LabelMe, VOC and manifests as tools export them, alone and beside other ground truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kseg.data.formats.layout.read import read_layout
from kseg.data.spec import DataSpec, Folders, Lists
from kseg.errors import DataError
from tests.data.formats.tree_maker import SIZE, add, add_text, read, settle

POLYGON = "0 0.1 0.1 0.9 0.1 0.9 0.9\n"
BOX = "0 0.5 0.5 0.4 0.4\n"
YAML = "names: {0: thing}\n"
OUTLINE = [1, 1, 9, 1, 9, 9, 1, 9]


def coco(files: Sequence[str]) -> str:
    """A COCO file with an object in each image."""
    images = [{"id": i, "file_name": name, "height": SIZE, "width": SIZE} for i, name in enumerate(files)]
    objects = [
        {"id": i, "image_id": i, "category_id": 1, "iscrowd": 0, "segmentation": [OUTLINE], "area": 64}
        for i in range(len(files))
    ]  # fmt: skip
    return json.dumps({"images": images, "annotations": objects, "categories": [{"id": 1, "name": "thing"}]})


def labelme(image: str) -> str:
    points = [[1, 1], [9, 1], [9, 9]]
    shape = {"label": "thing", "shape_type": "polygon", "points": points}
    return json.dumps({"shapes": [shape], "imagePath": image, "imageHeight": SIZE, "imageWidth": SIZE})


def texts(pattern: str, text: str, names: str = "abcd") -> dict[str, str]:
    return {pattern.format(name): text for name in names}


def read_certain(root: Path, **settings: Any) -> None:
    """Check that the folder is read with these settings, without a question, and that a training would start."""
    actual = read(root)
    assert actual.spec == DataSpec(root, **settings)
    assert (actual.questions, actual.left, actual.account.stray) == ([], None, [])
    assert settle(root).format == settings["format"]


# --- COCO -------------------------------------------------------------------------------------------------------------


def test_coco_with_one_file(tmp_path: Path) -> None:
    add(tmp_path, "photos/{}.jpg")
    add_text(tmp_path, **{"instances.json": coco([f"{name}.jpg" for name in "abcd"])})
    read_certain(tmp_path, format="coco", images="photos", annotations="instances.json")


def test_coco_of_other_tasks_is_explained(tmp_path: Path) -> None:
    add(tmp_path, "train2017/{}.jpg", names="ab")
    add(tmp_path, "val2017/{}.jpg", names="cd")
    for split, names in (("train", "ab"), ("val", "cd")):
        text = coco([f"{name}.jpg" for name in names])
        files = (f"annotations/{task}_{split}2017.json" for task in ("instances", "person_keypoints", "captions"))
        add_text(tmp_path, **dict.fromkeys(files, text))
    read_certain(
        tmp_path, format="coco", images="{split}2017", annotations="annotations/instances_{split}2017.json",
        split=Folders("train", "val", ""),
    )  # fmt: skip
    reasons = set(read(tmp_path).account.explained.values())
    assert reasons == {"COCO annotations of another task"}


def test_roboflow_has_a_coco_file_in_each_split(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        add(tmp_path, f"{split}/{{}}.jpg", names=split)
        add_text(tmp_path, **{f"{split}/_annotations.coco.json": coco([f"{name}.jpg" for name in {*split}])})
    read_certain(
        tmp_path, format="coco", images="{split}", annotations="{split}/_annotations.coco.json",
        split=Folders("train", "valid", "test"),
    )  # fmt: skip


@pytest.mark.parametrize("folder", ["images", "images/default"])
def test_coco_of_cvat(tmp_path: Path, folder: str) -> None:
    add(tmp_path, f"{folder}/{{}}.png")
    add_text(tmp_path, **{"annotations/instances_default.json": coco([f"{name}.png" for name in "abcd"])})
    read_certain(tmp_path, format="coco", images=folder, annotations="annotations/instances_default.json")


@pytest.mark.parametrize("name", ["images/{}.png", "images\\{}.png", "../images/{}.png", "/data/upload/1/{}.png"])
def test_coco_of_label_studio(tmp_path: Path, name: str) -> None:
    add(tmp_path, "images/{}.png")
    add_text(tmp_path, **{"result.json": coco([name.format(letter) for letter in "abcd"])})
    actual = read(tmp_path)
    assert (len(actual.samples), actual.questions, actual.left) == (4, [], None)
    assert (actual.spec.format, actual.spec.annotations) == ("coco", "result.json")


def test_a_large_coco_file_is_recognised_by_keys_anywhere(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png")
    document = json.loads(coco([f"{name}.png" for name in "abcd"]))
    filler = {"info": "x" * 3_000_000}
    text = json.dumps({"images": document["images"], "a": filler, "annotations": document["annotations"], "b": filler,
                       "categories": document["categories"]})  # fmt: skip
    add_text(tmp_path, **{"all.json": text})
    read_certain(tmp_path, format="coco", images="images", annotations="all.json")


def test_two_coco_files_for_the_same_images_are_a_question_that_each_answer_settles(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png")
    text = coco([f"{name}.png" for name in "abcd"])
    add_text(tmp_path, **{"cars.json": text, "trees.json": text})
    (question,) = read_layout(tmp_path).questions
    assert question.what == "which file holds the annotations: cars.json or trees.json?"
    assert (dict(question.guess), question.otherwise) == (
        {"data.annotations": "cars.json"}, "set data.annotations: trees.json"
    )  # fmt: skip
    with pytest.raises(DataError, match=r"which file holds the annotations"):
        settle(tmp_path)
    for name in ("cars.json", "trees.json"):
        assert settle(tmp_path, annotations=name).annotations == name


def test_a_coco_file_of_all_beside_those_of_the_splits(tmp_path: Path) -> None:
    add(tmp_path, "train/{}.png", names="ab")
    add(tmp_path, "val/{}.png", names="cd")
    add_text(tmp_path, **{f"{split}.json": coco([f"{split}/{name}.png" for name in names])
                          for split, names in (("train", "ab"), ("val", "cd"))})  # fmt: skip
    add_text(tmp_path, **{"all.json": coco(["train/a.png", "train/b.png", "val/c.png", "val/d.png"])})
    (question,) = read_layout(tmp_path).questions
    assert dict(question.guess) == {"data.annotations": "{split}.json"}
    assert settle(tmp_path, annotations="{split}.json").split == Folders("train", "val", "")
    assert settle(tmp_path, annotations="all.json").images == "."


def test_coco_and_masks_are_a_question_that_each_answer_settles(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "masks/{}.png")
    add_text(tmp_path, **{"instances.json": coco([f"{name}.png" for name in "abcd"])})
    (question,) = read_layout(tmp_path).questions
    assert question.what == "which format is meant: coco or folders?"
    assert (dict(question.guess), question.otherwise) == ({"data.format": "coco"}, "set data.format: folders")
    with pytest.raises(DataError, match=r"which format is meant"):
        settle(tmp_path)
    assert settle(tmp_path, format="coco").annotations == "instances.json"
    assert settle(tmp_path, format="folders").masks == "masks"
    assert settle(tmp_path, masks="masks").format == "folders"
    assert settle(tmp_path, annotations="instances.json").format == "coco"


def test_coco_beside_pictures_of_other_kinds(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "images_small/{}.png", "depth/{}.png")
    add_text(tmp_path, **{"instances.json": coco([f"images/{name}.png" for name in "abcd"])})
    actual = read(tmp_path)
    assert (actual.spec.images, actual.questions) == ("images", ["data.unused"])
    assert actual.left is not None
    assert settle(tmp_path, unused=tuple(actual.left.guess["data.unused"])).format == "coco"


def test_folders_with_the_same_names_are_a_question_that_each_answer_settles(tmp_path: Path) -> None:
    add(tmp_path, "left/{}.png", "right/{}.png")
    add_text(tmp_path, **{"all.json": coco([f"{name}.png" for name in "abcd"])})
    (question,) = read_layout(tmp_path).questions
    assert question.what == "which folder holds the images: left or right?"
    assert (dict(question.guess), question.otherwise) == ({"data.images": "left"}, "set data.images: right")
    for images in ("left", "right"):
        assert settle(tmp_path, images=images).images == images


def test_images_of_coco_in_several_folders(tmp_path: Path) -> None:
    names = [f"{number:02}" for number in range(30)]
    add(tmp_path, "photos/a/{}.png", "photos/b/{}.png", "photos/c/{}.png", names=names)
    files = [f"{folder}/{name}.png" for folder in "abc" for name in names]
    add_text(tmp_path, **{"all.json": coco(files)})
    read_certain(tmp_path, format="coco", images="photos", annotations="all.json")


def test_images_of_coco_with_and_without_a_folder(tmp_path: Path) -> None:
    names = [f"{number:02}" for number in range(30)]
    add(tmp_path, "photos/{}.png", names=names)
    add(tmp_path, "photos/more/{}.png", names="xyz")
    files = [*(f"{name}.png" for name in names), *(f"more/{name}.png" for name in "xyz")]
    add_text(tmp_path, **{"all.json": coco(files)})
    read_certain(tmp_path, format="coco", images="photos", annotations="all.json")


# --- YOLO -------------------------------------------------------------------------------------------------------------


def test_yolo_without_a_description(tmp_path: Path) -> None:
    for split in ("train", "val"):
        add(tmp_path, f"images/{split}/{{}}.png")
        add_text(tmp_path, **texts(f"labels/{split}/{{}}.txt", POLYGON), **{f"labels/{split}/classes.txt": "thing\n"})
    read_certain(
        tmp_path,
        format="yolo",
        images="images/{split}",
        annotations="labels/{split}",
        split=Folders("train", "val", ""),
    )


@pytest.mark.parametrize("train", ["images/train", "[images/train]", "train.txt"])
def test_yolo_with_a_description(tmp_path: Path, train: str) -> None:
    for split in ("train", "val"):
        add(tmp_path, f"images/{split}/{{}}.png")
        add_text(tmp_path, **texts(f"labels/{split}/{{}}.txt", POLYGON))
    lists = {"train.txt": "".join(f"./images/train/{name}.png\n" for name in "abcd")} if train.endswith("txt") else {}
    add_text(tmp_path, **{"data.yaml": f"path: .\ntrain: {train}\nval: images/val\n{YAML}", **lists})
    read_certain(tmp_path, format="yolo", annotations="data.yaml")


def test_yolo_of_roboflow(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        add(tmp_path, f"{split}/images/{{}}.jpg")
        add_text(tmp_path, **texts(f"{split}/labels/{{}}.txt", POLYGON))
    add_text(tmp_path, **{"data.yaml": f"train: ../train/images\nval: ../valid/images\n{YAML}", "README.txt": "hello"})
    read_certain(tmp_path, format="yolo", annotations="data.yaml")


def test_yolo_with_linked_labels(tmp_path: Path) -> None:
    root = tmp_path / "data"
    add(root, "images/{}.png")
    add_text(tmp_path / "elsewhere", **texts("{}.txt", POLYGON), **{"classes.txt": "thing\n"})
    (root / "labels").symlink_to(tmp_path / "elsewhere")
    read_certain(root, format="yolo", images="images", annotations="labels")


def test_yolo_with_labels_beside_the_images(tmp_path: Path) -> None:
    add(tmp_path, "shots/{}.png")
    add_text(tmp_path, **texts("shots/{}.txt", POLYGON), **{"shots/classes.txt": "thing\n"})
    read_certain(tmp_path, format="yolo", images="shots", annotations="shots")


@pytest.mark.parametrize("text", ["\ufeff" + POLYGON, "\ufeff\r\n" + POLYGON])
def test_yolo_with_a_byte_order_mark(tmp_path: Path, text: str) -> None:
    add(tmp_path, "images/{}.jpg")
    add_text(tmp_path, **texts("labels/{}.txt", text), **{"classes.txt": "thing\n"})
    read_certain(tmp_path, format="yolo", images="images", annotations="labels")


def test_yolo_whose_first_labels_are_empty(tmp_path: Path) -> None:
    names = [f"{number:03}" for number in range(30)]
    add(tmp_path, "images/{}.png", names=names)
    contents = {f"labels/{name}.txt": POLYGON if number == 19 else "" for number, name in enumerate(names)}
    add_text(tmp_path, **contents, **{"labels/classes.txt": "thing\n"})
    assert read_layout(tmp_path).settings["data.format"] == "yolo"


def test_boxes_alone_are_an_error_that_says_so(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png")
    add_text(tmp_path, **texts("labels/{}.txt", BOX), **{"labels/classes.txt": "thing\n"})
    with pytest.raises(DataError, match=r"these are labels for detection, not for segmentation"):
        settle(tmp_path)


def test_texts_that_are_no_labels_are_not_yolo(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png")
    add_text(tmp_path, **texts("labels/{}.txt", "a photograph of a thing\n"))
    with pytest.raises(DataError, match=r"no layout of a data set is recognised"):
        read_layout(tmp_path)


def test_boxes_beside_masks_are_explained(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "masks/{}.png")
    add_text(tmp_path, **texts("labels/{}.txt", BOX))
    actual = read(tmp_path)
    assert (actual.spec.format, actual.questions, actual.left) == ("folders", [], None)


def test_polygons_beside_masks_are_a_question_that_each_answer_settles(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "masks/{}.png")
    add_text(tmp_path, **texts("labels/{}.txt", POLYGON), **{"labels/classes.txt": "thing\n"})
    (question,) = read_layout(tmp_path).questions
    assert dict(question.guess) == {"data.format": "yolo"}
    assert settle(tmp_path, format="yolo").annotations == "labels"
    assert settle(tmp_path, format="folders").masks == "masks"


def test_two_descriptions_are_a_question_that_each_answer_settles(tmp_path: Path) -> None:
    add(tmp_path, "images/train/{}.png", "images/val/{}.png")
    for split in ("train", "val"):
        add_text(tmp_path, **texts(f"labels/{split}/{{}}.txt", POLYGON))
    text = f"train: images/train\nval: images/val\n{YAML}"
    add_text(tmp_path, **{"data.yaml": text, "other.yaml": text})
    (question,) = read_layout(tmp_path).questions
    assert (dict(question.guess), question.otherwise) == (
        {"data.annotations": "data.yaml"}, "set data.annotations: other.yaml"
    )  # fmt: skip
    for name in ("data.yaml", "other.yaml"):
        assert settle(tmp_path, annotations=name).annotations == name


def test_a_configuration_in_the_folder_is_no_description(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "masks/{}.png")
    add_text(tmp_path, **{"faces.yaml": "data: {root: .}\ntrain: {epochs: 3}\n"})
    read_certain(tmp_path, format="folders")


# --- LabelMe ----------------------------------------------------------------------------------------------------------


def test_labelme_beside_the_images(tmp_path: Path) -> None:
    add(tmp_path, "photos/{}.png")
    add_text(tmp_path, **{f"photos/{name}.json": labelme(f"{name}.png") for name in "abcd"})
    read_certain(tmp_path, format="labelme", images="photos")


def test_labelme_in_several_folders(tmp_path: Path) -> None:
    for folder in ("day", "night"):
        add(tmp_path, f"{folder}/{{}}.png")
        add_text(tmp_path, **{f"{folder}/{name}.json": labelme(f"{name}.png") for name in "abcd"})
    read_certain(tmp_path, format="labelme", images=".")


def test_labelme_in_splits(tmp_path: Path) -> None:
    for folder in ("train", "test"):
        add(tmp_path, f"{folder}/{{}}.png")
        add_text(tmp_path, **{f"{folder}/{name}.json": labelme(f"{name}.png") for name in "abcd"})
    read_certain(tmp_path, format="labelme", images="{split}", split=Folders("train", "", "test"))


def test_labelme_in_a_folder_of_its_own(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png")
    add_text(tmp_path, **{f"json/{name}.json": labelme(f"../images/{name}.png") for name in "abcd"})
    read_certain(tmp_path, format="labelme", images="images", annotations="json")


def test_labelme_and_the_masks_made_of_it(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "masks/{}.png")
    add_text(tmp_path, **{f"images/{name}.json": labelme(f"{name}.png") for name in "abcd"})
    (question,) = read_layout(tmp_path).questions
    assert dict(question.guess) == {"data.format": "labelme"}
    assert settle(tmp_path, format="labelme").images == "images"
    assert settle(tmp_path, format="folders").masks == "masks"


# --- VOC and manifests ------------------------------------------------------------------------------------------------


def test_voc(tmp_path: Path) -> None:
    add(tmp_path, "JPEGImages/{}.jpg", names="abcdefgh")
    add(tmp_path, "SegmentationClass/{}.png", "SegmentationObject/{}.png", names="abcd")
    sets = "ImageSets/Segmentation"
    add_text(tmp_path, **{f"{sets}/train.txt": "a\nb\nc\n", f"{sets}/val.txt": "d\n", f"{sets}/trainval.txt": "a\nb\n",
                          "ImageSets/Main/train.txt": "e\nf\n", "Annotations/e.xml": "<x/>"})  # fmt: skip
    actual = read(tmp_path)
    lists = Lists(train=f"{sets}/train.txt", val=f"{sets}/val.txt", test="")
    assert actual.spec == DataSpec(tmp_path, format="voc", images="JPEGImages", masks="SegmentationClass", split=lists)
    assert (len(actual.samples), actual.questions, actual.left) == (4, [], None)
    assert actual.account.explained["JPEGImages"] == "VOC's images without a mask, which are for detection"


def test_voc_inside_its_archive(tmp_path: Path) -> None:
    add(tmp_path, "VOCdevkit/VOC2012/JPEGImages/{}.jpg", "VOCdevkit/VOC2012/SegmentationClass/{}.png")
    actual = read(tmp_path)
    assert (actual.spec.masks, len(actual.samples)) == ("VOCdevkit/VOC2012/SegmentationClass", 4)


@pytest.mark.parametrize(("name", "text"), [
    ("labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\nthing:250,50,83::\n"),  # CVAT
    ("class_names.txt", "_background_\nthing\n"),  # LabelMe
])  # fmt: skip
def test_the_folders_of_voc_with_other_classes(tmp_path: Path, name: str, text: str) -> None:
    add(tmp_path, "JPEGImages/{}.jpg", "SegmentationClass/{}.png", "SegmentationObject/{}.png")
    sets = "ImageSets/Segmentation"
    add_text(tmp_path, **{name: text, f"{sets}/train.txt": "a\nb\nc\n", f"{sets}/val.txt": "d\n"})
    lists = Lists(train=f"{sets}/train.txt", val=f"{sets}/val.txt", test="")
    read_certain(tmp_path, format="folders", images="JPEGImages", masks="SegmentationClass", split=lists)


def test_the_folders_of_voc_with_a_legend_of_its_classes(tmp_path: Path) -> None:
    add(tmp_path, "JPEGImages/{}.jpg", "SegmentationClass/{}.png")
    add_text(tmp_path, **{"labelmap.txt": "background:0,0,0::\naeroplane:128,0,0::\n"})
    read_certain(tmp_path, format="voc", images="JPEGImages", masks="SegmentationClass")


def test_a_manifest(tmp_path: Path) -> None:
    add(tmp_path, "x/{}.png", "y/{}_mask.png")
    rows = "".join(f"x/{name}.png\ty/{name}_mask.png\ttrain\n" for name in "abcd")
    add_text(tmp_path, **{"all.tsv": f"Image\tMask\tsplit\n{rows}", "b.csv": "id,name\n"})
    read_certain(tmp_path, format="manifest", annotations="all.tsv")


def test_a_manifest_of_a_part_leaves_the_rest_in_question(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "masks/{}.png", names="abcdefgh")
    add_text(
        tmp_path, **{"some.csv": "image,mask\n" + "".join(f"images/{name}.png,masks/{name}.png\n" for name in "abc")}
    )
    actual = read(tmp_path)
    assert (actual.spec.format, actual.questions) == ("manifest", ["data.unused"])
    assert settle(tmp_path, format="folders", unused=("some.csv",)).masks == "masks"


def test_documents_of_other_kinds_are_passed_over(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "masks/{}.png")
    add_text(tmp_path, **{"notes.json": "{", "images/a.json": "[]", "labels/a.txt": "\xff no numbers", "x.csv": '"',
                          "y.yaml": "{", "empty.json": "", "list.json": "[1]"})  # fmt: skip
    read_certain(tmp_path, format="folders")
