"""The readers of masks that are files: folders, lists, manifests, VOC."""

from __future__ import annotations

import csv
import logging
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from kseg.data.find import find_dataset
from kseg.data.spec import DataSpec, Fractions, Lists
from kseg.data.truth import read_truth
from kseg.errors import ConfigError, DataError
from tests.data.formats.contract import CLASSES, PICTURES, SIZE, ReaderContract, draw_mask, draw_picture, truth

LISTS = Lists(train="train.txt", val="val.txt", test="test.txt")


def write_masks(root: Path) -> None:
    for key in PICTURES:
        draw_mask(root / "masks" / f"{key}.png", key)


class TestFolders(ReaderContract):
    format = "folders"

    def write(self, root: Path) -> dict[str, Any]:
        self.write_images(root)
        write_masks(root)
        return {}


class _Lists(ReaderContract):
    format = "lists"
    recognised_as = "folders"
    line: str

    def write(self, root: Path) -> dict[str, Any]:
        self.write_images(root)
        write_masks(root)
        for name in ("train", "val", "test"):
            lines = [self.line.format(key=key) for key in PICTURES if key.startswith(name)]
            (root / f"{name}.txt").write_text("\n".join(["# a comment", "", *lines]))
        return {"split": LISTS}


class TestListsOfPairs(_Lists):
    line = "images/{key}.png masks/{key}.png"


class TestListsOfAnotherMachine(_Lists):
    line = "/SegNet/CamVid/images/{key}.JPG /SegNet/CamVid/masks/{key}.png;"


class TestListsOfWindows(_Lists):
    line = r"C:\data\images\{key}.png,C:\data\masks\{key}.png"


class TestListsOfImages(_Lists):
    line = "images/{key}.png"


class TestListsOfKeysWithFurtherColumns(_Lists):
    line = "{key} 1 1 1"


class _Manifest(ReaderContract):
    format = "manifest"
    name = "manifest.csv"
    delimiter = ","
    names = ("train", "val", "test")

    def write(self, root: Path) -> dict[str, Any]:
        self.write_images(root)
        write_masks(root)
        named = dict(zip(("train", "val", "test"), self.names, strict=True))
        with (root / self.name).open("w", encoding="utf-8-sig", newline="") as file:
            table = csv.writer(file, delimiter=self.delimiter)
            table.writerow(["note", "Mask", "split", "IMAGE"])
            for key in PICTURES:
                table.writerow(["a, b", f"masks/{key}.png", named[key.split("/")[0]], f"images/{key}.png"])
        return {"split": Fractions()}


class TestManifest(_Manifest):
    pass


class TestManifestOfTabs(_Manifest):
    name = "manifest.tsv"
    delimiter = "\t"
    names = ("Training", "valid", "TEST")


class TestManifestOfSemicolons(_Manifest):
    delimiter = ";"
    names = ("train", "validation", "testing")


class TestVoc(ReaderContract):
    format = "voc"

    def write(self, root: Path) -> dict[str, Any]:
        names: dict[str, list[str]] = {"train": [], "val": [], "test": []}
        for number, key in enumerate(PICTURES):
            split, _ = key.split("/")
            names[split].append(self.stem(key))
            draw_picture(root / "JPEGImages" / f"{self.stem(key)}.jpg", number)
            values = np.array([0, 8, 12], np.uint8)  # VOC's cat and dog
            draw_palette(root / "SegmentationClass" / f"{self.stem(key)}.png", values[truth(key)])
        (root / "ImageSets" / "Segmentation").mkdir(parents=True, exist_ok=True)
        for split, stems in names.items():
            (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(stems) + "\n")
        draw_picture(root / "JPEGImages" / "detection_only.jpg")
        return {}

    def stem(self, key: str) -> str:
        return key.replace("/", "_")

    def key(self, key: str) -> str:
        return f"{key.split('/')[0]}/{self.stem(key)}"

    def image(self, root: Path, key: str) -> Path:
        return root / "JPEGImages" / f"{self.stem(key)}.jpg"


