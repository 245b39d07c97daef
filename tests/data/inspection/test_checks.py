from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from kseg.config import parse_set
from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.inspection.findings import setting_option
from kseg.data.inspection.inspect import check_dataset
from kseg.data.spec import DataSpec, Folders, Fractions
from kseg.errors import DataError
from tests.data.folders import make_pairs, write

NAMES = [f"n{i}" for i in range(10)]
BINARY = ["background", "nucleus"]


def find(root: Path, **given: Any) -> Dataset:
    return find_dataset(DataSpec(root=root, **{"classes": BINARY, **given}))


def refusal(dataset: Dataset) -> str:
    with pytest.raises(DataError) as error:
        check_dataset(dataset)
    assert error.value.exit_code == 1
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_report_counts_pixels_and_images(tmp_path: Path) -> None:
    make_pairs(tmp_path, NAMES, values=(0, 1, 9), size=(4, 6))
    seen: list[tuple[int, int]] = []
    report = check_dataset(
        find(tmp_path, values={0: "background", 1: "nucleus", 9: "ignore"}, split=Fractions(0.5, 0.3, 0.2)),
        on_progress=lambda done, total: seen.append((done, total)),
        workers=3,
    )
    np.testing.assert_array_equal(report.class_pixels["train"], [5 * 8, 5 * 8])
    np.testing.assert_array_equal(report.class_pixels["test"], [2 * 8, 2 * 8])
    np.testing.assert_array_equal(report.class_images["val"], [3, 3])
    assert report.class_pixels["val"].dtype == np.int64
    assert report.ignored["train"] == pytest.approx(1 / 3)
    assert report.sizes == {(4, 6): 10}
    assert seen == [(i, 10) for i in range(1, 11)]


def framed(root: Path, outside: int, inside: int) -> Path:
    """Pairs whose masks are a square of one value, surrounded by the other."""
    make_pairs(root, NAMES)
    mask = np.full((12, 16), outside, np.uint8)
    mask[3:9, 4:12] = inside
    for name in NAMES:
        write(root / "masks" / f"{name}.png", mask)
    return root


def test_a_value_of_255_that_is_the_object_names_the_line_to_add(tmp_path: Path) -> None:
    message = refusal(find(framed(tmp_path, 0, 255)))
    assert "masks hold 0 and 255, values that data.values does not name" in message
    assert "found 0 (75.0%), 255 (25.0%)" in message
    assert message.endswith("add data.values: {0: background, 255: nucleus}")


def test_labels_from_one_name_the_line_to_add(tmp_path: Path) -> None:
    message = refusal(find(framed(tmp_path, 1, 2)))
    assert message.endswith("add data.values: {1: background, 2: nucleus}")


def test_labels_from_one_without_a_background_around_are_asked_about(tmp_path: Path) -> None:
    message = refusal(find(make_pairs(tmp_path, NAMES, values=(1, 2))))
    assert "which of 1, 2 is the background? None clearly surrounds the others" in message
    assert "answer with --set 'data.values={1: background, 2: nucleus}', if that is right" in message
    assert message.endswith("or if not, set data.values: {1: nucleus, 2: background}")


def test_a_value_more_than_there_are_classes_is_asked_about(tmp_path: Path) -> None:
    make_pairs(tmp_path, NAMES)
    write(tmp_path / "masks" / "n4.png", np.full((12, 16), 11, np.uint8))
    message = refusal(find(tmp_path))
    assert "is 11 unknown ground truth? Masks hold 3 values, but 2 classes are named" in message
    assert "answer with --set 'data.values={0: background, 1: nucleus, 11: ignore}', if that is right" in message


def test_smoothed_edges_are_told_as_such(tmp_path: Path) -> None:
    make_pairs(tmp_path, NAMES)
    for number, name in enumerate(NAMES):
        square = np.zeros((60, 60), np.uint8)
        square[20:40, 20 : 30 + number] = 255
        write(tmp_path / "images" / f"{name}.png", np.full((60, 60, 3), 20 * number, np.uint8))
        write(tmp_path / "masks" / f"{name}.png", cv2.GaussianBlur(square, (5, 5), 0))
    message = refusal(find(tmp_path))
    assert message.endswith(
        "add data.threshold: 128; data.values: {0: background, 255: nucleus}, "
        "or save the masks as PNG, without smoothing"
    )
    check_dataset(find(tmp_path, values={0: "background", 255: "nucleus"}, threshold=128))


