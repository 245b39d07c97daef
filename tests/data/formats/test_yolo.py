"""YOLO: polygons of 0..1, a line each."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from kseg.data.find import find_dataset
from kseg.data.spec import DataSpec, Fractions
from kseg.errors import ConfigError, DataError, KsegError
from tests.data.formats.contract import (
    CLASSES,
    PICTURES,
    SIZE,
    OutlineContract,
    corners,
    draw_picture,
    ids,
)  # fmt: skip


def yolo_lines(key: str) -> str:
    lines = []
    for name, box in PICTURES[key]:
        points = [f"{x / SIZE[1]:.6f} {y / SIZE[0]:.6f}" for x, y in corners(box)]
        lines.append(f"{['dog', 'cat'].index(name)} {' '.join(points)}")
    return "\n".join(lines) + "\n"


class TestYolo(OutlineContract):
    format = "yolo"
    named: Any = ("dog", "cat")

    def write(self, root: Path) -> dict[str, Any]:
        self.write_images(root)
        for key in PICTURES:
            path = root / "labels" / f"{key}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            if PICTURES[key]:  # without objects there is no file
                path.write_text(yolo_lines(key))
        names = dict(enumerate(self.named)) if isinstance(self.named, tuple) else self.named
        (root / "data.yaml").write_text(yaml.safe_dump(self.data(names)))
        return {}

    def data(self, names: Any) -> dict[str, Any]:
        return {"names": names}

    def test_all_classes_where_none_are_named(self, tmp_path: Path) -> None:
        assert self.find(tmp_path, classes=None).labels.names == ("background", "dog", "cat")

    def test_a_missing_picture(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        super().test_a_missing_picture(tmp_path, caplog)
        assert "have no label file: all background" in caplog.text


class TestYoloWithAListOfNames(TestYolo):
    named = ["dog", "cat"]  # noqa: RUF012


class TestYoloSplitByItsYaml(TestYolo):
    def data(self, names: Any) -> dict[str, Any]:
        return {"path": "../datasets/x", "train": "../images/train", "val": "images/val", "test": "images/test",
                "names": names}  # fmt: skip

    def write(self, root: Path) -> dict[str, Any]:
        return {**super().write(root), "split": Fractions()}

    def test_no_data_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(KsegError):
            find_dataset(DataSpec(root=tmp_path, format="yolo"))


def write_yolo(root: Path, text: str | bytes, settings: str | None = "names: [dog, cat]\n") -> None:
    for name in ("x", "y"):
        draw_picture(root / "images" / f"{name}.png")
    (root / "labels").mkdir(exist_ok=True)
    (root / "labels" / "y.txt").write_text("0 0 0 0.5 0 0.5 0.5 0 0.5\n")
    (root / "labels" / "x.txt").write_bytes(text.encode() if isinstance(text, str) else text)
    if settings is not None:
        (root / "data.yaml").write_text(settings)


YOLO_LEFT_OUT = {
    "0 0 0 1 0 1 nan": "a line that is not all numbers",
    "0 0 0 1 0 1 x": "a line that is not all numbers",
    "zero 0 0 1 0 1 1": "a line that is not all numbers",
    "0.5 0 0 1 0 1 1": "a class index that is no whole number",
    "-1 0 0 1 0 1 1": "a class index that is no whole number",
    "1e300 0 0 1 0 1 1": "a class index without a name",
    "2 0 0 1 0 1 1": "a class index without a name",
    "0 0.5 0.5 0.1 0.1": "a box instead of an outline",
    "0 0 0 640 0 640 480": "coordinates outside 0..1",
    "0": "fewer than 3 points",
    "0 0 0 1 1 0": "an odd number of coordinates",
    "0 0.1 0.1 0.1 0.1 0.1 0.1": "no pixel inside the picture",
}


@pytest.mark.parametrize("line", YOLO_LEFT_OUT)
def test_lines_that_cannot_be_drawn_are_counted(tmp_path: Path, line: str, caplog: pytest.LogCaptureFixture) -> None:
    write_yolo(tmp_path, f"\n{line}\n")
    with pytest.raises(DataError, match=r"labels: 1 of 2 objects cannot be drawn.*data\.skip_objects: skip"):
        find_dataset(DataSpec(root=tmp_path, format="yolo"))
    with caplog.at_level(logging.WARNING, logger="kseg"):
        dataset = find_dataset(DataSpec(root=tmp_path, format="yolo", skip_objects="skip"))
    assert (ids(dataset, "x") == 0).all()
    assert "labels: 1 of 2 objects are left out, in whole or in part: 1 × " + YOLO_LEFT_OUT[line] in caplog.text
    assert "(first x.txt line 2)" in caplog.text


def test_labels_for_detection(tmp_path: Path) -> None:
    write_yolo(tmp_path, "0 0.5 0.5 0.1 0.1\n")
    (tmp_path / "labels" / "y.txt").write_text("1 0.5 0.5 0.1 0.1\n")
    with pytest.raises(
        DataError, match=r"labels: these are labels for detection, not for segmentation; .*2 lines, all"
    ):
        find_dataset(DataSpec(root=tmp_path, format="yolo"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (None, r"data\.yaml: the names of the classes are unknown; .*found no such file; add it, or set data\.classes"),
        ("nc: 2\n", r"the names of the classes are unknown; .*found a file without names"),
        ("names: {a: b}\n", r"data\.yaml: names\.a: .*expected a whole number; found 'a'"),
        ("names: [yes, no]\n", r"names\.0: .*expected text; found True"),
        ("names: []\n", r"names: .*expected a name for each class; found a mapping of 0 keys"),
        ("names: {-1: x}\n", r"names\.-1: .*expected a class index from 0 on; found -1"),
        ("names: x\n", r"data\.yaml: names: .*expected a mapping"),
        ("names: [\n", r"data\.yaml: malformed YAML"),
        ("- 1\n", r"data\.yaml: .*expected a mapping .*found a list of 1"),
    ],
)
def test_a_wrong_yaml(tmp_path: Path, settings: str | None, message: str) -> None:
    write_yolo(tmp_path, "", settings)
    with pytest.raises(DataError, match=message) as error:
        find_dataset(DataSpec(root=tmp_path, format="yolo"))
    assert "\n" not in str(error.value)


def test_yolo_without_yaml_but_classes(tmp_path: Path) -> None:
    write_yolo(tmp_path, "1 0 0 1 0 1 1 0 1\n", None)
    dataset = find_dataset(DataSpec(root=tmp_path, format="yolo", classes=CLASSES))
    assert (ids(dataset, "x") == 2).all()


def test_yolo_with_mistakes(tmp_path: Path) -> None:
    write_yolo(tmp_path, "")
    with pytest.raises(ConfigError, match=r"unknown class 'catt'; .*did you mean 'cat'\?"):
        find_dataset(DataSpec(root=tmp_path, format="yolo", classes=["background", "catt"]))
    with pytest.raises(ConfigError, match=r"data\.annotations: no such folder"):
        find_dataset(DataSpec(root=tmp_path, format="yolo", annotations="gone"))
    (tmp_path / "labels" / "zebra.txt").write_text("")
    with pytest.raises(DataError, match=r"1 of 3 label files have no image \(zebra\.txt\)"):
        find_dataset(DataSpec(root=tmp_path, format="yolo"))
    for name in ("x", "y", "zebra"):
        (tmp_path / "labels" / f"{name}.txt").unlink()
    with pytest.raises(DataError, match=r"no image has a label file; .*found 2 images and 0 text files"):
        find_dataset(DataSpec(root=tmp_path, format="yolo"))
