"""``data.yaml`` as Ultralytics, CVAT, Roboflow and people write it: every image named is read, or it is said."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.spec import DataSpec, Folders
from kseg.errors import ConfigError, DataError
from tests.data.formats.contract import draw_picture, ids

CAT, DOG = 1, 2
WHOLE = "0 0 1 0 1 1 0 1"
"""The outline of a whole image."""
NAMES = ["cat", "dog"]


def put(root: Path, *images: str, label: str = f"0 {WHOLE}\n") -> None:
    """Images, each with a label file where Ultralytics looks for it."""
    for number, name in enumerate(images):
        path = draw_picture(root / name, number)
        head, _, tail = name.rpartition("images/")
        text = (root / head / "labels" / tail if head or "images/" in name else path).with_suffix(".txt")
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(label)


def describe(root: Path, **settings: Any) -> None:
    (root / "data.yaml").write_text(yaml.safe_dump({"names": NAMES, **settings}))


def find(root: Path, **settings: Any) -> Dataset:
    return find_dataset(DataSpec(root, **{"format": "yolo", "annotations": "data.yaml", **settings}))


def splits(dataset: Dataset) -> dict[str, list[str]]:
    """Split → its images, relative to the root."""
    return {
        name: sorted(sample.image.relative_to(dataset.root).as_posix() for sample in samples)
        for name, samples in dataset.splits.items() if samples
    }  # fmt: skip


TRAIN = ["images/train/a.png", "images/train/b.png"]
VAL = ["images/val/a.png"]
ENTRIES: dict[str, dict[str, Any]] = {
    "folders": {"train": "images/train", "val": "images/val"},
    "of another machine": {"path": "../datasets/x", "train": "images/train", "val": "images/val"},
    "absolute, of another machine": {"path": "/home/me/x", "train": "images/train", "val": "images/val"},
    "of Windows": {"train": "..\\images\\train", "val": "C:\\data\\images\\val"},
    "of Roboflow": {"train": "../images/train", "val": "../images/val", "test": None},
    "lists of folders": {"path": ".", "train": ["images/train"], "val": ["images/val"]},
    "globs": {"train": "images/tr*", "val": "images/val/*.png"},
    "folders with a slash": {"train": "./images/train/", "val": "images/val/"},
    "lists of images": {"train": "train.txt", "val": "lists/val.txt"},
    "valid": {"train": "images/train", "valid": "images/val"},
}


@pytest.mark.parametrize("entries", ENTRIES.values(), ids=list(ENTRIES))
def test_the_splits_are_those_of_the_file(tmp_path: Path, entries: dict[str, Any]) -> None:
    put(tmp_path, *TRAIN, *VAL)
    (tmp_path / "train.txt").write_text("\ufeff./images/train/a.png\r\n./images/train/b.png\r\n", "utf-8")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "val.txt").write_text("/home/me/x/images/val/a.png\n")
    describe(tmp_path, **entries)
    for configured in ("data.yaml", None):
        dataset = find(tmp_path, annotations=configured)
        assert splits(dataset) == {"train": TRAIN, "val": VAL}
        for sample in dataset.samples("all"):
            assert (ids(dataset, sample.key) == CAT).all()


def test_absolute_paths_of_this_machine(tmp_path: Path) -> None:
    put(tmp_path, *TRAIN, *VAL)
    describe(tmp_path, path=str(tmp_path), train="images/train", val=str(tmp_path / "images" / "val"))
    assert splits(find(tmp_path)) == {"train": TRAIN, "val": VAL}


def test_the_root_itself(tmp_path: Path) -> None:
    put(tmp_path, *TRAIN)
    for entries in ({"train": str(tmp_path)}, {"path": str(tmp_path), "train": "."}, {"train": "."}):
        describe(tmp_path, **entries)
        assert len(find(tmp_path).samples("all")) == 2


def test_several_folders_for_a_split(tmp_path: Path) -> None:
    put(tmp_path, "a/images/1.png", "b/images/1.png", "c/images/1.png", "c/images/deep/2.png")
    describe(tmp_path, train=["a/images", "b/images"], val=["c/images"])
    dataset = find(tmp_path)
    assert splits(dataset) == {
        "train": ["a/images/1.png", "b/images/1.png"], "val": ["c/images/1.png", "c/images/deep/2.png"]
    }  # fmt: skip
    assert [sample.key for sample in dataset.samples("train")] == ["train/a/images/1", "train/b/images/1"]
    assert all((ids(dataset, sample.key) == CAT).all() for sample in dataset.samples("all"))


def test_the_export_of_cvat(tmp_path: Path) -> None:
    """One list of images, for training; a part of them validates."""
    put(tmp_path, *(f"images/train/{i}.png" for i in range(10)))
    (tmp_path / "train.txt").write_text("".join(f"data/images/train/{i}.png\n" for i in range(10)))
    describe(tmp_path, path="./", train="train.txt", names={0: "cat", 1: "dog"})
    dataset = find(tmp_path)
    assert [len(dataset.splits[name]) for name in ("train", "val", "test")] == [9, 1, 0]


def test_the_export_of_roboflow(tmp_path: Path) -> None:
    put(tmp_path, "train/images/a_jpg.rf.0a1b.png", "valid/images/b.png", "test/images/c.png")
    (tmp_path / "README.dataset.txt").write_text("# cats\n")
    describe(tmp_path, train="../train/images", val="../valid/images", test="../test/images", nc=2, roboflow={"a": 1})
    assert splits(find(tmp_path)) == {
        "train": ["train/images/a_jpg.rf.0a1b.png"], "val": ["valid/images/b.png"], "test": ["test/images/c.png"]
    }  # fmt: skip


def test_a_file_in_a_folder_of_its_own(tmp_path: Path) -> None:
    put(tmp_path, *TRAIN, *VAL)
    (tmp_path / "cfg").mkdir()
    settings = {"names": NAMES, "path": "..", "train": "images/train", "val": "images/val"}
    (tmp_path / "cfg" / "pets.yml").write_text(yaml.safe_dump(settings))
    assert splits(find(tmp_path, annotations="cfg/pets.yml")) == {"train": TRAIN, "val": VAL}


def test_the_parts_may_be_named(tmp_path: Path) -> None:
    put(tmp_path, *TRAIN, *VAL)
    describe(tmp_path, train="images/train", valid="images/val")
    assert splits(find(tmp_path, split=Folders("train", "valid", ""))) == {"train": TRAIN, "val": VAL}
    with pytest.raises(ConfigError, match=r"data\.yaml has no key 'val'; .*found names, train, valid"):
        find(tmp_path, split=Folders("train", "val", ""))


def test_names_only(tmp_path: Path) -> None:
    put(tmp_path, *TRAIN, *VAL)
    describe(tmp_path)
    dataset = find(tmp_path, images="images", split=Folders("train", "val", ""))
    assert splits(dataset) == {"train": TRAIN, "val": VAL}


UNRESOLVED: dict[str, tuple[dict[str, Any], str]] = {
    "train": ({"train": "pictures/train", "val": "images/val"},
              r"data\.yaml: train: no such folder, glob or list of images; expected in .* one of pictures/train, train;"
              r" found pictures/train; correct the entry"),
    "val": ({"train": "images/train", "val": "images/vall"}, r"data\.yaml: val: no such folder.*found images/vall"),
    "one of several": ({"train": ["images/train", "more"], "val": "images/val"}, r"yaml: train: no such .*found more"),
    "a glob": ({"train": "images/x*", "val": "images/val"}, r"yaml: train: no such .*found images/x\*"),
    "a list": ({"train": "gone.txt", "val": "images/val"}, r"yaml: train: no such .*found gone\.txt"),
    "a number": ({"train": 3, "val": "images/val"}, r"data\.yaml: train: .*expected text; found 3"),
    "no train": ({"val": "images/val"}, r"data\.yaml: no images for training; expected a key train; found val"),
    "nothing in it": ({"train": "empty", "val": "images/val"}, r"data\.yaml: train: no images found; found empty"),
    "two for one": ({"train": ["a/images/train", "b/images/train"], "val": "images/val"},
                    r"two entries name the same images; found a/images/train and b/images/train, both of them"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNRESOLVED)
def test_an_entry_that_names_nothing(tmp_path: Path, name: str) -> None:
    put(tmp_path, *TRAIN, *VAL)
    (tmp_path / "empty").mkdir()
    entries, message = UNRESOLVED[name]
    describe(tmp_path, **entries)
    for configured in ("data.yaml", None):
        with pytest.raises(DataError, match=message) as error:
            find(tmp_path, annotations=configured)
        assert error.value.exit_code == 1
        assert "\n" not in str(error.value)


def test_the_same_images_twice(tmp_path: Path) -> None:
    """As in coco128-seg.yaml. The remedy works."""
    put(tmp_path, *(f"images/train/{i}.png" for i in range(10)))
    describe(tmp_path, train="images/train", val="images/train")
    message = (
        r"10 images are both in train and in val; .*set data\.images: images/train to split these images at random"
    )
    with pytest.raises(DataError, match=message):
        find(tmp_path)
    dataset = find(tmp_path, images="images/train")
    assert sum(map(len, dataset.splits.values())) == 10
    assert dataset.labels.names == ("background", "cat", "dog")


def test_a_folder_within_another(tmp_path: Path) -> None:
    put(tmp_path, *TRAIN, *VAL)
    describe(tmp_path, train="images", val="images/val")
    with pytest.raises(DataError, match=r"1 images are both in train and in val; .*found a\.png; correct the file"):
        find(tmp_path)


def test_images_outside_of_the_root(tmp_path: Path) -> None:
    """The remedy, followed literally, works."""
    put(tmp_path / "datasets" / "pets", *TRAIN, *VAL)
    home = tmp_path / "configs"
    home.mkdir()
    describe(home, path="../datasets/pets", train="images/train", val="images/val")
    with pytest.raises(
        DataError, match=r"outside of data\.root: set data\.root: (\S+) and data\.annotations: (\S+)"
    ) as e:
        find(home)
    words = str(e.value).split()
    root, annotations = words[words.index("data.root:", words.index("set")) + 1], words[-1]
    assert splits(find(Path(root), annotations=annotations)) == {"train": TRAIN, "val": VAL}


def test_an_entry_outside_of_the_root_that_looks_like_one_inside(tmp_path: Path) -> None:
    put(tmp_path / "a", *TRAIN, *VAL)
    put(tmp_path / "b", *TRAIN)
    describe(tmp_path / "a", train=["images/train", str(tmp_path / "b" / "images" / "train")], val="images/val")
    with pytest.raises(DataError, match=rf"set data\.root: {tmp_path} and data\.annotations: a/data\.yaml"):
        find(tmp_path / "a")
    dataset = find(tmp_path, annotations="a/data.yaml")
    assert [len(dataset.splits[name]) for name in ("train", "val")] == [4, 1]


def test_lists_that_name_missing_images(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, *TRAIN, *VAL)
    describe(tmp_path, train="train.txt", val="images/val")
    (tmp_path / "train.txt").write_text("images/train/a.png\n\nimages/train/zebra.png\n")
    with pytest.raises(DataError, match=r"train\.txt: 1 of 2 lines name no image: images/train/zebra\.png \(line 3\)"):
        find(tmp_path)
    with caplog.at_level(logging.WARNING, logger="kseg"):
        dataset = find(tmp_path, unpaired="skip")
    assert [sample.image.name for name in ("train", "val") for sample in dataset.splits[name]] == ["a.png", "a.png"]
    assert "name no image" in caplog.text


def test_lists_that_name_an_image_twice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, *TRAIN, *VAL)
    describe(tmp_path, train="train.txt", val="images/val")
    (tmp_path / "train.txt").write_text("images/train/a.png\nimages/train/b.png\nimages/train/a.png\n")
    with caplog.at_level(logging.WARNING, logger="kseg"):
        assert splits(find(tmp_path))["train"] == TRAIN
    assert "train.txt: 1 lines repeat an image" in caplog.text
    (tmp_path / "train.txt").write_text("x/images/train/a.png\ny/images/train/a.png\n")
    with pytest.raises(DataError, match=r"two lines name the same image; found x/\S+ \(line 1\) and y/\S+ \(line 2\)"):
        find(tmp_path)


@pytest.mark.parametrize("name", ["classes.txt", "Classes.TXT", "obj.names"])
def test_class_names_among_the_labels(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """As the first file of the folder, with a byte-order mark and Windows' line ends."""
    put(tmp_path, "images/p.png", "images/q.png", "images/r.png", label=f"1 {WHOLE}\n")
    (tmp_path / "labels" / name).write_bytes("\ufeffcat \r\ndog\r\n\r\n".encode())
    with caplog.at_level(logging.INFO, logger="kseg"):
        dataset = find(tmp_path, annotations=None)
    assert dataset.labels.names == ("background", "cat", "dog")
    assert (ids(dataset, "p") == DOG).all()
    assert f"{name}: the names of 2 classes" in caplog.text