def draw_palette(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(mask)
    picture.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    picture.save(path)


# --- lists ------------------------------------------------------------------------------------------------------------


def test_a_list_with_blanks_and_commas_in_names(tmp_path: Path) -> None:
    lines = []
    for name in ("my cat", "a, b", "c;d"):
        draw_picture(tmp_path / "images" / f"{name}.png")
        draw_mask(tmp_path / "masks" / f"{name}.png", "train/a")
        lines.append(f"images/{name}.png\tmasks/{name}.png")
    (tmp_path / "train.txt").write_text("\n".join(lines))
    (tmp_path / "one.txt").write_text("images/my cat.png\na, b.png\nc;d\n")
    for name in ("train.txt", "one.txt"):
        split = Lists(train=name, val="", test="")
        dataset = find_dataset(DataSpec(root=tmp_path, format="lists", classes=CLASSES, split=split))
        assert {sample.key for sample in dataset.samples("all")} == {"my cat", "a, b", "c;d"}


def test_the_longest_tail_of_a_path_wins(tmp_path: Path) -> None:
    for folder in ("train", "camvid/train", "masks"):
        draw_picture(tmp_path / folder / "1.png")
    (tmp_path / "train.txt").write_text("/home/x/camvid/train/1.png /home/x/masks/1.png")
    split = Lists(train="train.txt", val="", test="")
    dataset = find_dataset(DataSpec(root=tmp_path, format="lists", classes=CLASSES, split=split))
    assert dataset.samples("train")[0].image == tmp_path / "camvid" / "train" / "1.png"


LIST_ERRORS = {
    "": "train.txt: the list is empty; expected one image per line",
    "# only a comment\n": "the list is empty",
    "images/1.png masks/9.png": r"1 of 1 rows name files that are missing: masks/9\.png \(row 1\)",
    "images/1.png masks/1.png\nimages/1.png masks/2.png": r"1 images occur twice; .*images/1\.png \(rows 1 and 2\)",
    "images/1.png masks/1.png\nimages/2.png": r"1 of 2 rows name no mask: images/2\.png \(row 2\)",
    "images/1.png ../../etc/x.png": r"row 1: the path leads out of the data set; .*found \.\./\.\./etc/x\.png",
    "zebra": r"1 of 1 rows name no image: zebra \(row 1\); expected names like 1",
    "1\n1.png": r"1 images occur twice; found 1\.png \(rows 1 and 2\)",
    "images/two.png masks/1.png": r"missing: images/two\.png",
    "\udce9\ud800.png": r"rows name no image: ",
}


@pytest.mark.parametrize("text", LIST_ERRORS)
def test_a_list_that_does_not_fit(tmp_path: Path, text: str) -> None:
    for name in ("1", "2"):
        draw_picture(tmp_path / "images" / f"{name}.png")
        draw_mask(tmp_path / "masks" / f"{name}.png", "train/a")
    for suffix in (".jpg", ".bmp"):  # two.png could be either
        (tmp_path / "images" / f"two{suffix}").write_bytes((tmp_path / "images" / "1.png").read_bytes())
        (tmp_path / "masks" / f"two{suffix}").write_bytes((tmp_path / "images" / "1.png").read_bytes())
    settings = {"images": "images/?.png", "masks": "masks/?.png"} if "zebra" in text or text[0:1] in "1\udce9" else {}
    (tmp_path / "train.txt").write_bytes(text.encode("utf-8", "replace" if "\ud800" in text else "strict"))
    split = Lists(train="train.txt", val="", test="")
    with pytest.raises(DataError, match=LIST_ERRORS[text]):
        find_dataset(DataSpec(root=tmp_path, format="lists", classes=CLASSES, split=split, **settings))


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.split: no such list; expected a text file; found .*gone\.txt"):
        find_dataset(DataSpec(root=tmp_path, format="lists", split=Lists(train="gone.txt", val="", test="")))
    with pytest.raises(ConfigError, match=r"data\.split: no list is named; expected \{by: lists"):
        find_dataset(DataSpec(root=tmp_path, format="lists"))


def test_the_same_picture_in_two_lists(tmp_path: Path) -> None:
    draw_picture(tmp_path / "images" / "1.png")
    draw_mask(tmp_path / "masks" / "1.png", "train/a")
    for name in ("train.txt", "val.txt"):
        (tmp_path / name).write_text("images/1.png masks/1.png")
    split = Lists(train="train.txt", val="val.txt", test="")
    with pytest.raises(DataError, match=r"1 samples are in the lists train and val both; found 1"):
        find_dataset(DataSpec(root=tmp_path, format="lists", classes=CLASSES, split=split))


# --- manifests --------------------------------------------------------------------------------------------------------


def make_manifest(root: Path, text: str | bytes) -> None:
    for name in ("1", "2", "3"):
        draw_picture(root / "images" / f"{name}.png")
        draw_mask(root / "masks" / f"{name}.png", "train/a")
    (root / "manifest.csv").write_bytes(text if isinstance(text, bytes) else text.encode())


MANIFEST_ERRORS = {
    "": "manifest.csv: the manifest is empty; expected a header: image,mask,split",
    "\n\n": "the manifest is empty",
    "image,mask\n": "the manifest has no rows",
    "picture,mask\na,b\n": "no column 'image'; expected a header with image, mask.*found picture, mask",
    "image,mask,image\na,b,c\n": "more than one column 'image'",
    "image,mask\nimages/1.png\n": "1 of 1 rows have too few columns; expected 2 columns; found row 2",
    "image,mask\n,masks/1.png\n": "1 of 1 rows name no image; found row 2",
    "image,mask\nimages/1.png,\n": r"1 of 1 rows name no mask: images/1\.png \(row 2\)",
    "image,mask\n\nimages/9.png,masks/1.png\n": r"1 of 1 rows name files that are missing: images/9\.png \(row 3\)",
    "image,mask\nimages/1.png,masks/1.png\nimages/1.png,masks/2.png\n": r"1 images occur twice; .*rows 2 and 3",
    "image,mask,split\nimages/1.png,masks/1.png,train\nimages/2.png,masks/2.png,dunno\n":
        r"1 of 2 rows are not in a known split; expected train, val or test; found 'dunno' \(row 3\)",
    "image,mask,split\nimages/1.png,masks/1.png,\n": r"not in a known split; .*found '' \(row 2\)",
    "image,mask\nimages/1.png,../masks/1.png\n": r"manifest\.csv row 2: the path leads out of the data set",
    'image,mask\n"images/1.png,masks/1.png\n': "malformed table; found unexpected end of data",
    'image,mask\n"a"b,masks/1.png\n': "malformed table",
}  # fmt: skip


@pytest.mark.parametrize("text", MANIFEST_ERRORS)
def test_a_manifest_that_does_not_fit(tmp_path: Path, text: str) -> None:
    make_manifest(tmp_path, text)
    with pytest.raises(DataError, match=MANIFEST_ERRORS[text]):
        find_dataset(DataSpec(root=tmp_path, format="manifest", classes=CLASSES))


def test_a_manifest_in_a_folder_of_its_own_with_absolute_paths(tmp_path: Path) -> None:
    root = tmp_path / "root"
    make_manifest(root, "")
    draw_picture(tmp_path / "elsewhere" / "4.png")
    (tmp_path / "elsewhere" / "list").mkdir()
    rows = f"../x/images/1.png;{root}/masks/1.png\n{tmp_path}/elsewhere/4.png;masks/2.png\nimages/3.png;masks/3.png\n"
    (root / "m").mkdir()
    (root / "m" / "all.csv").write_text("image;mask\n" + rows.removeprefix("../x/"))
    dataset = find_dataset(DataSpec(root=root, format="manifest", annotations="m/all.csv", classes=CLASSES))
    samples = {sample.key: sample.image for sample in dataset.samples("all")}
    assert samples == {
        "1": root / "images" / "1.png", "4": tmp_path / "elsewhere" / "4.png", "3": root / "images" / "3.png",
    }  # fmt: skip


def test_a_manifest_with_a_byte_order_mark_and_splits_in_any_case(tmp_path: Path) -> None:
    rows = ["Image , MASK, Split", "images/1.png,masks/1.png,Train", "images/2.png,masks/2.png, VALIDATION",
            "images/3.png,masks/3.png,TESTING"]  # fmt: skip
    for encoding in ("utf-8-sig", "utf-16"):
        make_manifest(tmp_path, "\r\n".join(rows).encode(encoding))
        (tmp_path / "._manifest.csv").write_bytes(b"\0\5\26\7")
        dataset = find_dataset(DataSpec(root=tmp_path, format="manifest", classes=CLASSES))
        assert [[sample.key for sample in dataset.samples(name)] for name in ("train", "val", "test")] == [
            ["1"], ["2"], ["3"]
        ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["\ufeffimages/1.png\r\nimages/2.png\r\n", "\ufeff1\r\n2", "images/1.png 0\nimages/2.png 17\n"]
)
def test_a_list_with_a_byte_order_mark_windows_line_ends_and_labels(tmp_path: Path, text: str) -> None:
    make_manifest(tmp_path, "")
    (tmp_path / "train.txt").write_bytes(text.encode())
    (tmp_path / "val.txt").write_text("3")
    split = Lists(train="train.txt", val="val.txt")
    dataset = find_dataset(DataSpec(root=tmp_path, format="lists", classes=CLASSES, split=split))
    assert [[sample.key for sample in dataset.samples(name)] for name in ("train", "val")] == [["1", "2"], ["3"]]


def test_rows_without_mask_can_be_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_manifest(tmp_path, "image,mask\nimages/1.png,\nimages/2.png,masks/2.png\nimages/3.png,masks/3.png\n")
    with caplog.at_level(logging.WARNING, logger="kseg"):
        dataset = find_dataset(DataSpec(root=tmp_path, format="manifest", classes=CLASSES, unpaired="skip"))
    assert {sample.key for sample in dataset.samples("all")} == {"2", "3"}
    assert "1 of 3 rows name no mask: images/1.png (row 2); left out" in caplog.text


def test_a_manifest_in_latin1(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    make_manifest(tmp_path, b"image,mask\nimages/caf\xe9.png,masks/1.png\nimages/2.png,masks/2.png\n")
    draw_picture(tmp_path / "images" / f"{odd}.png")
    dataset = find_dataset(DataSpec(root=tmp_path, format="manifest", classes=CLASSES))
    assert {sample.key for sample in dataset.samples("all")} == {odd, "2"}


# --- VOC --------------------------------------------------------------------------------------------------------------


def make_voc(root: Path, values: list[int]) -> Path:
    home = root / "VOCdevkit" / "VOC2012"
    for number in range(4):
        draw_picture(home / "JPEGImages" / f"{number}.jpg", number)
        draw_palette(home / "SegmentationClass" / f"{number}.png", np.resize(np.array(values, np.uint8), SIZE))
    (home / "ImageSets" / "Segmentation").mkdir(parents=True)
    (home / "ImageSets" / "Segmentation" / "train.txt").write_text("0\n1\n")
    (home / "ImageSets" / "Segmentation" / "val.txt").write_text("2\n")
    (home / "ImageSets" / "Segmentation" / "test.txt").write_text("2008_1\n2008_2\n")
    return home


def test_voc_as_it_is_published(tmp_path: Path) -> None:
    make_voc(tmp_path, [0, 15, 20, 255])
    dataset = find_dataset(DataSpec(root=tmp_path, format="voc"))
    assert dataset.labels.num_classes == 21
    assert [len(dataset.splits[name]) for name in ("train", "val", "test")] == [2, 1, 0]
    ids = read_truth(dataset.samples("val")[0], dataset.labels)
    assert set(np.unique(ids)) == {0, 15, 20, 255}


def test_some_of_vocs_classes(tmp_path: Path) -> None:
    make_voc(tmp_path, [0, 15, 20, 255])
    for classes, expected in ((["background", "person"], {0, 1, 255}), (["person", "tvmonitor"], {0, 1, 255})):
        dataset = find_dataset(DataSpec(root=tmp_path, format="voc", classes=classes))
        ids = read_truth(dataset.samples("val")[0], dataset.labels)
        assert set(np.unique(ids)) == expected
        assert (ids == 255).mean() == (0.25 if "background" in classes else 0.5)


def test_what_is_in_none_of_vocs_lists_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_voc(tmp_path, [0, 1])
    with caplog.at_level(logging.WARNING, logger="kseg"):
        find_dataset(DataSpec(root=tmp_path, format="voc"))
    assert "Segmentation: 1 of 4 masks are in no list, and left out: 3" in caplog.text


def test_vocs_lists_with_suffixes_and_paths(tmp_path: Path) -> None:
    lists = make_voc(tmp_path, [0, 1]) / "ImageSets" / "Segmentation"
    (lists / "train.txt").write_bytes("\ufeff0.jpg\r\n1.JPG -1\r\n".encode())
    (lists / "val.txt").write_text("/JPEGImages/2.jpg /SegmentationClass/2.png\n")
    dataset = find_dataset(DataSpec(root=tmp_path, format="voc"))
    assert [[sample.key for sample in dataset.samples(name)] for name in ("train", "val")] == [["0", "1"], ["2"]]


def test_hidden_files_among_vocs_and_links(tmp_path: Path) -> None:
    home = make_voc(tmp_path / "store", [0, 1])
    for name in ("JPEGImages/._0.jpg", "SegmentationClass/._0.png", "ImageSets/Segmentation/._train.txt"):
        (home / name).write_bytes(b"\0\5\26\7")
    (tmp_path / "VOC2012").symlink_to(home)
    dataset = find_dataset(DataSpec(root=tmp_path / "VOC2012", format="voc"))
    assert {sample.key for sample in dataset.samples("all")} == {"0", "1", "2"}


def test_lists_of_ones_own_for_voc(tmp_path: Path) -> None:
    home = make_voc(tmp_path, [0, 1])
    (home / "mine.txt").write_text("3\n0\n")
    split = Lists(train="mine.txt", val="", test="")
    dataset = find_dataset(DataSpec(root=home, format="voc", split=split))
    assert {sample.key for sample in dataset.samples("all")} == {"3", "0"}


def test_voc_with_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.root: not Pascal VOC's folders; expected JPEGImages, Segmentation"):
        find_dataset(DataSpec(root=tmp_path, format="voc"))
    home = make_voc(tmp_path, [0, 1])
    with pytest.raises(ConfigError, match=r"unknown class 'persn'.*did you mean 'person'\?"):
        find_dataset(DataSpec(root=tmp_path, format="voc", classes=["background", "cat", "persn"]))
    (home / "ImageSets" / "Segmentation" / "val.txt").write_text("zebra\n")
    with pytest.raises(DataError, match=r"val\.txt: 1 of 1 lines name no image with a mask: zebra"):
        find_dataset(DataSpec(root=tmp_path, format="voc"))
    (home / "ImageSets" / "Segmentation" / "val.txt").write_text("\n")
    with pytest.raises(DataError, match=r"val\.txt: the list is empty"):
        find_dataset(DataSpec(root=tmp_path, format="voc"))


@pytest.mark.real
def test_camvid_by_its_published_lists(real_data: Path, tmp_path: Path) -> None:
    os.symlink(real_data / "camvid", tmp_path / "camvid")
    for name in ("train", "val"):
        stems = sorted(path.stem for path in (real_data / "camvid" / name).iterdir())[:5]
        lines = [f"/SegNet/CamVid/{name}/{stem}.png /SegNet/CamVid/{name}annot/{stem}.png;" for stem in stems]
        (tmp_path / f"{name}.txt").write_text(" \n".join(lines))
    split = Lists(train="../train.txt", val=str(tmp_path / "val.txt"), test="")
    dataset = find_dataset(
        DataSpec(root=tmp_path / "camvid", format="lists", split=split, values={i: f"c{i}" for i in range(12)})
    )
    assert [len(dataset.splits[name]) for name in ("train", "val", "test")] == [5, 5, 0]
    sample = dataset.samples("train")[0]
    expected = cv2.imread(str(tmp_path / "camvid" / "trainannot" / f"{sample.image.stem}.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read_truth(sample, dataset.labels), expected)