def test_masks_of_another_size_are_counted_and_named(tmp_path: Path) -> None:
    make_pairs(tmp_path, NAMES)
    write(tmp_path / "masks" / "n2.png", np.ones((6, 8), np.uint8))
    message = refusal(find(tmp_path))
    assert "1 of 10 masks have another size than their images" in message
    assert "n2 (image 12×16, mask 6×8)" in message


def test_an_exif_orientation_on_one_of_the_two_is_told_as_such(tmp_path: Path) -> None:
    make_pairs(tmp_path, NAMES)
    path = tmp_path / "images" / "n3.png"
    turned = Image.Exif()
    turned[0x0112] = 6
    with Image.open(path) as image:
        image.load()
        image.save(path, exif=turned)
    message = refusal(find(tmp_path))
    assert "n3 (image 16×12, mask 12×16)" in message
    assert "an EXIF orientation seems to apply to one of the two" in message


def test_unreadable_files_are_counted_and_named_with_the_reason(tmp_path: Path) -> None:
    make_pairs(tmp_path, NAMES)
    jpeg = tmp_path / "images" / "n1.jpg"
    with Image.open(tmp_path / "images" / "n1.png") as image:
        image.save(jpeg)
    (tmp_path / "images" / "n1.png").unlink()
    jpeg.write_bytes(jpeg.read_bytes()[:-40])
    (tmp_path / "images" / "n2.png").write_text("text")
    write(tmp_path / "images" / "n3.png", np.full((12, 16), 999, np.uint16))
    write(tmp_path / "images" / "n4.png", np.zeros((12, 16, 4), np.uint8))
    (tmp_path / "masks" / "n5.png").write_bytes(b"")
    message = refusal(find(tmp_path))
    assert "5 of 10 samples cannot be read" in message
    for reason in (
        "n1.jpg: the image cannot be read; found image file is truncated",
        "n2.png: not an image",
        "n3.png: the image has more than 8 bits a channel",
        "n4.png: the image has transparent pixels",
        "masks/n5.png: not an image",
    ):
        assert reason in message


def test_a_class_that_is_absent_from_training(tmp_path: Path) -> None:
    make_pairs(tmp_path, NAMES)
    message = refusal(find(tmp_path, classes=["background", "nucleus", "rare"]))
    assert "no training mask has a pixel of rare" in message
    assert "found 8 training masks" in message


def test_a_class_that_is_absent_from_validation_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for split, value in (("train", 1), ("val", 0), ("test", 1)):
        make_pairs(tmp_path / split, [f"{split}{i}" for i in range(2)], values=(0, value))
        rng = np.random.default_rng(value + len(split))
        for i in range(2):
            write(tmp_path / split / "images" / f"{split}{i}.png", rng.integers(0, 256, (12, 16, 3), np.uint8))
    folders = Folders("train", "val", "test")
    dataset = find(tmp_path, images="{split}/images", masks="{split}/masks", split=folders)
    with caplog.at_level(logging.WARNING, logger="kseg"):
        check_dataset(dataset)
    assert [record.message for record in caplog.records] == [
        "no mask of the split val has a pixel of nucleus: it has no score there"
    ]


def test_the_same_picture_in_two_splits_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_pairs(tmp_path, NAMES)
    dataset = find(tmp_path)
    source, copy = dataset.splits["train"][0], dataset.splits["test"][0]
    copy.image.write_bytes(source.image.read_bytes())
    check_dataset(dataset)
    assert f"1 pictures are in two splits, which flatters the scores: {copy.key} (test) = {source.key}" in caplog.text


def test_an_option_with_colours_can_be_read_and_is_what_yaml_reads() -> None:
    option = setting_option("data.values", {"#000000": "background", "#ff0000": "cat"})
    assert option == 'data.values={"#000000": background, "#ff0000": cat}'
    assert parse_set(option) == ("data.values", {"#000000": "background", "#ff0000": "cat"})