def test_class_names_that_begin_with_a_number(tmp_path: Path) -> None:
    put(tmp_path, "images/p.png", "images/q.png", label=f"1 {WHOLE}\n")
    (tmp_path / "labels" / "classes.txt").write_text("10 cents\n1 euro\n")
    assert find(tmp_path, annotations=None).labels.names == ("background", "10 cents", "1 euro")


def test_files_of_class_names_that_differ(tmp_path: Path) -> None:
    put(tmp_path, "images/train/p.png", "images/val/q.png")
    (tmp_path / "labels" / "train" / "classes.txt").write_text("cat\ndog\n")
    (tmp_path / "labels" / "classes.txt").write_text("dog\ncat\n")
    with pytest.raises(
        DataError, match=r"two files of class names differ; expected as in .*: cat, dog; found dog, cat"
    ):
        find(tmp_path, annotations=None, images="images/train")


def test_the_names_of_the_yaml_come_first(tmp_path: Path) -> None:
    put(tmp_path, *TRAIN, *VAL)
    (tmp_path / "labels" / "train" / "classes.txt").write_text("zebra\n")
    describe(tmp_path, train="images/train", val="images/val")
    assert find(tmp_path).labels.names == ("background", "cat", "dog")


@pytest.mark.parametrize("name", ["notes.txt", "README.txt", "p.cache", "notes.json", "._p.txt", ".hidden/p.txt"])
def test_what_else_lies_among_the_labels(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, "images/p.png", "images/q.png", "images/r.png")
    (tmp_path / "labels" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "labels" / name).write_text("Labelled by hand, 3 images.\n")
    describe(tmp_path)
    with caplog.at_level(logging.WARNING, logger="kseg"):
        assert len(find(tmp_path, annotations=None).samples("all")) == 3
    assert "label" not in caplog.text


