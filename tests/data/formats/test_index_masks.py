"""Masks written from any format: right, once, and whole whatever happens in between."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kseg.config import load_config
from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.formats.index_masks import write_masks
from kseg.data.spec import DataSpec
from kseg.data.truth import read_truth
from kseg.errors import OutputError, UsageError
from kseg.images import read_mask, write_png
from tests.data.folders import make_pairs
from tests.data.formats.contract import CLASSES, PICTURES, truth
from tests.data.formats.test_coco import TestCoco as Coco
from tests.limits import files_up_to


def make(root: Path) -> Dataset:
    return Coco().find(root)


def read_back(folder: Path) -> Dataset:
    return find_dataset(load_config(folder / "data.yaml", {}).data)


def stamps(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.png")}


def test_masks_of_objects_are_read_back(tmp_path: Path) -> None:
    dataset = make(tmp_path / "coco")
    report = write_masks(dataset, tmp_path / "out")
    assert sorted(report.written) == sorted(PICTURES)
    assert not report.kept
    assert not report.failed
    back = read_back(tmp_path / "out")
    assert back.labels.names == CLASSES
    assert {name: sorted(s.image for s in samples) for name, samples in back.splits.items()} == {
        name: sorted(s.image for s in samples) for name, samples in dataset.splits.items()
    }
    for sample in back.samples("all"):
        assert isinstance(sample.mask, Path)
        key = sample.mask.relative_to(tmp_path / "out" / "masks").with_suffix("").as_posix()
        np.testing.assert_array_equal(read_truth(sample, back.labels), truth(key))


def test_unknown_pixels_are_255_and_colours_are_kept(tmp_path: Path) -> None:
    make_pairs(tmp_path / "data", ["a", "b"], values=(7, 9, 3))
    values: dict[int | str, str] = {7: "background", 9: "cat", 3: "ignore"}
    dataset = find_dataset(DataSpec(root=tmp_path / "data", values=values, colors=["#000000", "#ff8000"]))
    write_masks(dataset, tmp_path / "out")
    path = tmp_path / "out" / "masks" / "a.png"
    source = read_mask(tmp_path / "data" / "masks" / "a.png")
    np.testing.assert_array_equal(read_mask(path), np.select([source == 7, source == 9], [0, 1], 255))
    with Image.open(path) as picture:
        assert picture.mode == "P"
        assert picture.getpalette()[:6] == [0, 0, 0, 255, 128, 0]  # type: ignore[index]
    back = read_back(tmp_path / "out")
    assert back.labels.values == {0: "background", 1: "cat", 255: "ignore"}
    assert back.labels.colors == dataset.labels.colors


def test_what_is_up_to_date_is_kept(tmp_path: Path) -> None:
    dataset = make(tmp_path / "coco")
    write_masks(dataset, tmp_path / "out")
    before = stamps(tmp_path / "out")
    report = write_masks(dataset, tmp_path / "out")
    assert sorted(report.kept) == sorted(PICTURES)
    assert stamps(tmp_path / "out") == before


def test_what_is_damaged_gone_or_out_of_date_is_written_again(tmp_path: Path) -> None:
    root = make_pairs(tmp_path / "data", [f"n{i}" for i in range(6)])
    out = tmp_path / "out" / "masks"
    write_masks(find_dataset(DataSpec(root=root, classes=["background", "x"])), tmp_path / "out")
    (out / "n0.png").unlink()
    (out / "n1.png").write_bytes((out / "n1.png").read_bytes()[:-20])
    damaged = bytearray((out / "n2.png").read_bytes())
    damaged[-20] ^= 1
    (out / "n2.png").write_bytes(damaged)
    write_png(root / "masks" / "n3.png", np.ones((12, 16), np.uint8))
    write_png(out / "n4.png", np.ones((12, 16), np.uint8))
    report = write_masks(find_dataset(DataSpec(root=root, classes=["background", "x"])), tmp_path / "out")
    assert sorted(report.written) == ["n0", "n1", "n2", "n3", "n4"]
    for path in out.iterdir():
        np.testing.assert_array_equal(read_mask(path), read_mask(root / "masks" / path.name))
    # Other labels are other masks.
    report = write_masks(find_dataset(DataSpec(root=root, values={1: "a", 0: "b"})), tmp_path / "out")
    assert len(report.written) == 6


def test_a_picture_that_cannot_be_read_is_told_and_the_rest_written(tmp_path: Path) -> None:
    root = make_pairs(tmp_path / "data", ["a", "b", "c", "d"])
    (root / "images" / "a.png").write_text("no picture")
    (root / "masks" / "b.png").write_text("no mask")
    write_png(root / "masks" / "c.png", np.zeros((3, 3), np.uint8))
    report = write_masks(find_dataset(DataSpec(root=root, classes=["background", "x"])), tmp_path / "out")
    assert report.written == ("d",)
    assert sorted(report.failed) == ["a", "b", "c"]
    assert "images/a.png: not an image" in report.failed["a"]
    assert "masks/b.png: not an image" in report.failed["b"]
    assert "another size than its image; expected 12×16; found 3×3" in report.failed["c"]
    assert (tmp_path / "out" / "manifest.csv").read_text().count("\n") == 2


def test_odd_names(tmp_path: Path) -> None:
    names = ["with blank", "comma, and", 'quote"', "new\nline", "form\x0cfeed", "line\u2028", os.fsdecode(b"latin\xe9")]
    root = make_pairs(tmp_path / "data", names)
    dataset = find_dataset(DataSpec(root=root, classes=["background", "x"]))
    write_masks(dataset, tmp_path / "out")
    back = read_back(tmp_path / "out")
    assert {s.image for s in back.samples("all")} == {s.image for s in dataset.samples("all")}


def test_one_split_alone(tmp_path: Path) -> None:
    report = write_masks(make(tmp_path / "coco"), tmp_path / "out", split="val")
    assert report.written == ("val/a",)
    assert [len(samples) for samples in read_back(tmp_path / "out").splits.values()] == [0, 1, 0]


def test_the_data_sets_own_files_are_safe(tmp_path: Path) -> None:
    root = make_pairs(tmp_path / "data", ["a", "b"], values=(0, 255))
    dataset = find_dataset(DataSpec(root=root, classes=["background", "x"], values={0: "background", 255: "x"}))
    with pytest.raises(UsageError, match=r"--out: the masks would overwrite files of the data set"):
        write_masks(dataset, root)
    assert read_mask(root / "masks" / "a.png").max() == 255
    write_masks(dataset, root / "made")
    again = read_back(root / "made")
    with pytest.raises(UsageError, match="overwrite files"):
        write_masks(again, root / "made")


def test_a_full_disk(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    root = make_pairs(tmp_path / "data", ["a", "b"])
    for name in ("a", "b"):
        for kind in ("images", "masks"):
            write_png(root / kind / f"{name}.png", rng.integers(0, 2, (100, 100), np.uint8))
    dataset = find_dataset(DataSpec(root=root, classes=["background", "x"]))
    with (
        files_up_to(500),
        pytest.raises(OutputError, match=r"masks/[ab]\.png: cannot write the file; found File too l"),
    ):
        write_masks(dataset, tmp_path / "out")
    assert not list((tmp_path / "out" / "masks").iterdir())
    assert len(write_masks(dataset, tmp_path / "out").written) == 2


KILLED = """
import os, signal, sys
from kseg.data.find import find_dataset
from kseg.data.formats.index_masks import write_masks
from kseg.data.spec import DataSpec
from pathlib import Path
dataset = find_dataset(DataSpec(Path(sys.argv[1]), classes=["background", "x"]))
def tell(done, total):
    if done == 5:
        os.kill(os.getpid(), signal.SIGKILL)
write_masks(dataset, Path(sys.argv[2]), workers=2, on_progress=tell)
"""


def test_killed_and_run_again(tmp_path: Path) -> None:
    root = make_pairs(tmp_path / "data", [f"n{i}" for i in range(40)])
    killed = subprocess.run([sys.executable, "-c", KILLED, root, tmp_path / "out"], check=False, timeout=120)
    assert killed.returncode == -9
    done = stamps(tmp_path / "out")
    assert 5 <= len([name for name in done if ".part" not in name]) < 40
    assert not (tmp_path / "out" / "manifest.csv").exists()
    report = write_masks(find_dataset(DataSpec(root=root, classes=["background", "x"])), tmp_path / "out")
    assert len(report.kept) >= 5
    assert len(report.written) + len(report.kept) == 40
    assert len(read_back(tmp_path / "out").samples("all")) == 40
