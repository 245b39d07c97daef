from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec
from kseg.errors import DataError
from tests.data.folders import make_pairs

NAMES = ["a", "sub/b", "c", os.fsdecode(b"latin\xe9")]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return find_dataset(
        DataSpec(root=make_pairs(tmp_path / "data", NAMES, values=(0, 255)), colors=["#000000", "#123456"])
    )


def test_a_saved_dataset_loads_equal(dataset: Dataset, tmp_path: Path) -> None:
    dataset.save(tmp_path / "data.json")
    assert Dataset.load(tmp_path / "data.json") == dataset


def test_the_record_names_files_relative_to_the_root_with_their_hashes(dataset: Dataset, tmp_path: Path) -> None:
    dataset.save(tmp_path / "data.json")
    record = json.loads((tmp_path / "data.json").read_text("utf-8"))
    entries = [entry for split in record["splits"].values() for entry in split]
    entry = next(entry for entry in entries if entry["key"] == "sub/b")
    assert (entry["image"], entry["mask"]) == ("images/sub/b.png", "masks/sub/b.png")
    assert all(len(entry[key]) == 64 for key in ("image_sha256", "mask_sha256"))
    assert record["root"] == str(tmp_path / "data")
    assert record["fingerprint"] == dataset.fingerprint()


def test_files_beside_the_root_and_samples_without_mask(dataset: Dataset, tmp_path: Path) -> None:
    beside = make_pairs(tmp_path / "beside", ["x"]) / "images" / "x.png"
    mixed = replace(dataset, splits={"train": (Sample("x", beside, None),), "val": (), "test": ()})
    mixed.save(tmp_path / "data.json")
    assert Dataset.load(tmp_path / "data.json") == mixed


def test_the_fingerprint_follows_the_contents_and_the_split(dataset: Dataset) -> None:
    first = dataset.fingerprint()
    turned = replace(dataset, splits={name: tuple(samples[::-1]) for name, samples in dataset.splits.items()})
    assert turned.fingerprint() == first
    moved = replace(dataset, splits={"train": dataset.splits["val"], "val": dataset.splits["train"], "test": ()})
    assert moved.fingerprint() != first
    image = dataset.samples("train")[0].image
    image.write_bytes(image.read_bytes() + b"one byte more")
    assert replace(dataset).fingerprint() != first


def test_the_files_are_read_once(dataset: Dataset, tmp_path: Path) -> None:
    first = dataset.fingerprint()
    dataset.samples("train")[0].image.unlink()
    dataset.save(tmp_path / "data.json")
    assert json.loads((tmp_path / "data.json").read_text("utf-8"))["fingerprint"] == first == dataset.fingerprint()


def test_files_that_are_gone(dataset: Dataset, tmp_path: Path) -> None:
    dataset.save(tmp_path / "data.json")
    (tmp_path / "data" / "masks" / "a.png").unlink()
    with pytest.raises(
        DataError, match=r"data\.json: 1 of the 8 files of the data set are missing; found no .*a\.png"
    ) as e:
        Dataset.load(tmp_path / "data.json")
    assert e.value.exit_code == 1
    with pytest.raises(DataError, match=r"a\.png: cannot be read; found No such file"):
        replace(dataset).fingerprint()


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"format": 2, "root": 3}', '{"format": 2}'])
def test_what_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.json").write_text(text)
    with pytest.raises(DataError, match=r"data\.json: not the record of a data set; expected a data\.json that kseg"):
        Dataset.load(tmp_path / "data.json")


def test_a_record_of_another_version_or_of_nowhere(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"format": 99}')
    with pytest.raises(DataError, match="written by another version of kseg"):
        Dataset.load(tmp_path / "data.json")
    with pytest.raises(DataError, match=r"gone\.json: cannot be read; found No such file"):
        Dataset.load(tmp_path / "gone.json")
    with pytest.raises(DataError, match=r"cannot be read; found Is a directory"):
        Dataset.load(tmp_path)


def test_all_samples_come_in_the_order_of_the_splits(dataset: Dataset) -> None:
    assert dataset.samples("all") == dataset.splits["train"] + dataset.splits["val"] + dataset.splits["test"]
    with pytest.raises(DataError, match="the data set is empty"):
        replace(dataset, splits={}).samples("all")