def test_labels_without_an_image(tmp_path: Path) -> None:
    put(tmp_path, "a/images/1.png", "b/images/1.png")
    (tmp_path / "a" / "labels" / "lost.txt").write_text(f"0 {WHOLE}\n")
    describe(tmp_path, train="a/images", val="b/images")
    with pytest.raises(DataError, match=r"labels: 1 of 2 label files have no image \(lost\.txt\)"):
        find(tmp_path)


def test_linked_folders(tmp_path: Path) -> None:
    put(tmp_path / "store", *TRAIN, *VAL)
    root = tmp_path / "linked"
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    for name in ("images", "labels"):
        (root / name / "train").symlink_to(tmp_path / "store" / name / "train")
        (root / name / "val").symlink_to(tmp_path / "store" / name / "val")
    describe(root, train="images/train", val="images/val")
    dataset = find(root)
    assert splits(dataset) == {"train": TRAIN, "val": VAL}
    assert (ids(dataset, "train/a") == CAT).all()
    dataset = find(root, images="images")
    assert (ids(dataset, "val/a") == CAT).all()


def test_byte_order_marks_line_ends_and_upper_case(tmp_path: Path) -> None:
    put(tmp_path, "images/train/a.png", "images/val/b.png")
    (tmp_path / "labels" / "train" / "a.txt").unlink()
    (tmp_path / "labels" / "train" / "A.TXT").write_bytes(f"\ufeff1 {WHOLE}\r\n\r\n".encode())
    text = "names: [cat, dog]\r\ntrain: images/train\r\nval: images/val\r\n"
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "data.yaml").write_bytes(text.encode(encoding))
        dataset = find(tmp_path)
        assert (ids(dataset, "train/a") == DOG).all()


