"""Folders of images and masks as users have them: each is read as its names and files say, or there is a question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import kseg
from kseg.data.formats.layout.read import read_layout
from kseg.data.spec import DataSpec, Folders, Lists
from kseg.errors import DataError
from tests.data.formats.tree_maker import add, add_text, read, settle

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


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_published_data_sets_are_read_without_a_question(real_data: Path, name: str) -> None:
    actual = read(real_data / name)
    assert actual.spec == DataSpec(real_data / name, **REAL[name])
    assert (actual.questions, actual.left, actual.account.stray) == ([], None, [])


# --- folders ----------------------------------------------------------------------------------------------------------

PAIRED: dict[str, tuple[list[str], dict[str, Any]]] = {
    "two folders": (["images/{}.png", "masks/{}.png"], {"images": "images", "masks": "masks"}),
    "deeper": (["a/b/images/{}.png", "a/b/masks/{}.png"], {"images": "a/b/images", "masks": "a/b/masks"}),
    "a root whose name says masks": (
        ["segmentation/images/{}.png", "segmentation/labels/{}.png"],
        {"images": "segmentation/images", "masks": "segmentation/labels"},
    ),
    "of one split only": (
        ["train/images/{}.png", "train/masks/{}.png"],
        {"images": "train/images", "masks": "train/masks"},
    ),
    "a suffix": (
        ["images/{}.jpg", "masks/{}_seg.png"],
        {"images": "images", "masks": "masks", "mask_suffix": "_seg"},
    ),
    "the image's whole name": (["images/{}.jpg", "masks/{}.jpg.png"], {"images": "images", "masks": "masks"}),
    "other case": (["images/P{}.JPG", "masks/p{}.png"], {"images": "images", "masks": "masks"}),
    "a prefix of each": (
        ["images/IMG_{}.jpg", "masks/mask_{}.png"],
        {"images": "images/IMG_*.jpg", "masks": "masks/mask_*.png"},
    ),
    "a suffix of each": (
        ["photos/{}_image.png", "truth/{}_mask.png"],
        {"images": "photos/*_image.png", "masks": "truth/*_mask.png"},
    ),
    "a suffix of the images": (
        ["imagesTr/case{}_0000.png", "labelsTr/case{}.png"],
        {"images": "imagesTr/*_0000.png", "masks": "labelsTr/*.png"},
    ),
    "side by side with a suffix": (["{}.png", "{}_mask.png"], {"images": ".", "masks": ".", "mask_suffix": "_mask"}),
    "side by side by type": (["pets/{}.jpg", "pets/{}.png"], {"images": "pets/*.jpg", "masks": "pets/*.png"}),
    "side by side with the image's whole name": (
        ["{}.jpg", "{}.jpg.png"],
        {"images": ".", "masks": ".", "mask_suffix": ".jpg"},
    ),
    "side by side with prefixes": (
        ["x/image_{}.png", "x/mask_{}.png"],
        {"images": "x/image_*.png", "masks": "x/mask_*.png"},
    ),
    "side by side with words behind": (
        ["{}_image.png", "{}_mask.png"],
        {"images": "*_image.png", "masks": "*_mask.png"},
    ),
    "splits outside": (
        ["train/images/{}.png", "train/masks/{}.png", "val/images/{}.png", "val/masks/{}.png",
         "test/images/{}.png", "test/masks/{}.png"],
        {"images": "{split}/images", "masks": "{split}/masks", "split": BY_FOLDERS},
    ),
    "splits inside": (
        ["images/train/{}.png", "masks/train/{}.png", "images/val/{}.png", "masks/val/{}.png"],
        {"images": "images/{split}", "masks": "masks/{split}", "split": Folders("train", "val", "")},
    ),
    "long names of splits": (
        ["images/training/{}.png", "masks/training/{}.png", "images/validation/{}.png", "masks/validation/{}.png",
         "images/testing/{}.png", "masks/testing/{}.png"],
        {"images": "images/{split}", "masks": "masks/{split}", "split": Folders("training", "validation", "testing")},
    ),
    "years": (
        ["train2017/{}.jpg", "train2017_masks/{}.png", "val2017/{}.jpg", "val2017_masks/{}.png"],
        {"images": "{split}2017", "masks": "{split}2017_masks", "split": Folders("train", "val", "")},
    ),
    "no validation": (
        ["Train/images/{}.png", "Train/masks/{}.png", "Test/images/{}.png", "Test/masks/{}.png"],
        {"images": "{split}/images", "masks": "{split}/masks", "split": Folders("Train", "", "Test")},
    ),
    "Roboflow": (
        ["train/{}.jpg", "train/{}_mask.png", "valid/{}.jpg", "valid/{}_mask.png", "test/{}.jpg", "test/{}_mask.png"],
        {"images": "{split}", "masks": "{split}", "mask_suffix": "_mask", "split": Folders("train", "valid", "test")},
    ),
    "parts": (
        ["part1/images/{}.png", "part1/masks/{}.png", "part2/images/{}.png", "part2/masks/{}.png"],
        {"images": "*/images", "masks": "*/masks"},
    ),
    "deep parts": (
        ["x/a/1/images/{}.png", "x/a/1/masks/{}.png", "y/b/2/images/{}.png", "y/b/2/masks/{}.png"],
        {"images": "*/*/*/images", "masks": "*/*/*/masks"},
    ),
    "parts at several depths": (
        ["a/images/{}.png", "a/masks/{}.png", "b/c/images/{}.png", "b/c/masks/{}.png"],
        {"images": "**/images", "masks": "**/masks"},
    ),
    "parts inside": (
        ["images/part1/{}.png", "masks/part1/{}.png", "images/part2/{}.png", "masks/part2/{}.png"],
        {"images": "images", "masks": "masks"},
    ),
    "parts of splits": (
        ["a/train/images/{}.png", "a/train/masks/{}.png", "b/train/images/{}.png", "b/train/masks/{}.png",
         "a/val/images/{}.png", "a/val/masks/{}.png"],
        {"images": "*/{split}/images", "masks": "*/{split}/masks", "split": Folders("train", "val", "")},
    ),
    "parts with prefixes": (
        ["a/images/IMG_{}.png", "a/masks/mask_{}.png", "b/images/IMG_{}.png", "b/masks/mask_{}.png"],
        {"images": "*/images/IMG_*.png", "masks": "*/masks/mask_*.png"},
    ),
    "parts that are side by side": (
        ["a/{}.jpg", "a/{}_mask.png", "b/{}.jpg", "b/{}_mask.png"],
        {"images": ".", "masks": ".", "mask_suffix": "_mask"},
    ),
    "names that contain those of splits": (
        ["trainers/images/{}.png", "trainers/masks/{}.png", "interval/images/{}.png", "interval/masks/{}.png",
         "latest/images/{}.png", "latest/masks/{}.png"],
        {"images": "*/images", "masks": "*/masks"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRED)
def test_every_image_is_read_with_its_mask(tmp_path: Path, name: str) -> None:
    patterns, settings = PAIRED[name]
    add(tmp_path, *patterns[0::2])
    add(tmp_path, *patterns[1::2], masks=True)
    actual = read(tmp_path)
    assert actual.spec == DataSpec(tmp_path, **settings)
    expected = {
        image.format(name): mask.format(name)
        for image, mask in zip(patterns[0::2], patterns[1::2], strict=True) for name in "abcd"
    }  # fmt: skip
    assert actual.pairs == expected
    assert (actual.questions, actual.left) == ([], None)


def test_masks_are_told_from_images_by_their_values_where_the_names_do_not_say_it(tmp_path: Path) -> None:
    add(tmp_path, "a/{}.png", masks=True)
    add(tmp_path, "b/{}.png")
    actual = read(tmp_path)
    assert (actual.spec.images, actual.spec.masks, actual.questions) == ("b", "a", [])


def test_a_training_without_validation_folder_says_how_it_validates(tmp_path: Path) -> None:
    add(tmp_path, "Train/images/{}.png", "Train/masks/{}.png", "Test/images/{}.png", "Test/masks/{}.png")
    result = kseg.check(tmp_path, batch=1)
    assert result.counts == {"train": 3, "val": 1, "test": 4}
    (note,) = [finding for finding in result.findings if finding.code == "no-validation"]
    assert note.what == ("no validation images: 1 of the 4 training images, chosen at random, are kept for validation")


# --- what is beside the images and masks ------------------------------------------------------------------------------

BESIDE: dict[str, tuple[list[str], list[str], dict[str, str], list[str]]] = {
    "depth and overlays": (
        ["images/{}.png", "masks/{}.png"], ["depth/{}.png", "overlays/{}.png"], {"images": "images", "masks": "masks"},
        ["depth", "overlays"],
    ),
    "what networks write": (
        ["img/{}.jpg", "gt/{}.png"], ["pred/{}.png", "vis/{}.png", "edges/{}.png"], {"images": "img", "masks": "gt"},
        ["edges", "pred", "vis"],
    ),
    "images without masks": (
        ["images/train/{}.png", "masks/train/{}.png"], ["images/unlabeled/u{}.png"],
        {"images": "images/train", "masks": "masks/train"}, ["images/unlabeled"],
    ),
    "images for a test, without masks": (
        ["train/{}.png", "train_masks/{}.png"], ["test/t{}.png"], {"images": "train", "masks": "train_masks"}, ["test"],
    ),
    "images inside the folder of the images": (
        ["images/{}.png", "masks/{}.png"], ["images/thumbs/{}.png"], {"images": "images/*", "masks": "masks/*"},
        ["images/thumbs"],
    ),
    "side by side in the root": (
        ["{}.jpg", "{}_mask.png"], ["depth/{}.jpg"], {"images": "*", "masks": "*"}, ["depth"],
    ),
    "a test without a training": (
        ["val/images/{}.png", "val/masks/{}.png", "val/images/e{}.png", "val/masks/e{}.png"],
        ["test/images/u{}.png", "test/masks/u{}.png"],
        {"images": "val/images", "masks": "val/masks"}, ["test"],
    ),
    "binary pictures of another name": (
        ["images/{}.jpg", "masks/{}.png"], ["edges/{}.png"], {"images": "images", "masks": "masks"}, ["edges"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
def test_other_folders_are_no_masks_and_are_asked_about(tmp_path: Path, name: str) -> None:
    patterns, others, settings, unused = BESIDE[name]
    add(tmp_path, *patterns)
    add(tmp_path, *others, masks="edges" in str(others) or None)
    actual = read(tmp_path)
    assert {key: getattr(actual.spec, key) for key in settings} == settings
    assert actual.left is not None
    assert dict(actual.left.guess) == {"data.unused": unused}
    with pytest.raises(DataError, match=r"are not read; .*data\.unused"):
        settle(tmp_path)
    assert settle(tmp_path, unused=tuple(unused)).images == settings["images"]
    suffix = {"mask_suffix": actual.spec.mask_suffix}
    assert settle(tmp_path, **settings, **suffix).masks == settings["masks"]


def test_two_folders_of_masks_are_a_question_that_each_answer_settles(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.jpg", "labels/{}.png", "instances/{}.png")
    (question,) = read_layout(tmp_path).questions
    assert question.what == "which folder holds the masks: labels or instances?"
    assert (dict(question.guess), question.otherwise) == ({"data.masks": "labels"}, "set data.masks: instances")
    for masks in ("labels", "instances"):
        assert settle(tmp_path, masks=masks).images == "images"


def test_two_folders_of_masks_in_every_split(tmp_path: Path) -> None:
    for split in ("train", "val"):
        add(tmp_path, *(f"{split}/{kind}/{{}}.png" for kind in ("images", "gt", "instances")))
    (question,) = read_layout(tmp_path).questions
    assert (dict(question.guess), question.otherwise) == (
        {"data.masks": "{split}/gt"}, "set data.masks: '{split}/instances'"
    )  # fmt: skip
    for masks in ("{split}/gt", "{split}/instances"):
        assert settle(tmp_path, masks=masks).split == Folders("train", "val", "")


def test_two_folders_of_images_are_a_question_that_each_answer_settles(tmp_path: Path) -> None:
    add(tmp_path, "left/{}.png", "right/{}.png", "masks/{}.png")
    (question,) = read_layout(tmp_path).questions
    assert question.what == "which folder holds the images: left or right?"
    assert (dict(question.guess), question.otherwise) == ({"data.images": "left"}, "set data.images: right")
    for images in ("left", "right"):
        assert settle(tmp_path, images=images).masks == "masks"


def test_two_folders_alike_are_a_question_that_each_answer_settles(tmp_path: Path) -> None:
    add(tmp_path, "a/{}.png", "b/{}.png", masks=True)
    (question,) = read_layout(tmp_path).questions
    assert question.what == "which folder holds the masks: a or b?"
    assert (dict(question.guess), question.otherwise) == ({"data.masks": "a"}, "set data.masks: b")
    assert (settle(tmp_path, masks="a").images, settle(tmp_path, masks="b").images) == ("b", "a")


def test_names_and_contents_that_disagree_are_a_question(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", masks=True)
    add(tmp_path, "masks/{}.png")
    for number in range(4):
        (tmp_path / "masks" / "abcd"[number]).with_suffix(".png").unlink()
    add(tmp_path, "x/{}.png")
    (tmp_path / "masks").rmdir()
    (tmp_path / "x").rename(tmp_path / "masks")
    (question,) = read_layout(tmp_path).questions
    assert question.why == "the files of images have few values, as masks do, those of masks many"
    assert (settle(tmp_path, masks="images").images) == "masks"


def test_two_folders_of_photos_are_no_images_and_masks(tmp_path: Path) -> None:
    add(tmp_path, "photos/{}.png", "pictures/{}.png")
    with pytest.raises(DataError, match=r"no layout of a data set is recognised"):
        read_layout(tmp_path)


def test_edges_alone_are_a_question(tmp_path: Path) -> None:
    add(tmp_path, "photos/{}.png")
    add(tmp_path, "edges/{}.png", masks=True)
    (question,) = read_layout(tmp_path).questions
    assert dict(question.guess) == {"data.masks": "edges"}
    assert settle(tmp_path, masks="edges").images == "photos"


# --- links and hidden files -------------------------------------------------------------------------------------------


def test_linked_folders_are_read(tmp_path: Path) -> None:
    add(tmp_path / "elsewhere", "x/{}.png")
    add(tmp_path / "elsewhere", "y/{}.png", masks=True)
    root = tmp_path / "data"
    root.mkdir()
    (root / "images").symlink_to(tmp_path / "elsewhere" / "x")
    (root / "masks").symlink_to(tmp_path / "elsewhere" / "y")
    actual = read(root)
    assert actual.pairs == {f"images/{name}.png": f"masks/{name}.png" for name in "abcd"}
    assert (actual.questions, actual.account.pictures) == ([], 8)


def test_splits_made_of_links_are_read_once(tmp_path: Path) -> None:
    add(tmp_path, "all/images/{}.png", "all/masks/{}.png")
    for split, names in (("train", "ab"), ("val", "cd")):
        for kind in ("images", "masks"):
            (tmp_path / split / kind).mkdir(parents=True)
            for name in names:
                (tmp_path / split / kind / f"{name}.png").symlink_to(tmp_path / "all" / kind / f"{name}.png")
    actual = read(tmp_path)
    assert actual.spec.split == Folders("train", "val", "")
    assert (len(actual.samples), actual.questions) == (4, [])


def test_hidden_files_and_folders_do_not_count(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "masks/{}.png")
    add(tmp_path, "images/._{}.png", "images/.ipynb_checkpoints/{}-checkpoint.png", "__MACOSX/images/{}.png")
    add_text(tmp_path, **{"._x.json": "{}", "__MACOSX/y.json": "{}"})
    actual = read(tmp_path)
    assert (actual.spec.images, actual.questions, actual.account.pictures) == ("images", [], 8)


# --- lists ------------------------------------------------------------------------------------------------------------


def test_lists_beside_the_folders_are_the_split(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "masks/{}.png")
    add_text(tmp_path, **{"train.txt": "a\nb\nc\n", "val.txt": "d\n"})
    actual = read(tmp_path)
    assert actual.spec.split == Lists(train="train.txt", val="val.txt", test="")
    assert actual.questions == []


def test_lists_in_a_folder_and_with_paths(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "masks/{}.png")
    lines = [f"images/{name}.png masks/{name}.png" for name in "abcd"]
    add_text(tmp_path, **{"splits/train.txt": "\n".join(lines[:3]), "splits/valid.txt": lines[3]})
    actual = read(tmp_path)
    assert actual.spec.split == Lists(train="splits/train.txt", val="splits/valid.txt", test="")
    assert (len(actual.samples), actual.questions) == (4, [])


def test_lists_that_say_what_the_folders_say_are_not_needed(tmp_path: Path) -> None:
    add(tmp_path, "train/{}.png", "trainannot/{}.png", names="ab")
    add(tmp_path, "val/{}.png", "valannot/{}.png", names="cd")
    add_text(tmp_path, **{"train.txt": "train/a.png trainannot/a.png\n", "val.txt": "/x/val/c.png valannot/c.png\n"})
    actual = read(tmp_path)
    assert (actual.spec.split, actual.questions) == (Folders("train", "val", ""), [])


def test_a_text_that_lists_no_images_is_no_list(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "masks/{}.png")
    add_text(tmp_path, **{"train.txt": "how to train\non this\n", "notes.txt": "a\nb\n"})
    assert (read(tmp_path).spec, read(tmp_path).questions) == (DataSpec(tmp_path), [])


# --- what the user says -----------------------------------------------------------------------------------------------


def test_no_layout_is_looked_for_where_images_and_masks_are_named(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "masks/{}.png", "depth/{}.png")
    layout = read_layout(tmp_path, {"images": "depth", "masks": "masks"})
    assert (dict(layout.settings), layout.questions, layout.is_told) == ({}, (), True)
    assert settle(tmp_path, images="depth", masks="masks").images == "depth"


def test_the_counterpart_of_what_is_named_is_found(tmp_path: Path) -> None:
    add(tmp_path, "photos/{}.png", "labels/{}_gt.png", names="abcd")
    add(tmp_path, "b/images/{}.png", "b/masks/{}.png", names="wxyz")
    by_images = read_layout(tmp_path, {"images": "photos"}).settings
    assert (by_images["data.masks"], by_images["data.mask_suffix"]) == ("labels", "_gt")
    assert read_layout(tmp_path, {"masks": "b/masks"}).settings["data.images"] == "b/images"
    assert read_layout(tmp_path, {"masks": "./b/masks/"}).settings["data.images"] == "b/images"


def test_a_format_that_is_named_is_read_or_is_an_error(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", "masks/{}.png")
    assert read_layout(tmp_path, {"format": "folders"}).questions == ()
    with pytest.raises(DataError, match=r"no data in the format coco; .*found folders with images: images \(4\)"):
        read_layout(tmp_path, {"format": "coco"})


def test_where_nothing_is_recognised_the_remedy_is_quoted(tmp_path: Path) -> None:
    add(tmp_path, "my photos/{}.png", names="abcd")
    add(tmp_path, "their regions/{}.png", names="wxyz")
    with pytest.raises(DataError, match=r"--set 'data.images=my photos' --set 'data.masks=their regions'$"):
        read_layout(tmp_path)


def test_where_nothing_is_recognised_the_remedy_works(tmp_path: Path) -> None:
    add(tmp_path, "photos/{}.png", "regions/{}.png", names="abcd")
    add(tmp_path, "others/o{}.png", names="xyz")
    for file in (tmp_path / "regions").iterdir():
        file.rename(file.with_name(f"{ord(file.stem)}.png"))
    with pytest.raises(DataError) as error:
        kseg.check(tmp_path)
    assert "no layout of a data set is recognised" in str(error.value)
    assert "set both data.images and data.masks, e.g. --set data.images=others --set data.masks=photos" in str(
        error.value
    )
    for file in (tmp_path / "regions").iterdir():
        file.rename(file.with_name(f"{chr(int(file.stem))}.png"))
    result = kseg.check(tmp_path, images="photos", masks="regions", batch=1)
    assert sum(result.counts.values()) == 4


def test_a_folder_without_images_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"found no images$"):
        read_layout(tmp_path / "empty")
    with pytest.raises(DataError, match="no such folder"):
        read_layout(tmp_path / "none")


def test_two_named_folders_that_do_not_pair_tell_the_names_that_were_compared(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png", names="abcd")
    for name in "wxyz":
        add(tmp_path, "masks/{}_of_something_else.png", names=name)
    with pytest.raises(DataError, match=r"compared: images 'a', 'b'.*masks 'w_of_something_else'"):
        kseg.check(tmp_path)


def test_a_few_annotated_images_beside_many_pairs_are_not_what_is_guessed(tmp_path: Path) -> None:
    add(tmp_path, "photos/{}.png", "labels/{}.png", names="abcdefghij")
    add(tmp_path, "extra/{}.png", names="xy")
    images = [{"id": i, "file_name": f"{name}.png", "height": 8, "width": 8} for i, name in enumerate("xy")]
    document = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "thing"}]}
    (tmp_path / "instances.json").write_text(json.dumps(document))
    (question,) = read_layout(tmp_path).questions
    assert question.guess == {"data.format": "folders"}
