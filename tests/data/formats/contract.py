"""One small data set in every format, and what all readers must do; a format's test is this class with its `write`."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.formats.layout.read import read_layout
from kseg.data.inspection.inspect import check_dataset
from kseg.data.spec import DataSpec, Folders
from kseg.data.truth import read_truth
from kseg.errors import DataError, KsegError
from kseg.images import write_png

CLASSES = ("background", "cat", "dog")
SIZE = (24, 32)
SPLIT = Folders(train="train", val="val", test="test")

Box = tuple[int, int, int, int]
"""Top, left, bottom, right."""

PICTURES: dict[str, list[tuple[str, Box]]] = {
    "train/a": [("dog", (4, 6, 9, 12)), ("cat", (2, 2, 20, 30))],  # the small one lies over the large one
    "train/b": [("cat", (0, 0, 24, 16)), ("dog", (10, 20, 24, 32))],
    "train/empty": [],
    "val/a": [("dog", (3, 3, 10, 10))],
    "test/a": [("cat", (5, 5, 6, 7)), ("dog", (0, 0, 1, 1))],
}


def corners(box: Box) -> list[list[int]]:
    top, left, bottom, right = box
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def truth(key: str, names: tuple[str, ...] = CLASSES) -> np.ndarray:
    """The class ids, drawn the plain way."""
    mask = np.zeros(SIZE, np.uint8)
    for name, (top, left, bottom, right) in sorted(PICTURES[key], key=lambda one: -area(one[1])):
        if name in names:
            mask[top:bottom, left:right] = names.index(name)
    return mask


def area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def draw_picture(path: Path, number: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8))
    return path


def draw_mask(path: Path, key: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, truth(key))
    return path


def ids(dataset: Dataset, key: str) -> np.ndarray:
    """The class ids of one sample."""
    (sample,) = [sample for sample in dataset.samples("all") if sample.key == key]
    return read_truth(sample, dataset.labels)


class ReaderContract:
    """What every format must do."""

    format: str
    recognised_as: str | None = None
    """The format that the layout of the folder has, if it is another one."""

    def write(self, root: Path) -> dict[str, Any]:
        """Write `PICTURES`, the images as ``images/KEY.png``, and return the other settings of `find_dataset`."""
        raise NotImplementedError

    def write_images(self, root: Path) -> None:
        for number, key in enumerate(PICTURES):
            draw_picture(root / "images" / f"{key}.png", number)

    def image(self, root: Path, key: str) -> Path:
        return root / "images" / f"{key}.png"

    def key(self, key: str) -> str:
        """The sample's key of a picture."""
        return key

    def find(self, root: Path, **changed: Any) -> Dataset:
        settings = {"classes": list(CLASSES), "split": SPLIT, **self.write(root), **changed}
        return find_dataset(DataSpec(root=root, format=self.format, **settings))

    def test_the_masks_are_the_same_in_every_format(self, tmp_path: Path) -> None:
        dataset = self.find(tmp_path)
        actual = {sample.key: read_truth(sample, dataset.labels) for sample in dataset.samples("all")}
        assert set(actual) == {self.key(key) for key in PICTURES}
        for key in PICTURES:
            np.testing.assert_array_equal(actual[self.key(key)], truth(key), err_msg=key)

    def test_the_splits_are_those_of_the_folders(self, tmp_path: Path) -> None:
        dataset = self.find(tmp_path)
        for name in ("train", "val", "test"):
            keys = sorted(sample.key for sample in dataset.samples(name))  # type: ignore[arg-type]
            assert keys == sorted(self.key(key) for key in PICTURES if key.startswith(f"{name}/"))

    def test_the_pictures_are_the_files(self, tmp_path: Path) -> None:
        images = {sample.key: sample.image for sample in self.find(tmp_path).samples("all")}
        assert images == {self.key(key): self.image(tmp_path, key) for key in PICTURES}

    def test_the_record_leads_back(self, tmp_path: Path) -> None:
        dataset = self.find(tmp_path / "data")
        dataset.save(tmp_path / "data.json")
        loaded = Dataset.load(tmp_path / "data.json")
        assert loaded == dataset
        assert loaded.fingerprint() == dataset.fingerprint()

    def test_found_twice_is_the_same(self, tmp_path: Path) -> None:
        assert self.find(tmp_path) == self.find(tmp_path)

    def test_the_classes_are_named_in_order(self, tmp_path: Path) -> None:
        assert self.find(tmp_path).labels.names == CLASSES

    def test_a_missing_picture(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        settings = {"classes": list(CLASSES), "split": SPLIT, **self.write(tmp_path)}
        os.unlink(self.image(tmp_path, "train/b"))
        with pytest.raises(DataError, match=r"\bb\b|_b\b") as error:
            find_dataset(DataSpec(root=tmp_path, format=self.format, **settings))
        assert error.value.exit_code == 1
        assert "\n" not in str(error.value)
        with caplog.at_level(logging.WARNING, logger="kseg"):
            dataset = find_dataset(DataSpec(root=tmp_path, format=self.format, unpaired="skip", **settings))
        assert self.key("train/b") not in {sample.key for sample in dataset.samples("all")}
        assert len(dataset.samples("all")) == len(PICTURES) - 1
        assert "left out" in caplog.text

    def test_names_that_are_not_utf8(self, tmp_path: Path) -> None:
        """A file that nothing names, with a Latin-1 name, is reported or does not count."""
        settings = {"classes": list(CLASSES), "split": SPLIT, **self.write(tmp_path)}
        odd = self.image(tmp_path, "train/b").with_name(os.fsdecode(b"caf\xe9.png"))
        draw_picture(odd)
        try:
            actual = len(find_dataset(DataSpec(root=tmp_path, format=self.format, **settings)).samples("all"))
        except KsegError as error:
            actual, told = 0, str(error)
        assert actual >= len(PICTURES) or "caf\\xe9" in told

    def test_the_folder_alone_says_how_it_is_read(self, tmp_path: Path) -> None:
        explicit = self.find(tmp_path)
        expected = {sample.image: read_truth(sample, explicit.labels).tolist() for sample in explicit.samples("all")}
        layout = read_layout(tmp_path)
        settings = {key.removeprefix("data."): value for key, value in layout.provisional.items()}
        dataset = find_dataset(DataSpec(tmp_path, **{"classes": CLASSES, **settings}))
        actual = {sample.image: read_truth(sample, dataset.labels).tolist() for sample in dataset.samples("all")}
        assert (settings.get("format", "folders"), actual) == (self.recognised_as or self.format, expected)
        assert layout.questions == ()

    def test_no_data_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(KsegError) as error:
            find_dataset(DataSpec(root=tmp_path, format=self.format, classes=list(CLASSES), split=SPLIT))
        assert "\n" not in str(error.value)


class OutlineContract(ReaderContract):
    """What formats of outlines, whose classes have names, must do besides."""

    def test_classes_may_be_left_out(self, tmp_path: Path) -> None:
        dataset = self.find(tmp_path, classes=["background", "dog"])
        for sample in dataset.samples("all"):
            expected = truth(sample.key, ("background", "dog"))
            np.testing.assert_array_equal(read_truth(sample, dataset.labels), expected)

    def test_without_background_the_rest_is_unknown(self, tmp_path: Path) -> None:
        dataset = self.find(tmp_path, classes=["cat", "dog"])
        for sample in dataset.samples("all"):
            expected = truth(sample.key).astype(int) - 1
            np.testing.assert_array_equal(read_truth(sample, dataset.labels), np.where(expected < 0, 255, expected))

    def test_all_classes_where_none_are_named(self, tmp_path: Path) -> None:
        labels = self.find(tmp_path, classes=None).labels
        assert labels.names == CLASSES

    def test_a_picture_that_cannot_be_read(self, tmp_path: Path) -> None:
        settings = {"classes": list(CLASSES), "split": SPLIT, **self.write(tmp_path)}
        self.image(tmp_path, "train/b").write_bytes(b"no picture")
        dataset = find_dataset(DataSpec(root=tmp_path, format=self.format, **settings))
        (sample,) = [sample for sample in dataset.samples("train") if sample.key == "train/b"]
        assert sample.mask is None
        with pytest.raises(DataError, match=r"b\.png: not an image"):
            check_dataset(dataset)