def test_images_several_times_in_the_path(tmp_path: Path) -> None:
    """Ultralytics replaces the last one; where there are no labels, another one is meant."""
    put(tmp_path, "images/pets/images/a.png")
    draw_picture(tmp_path / "images" / "pets" / "images2" / "b.png")
    (tmp_path / "labels" / "pets" / "images2").mkdir(parents=True)
    (tmp_path / "labels" / "pets" / "images2" / "b.txt").write_text(f"1 {WHOLE}\n")
    (tmp_path / "labels" / "pets" / "images").mkdir()
    (tmp_path / "labels" / "pets" / "images" / "a.txt").write_text(f"1 {WHOLE}\n")
    describe(tmp_path, train="images/pets/images", val="images/pets/images2")
    dataset = find(tmp_path)
    assert (ids(dataset, "train/a") == CAT).all()
    assert (ids(dataset, "val/b") == DOG).all()


@pytest.mark.parametrize("folder", ["labels", "Labels", ""])
def test_labels_for_folders_of_other_names(tmp_path: Path, folder: str) -> None:
    """Beside the images, or in the root's folder of labels."""
    draw_picture(tmp_path / "photos" / "deep" / "a.png")
    path = tmp_path / (folder or "photos") / "deep" / "a.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"1 {WHOLE}\n")
    draw_picture(tmp_path / "photos" / "b.png")
    describe(tmp_path)
    dataset = find(tmp_path, annotations=None, images="photos")
    assert (ids(dataset, "deep/a") == DOG).all()


def test_coordinates_beyond_the_border_are_clipped(tmp_path: Path) -> None:
    put(tmp_path, *TRAIN, *VAL, label="0 -0.001 0 1.001 0 1.001 1.001 -0.001 1.001\n")
    describe(tmp_path, train="images/train", val="images/val")
    dataset = find(tmp_path)
    assert (ids(dataset, "train/a") == CAT).all()


def test_boxes_among_polygons(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, *TRAIN, *VAL, label=f"0 {WHOLE}\n" * 20)
    boxes = tmp_path / "labels" / "train" / "a.txt"
    boxes.write_text(f"0 {WHOLE}\n" * 18 + "0 0.5 0.5 0.1 0.1\n" * 2)
    describe(tmp_path, train="images/train", val="images/val")
    with caplog.at_level(logging.WARNING, logger="kseg"):
        find(tmp_path)  # 2 of 40
    assert "2 of 40 objects are left out, in whole or in part: 2 × a box instead of an outline" in caplog.text
    boxes.write_text(f"0 {WHOLE}\n" * 17 + "0 0.5 0.5 0.1 0.1\n" * 3)
    message = (
        r"train: 3 of 40 objects cannot be drawn, in whole or in part; expected at most 5% of each class; found cat "
        r"3 of 40: 3 × a box instead of an outline \(first a\.txt line 18\); correct these places, or accept the loss "
        r"with data\.skip_objects: skip"
    )
    with pytest.raises(DataError, match=message):
        find(tmp_path)
    assert len(find(tmp_path, skip_objects="skip").samples("train")) == 2
    boxes.write_text(f"0 {WHOLE}\n" * 100 + "1 0.5 0.5 0.1 0.1\n")
    with pytest.raises(DataError, match=r"1 of 121 objects cannot be drawn.*found dog 1 of 1: "):
        find(tmp_path)  # one of a hundred, but all of its class
    boxes.write_text(f"0 {WHOLE}\n" * 100 + "0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(DataError, match=r"1 of 121 objects cannot be drawn.*expected all"):
        find(tmp_path, skip_objects="error")


def test_names_with_blanks_are_one_class(tmp_path: Path) -> None:
    put(tmp_path, *TRAIN, *VAL, label="2 0 0 1 0 1 1 0 1\n")
    describe(tmp_path, train="images/train", val="images/val", names=["disc", "Background", "disc "])
    dataset = find(tmp_path)
    assert dataset.labels.names == ("background", "disc")
    np.testing.assert_array_equal(np.unique(ids(dataset, "train/a")), [1])
