"""The real data sets, with the traps that they are published with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.inspection.inspect import check_dataset
from kseg.data.pipeline.arrays import load_arrays
from kseg.data.spec import DataSpec, Folders
from kseg.errors import DataError

pytestmark = pytest.mark.real

ROADS = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]
VOID: dict[int | str, str] = {**dict(enumerate(ROADS)), 11: "ignore"}
SPLIT = Folders("train", "val", "test")

SETS: dict[str, dict[str, Any]] = {
    "pets": {
        "masks": "annotations/trimaps",
        "classes": ["background", "pet"],
        "values": {1: "pet", 2: "background", 3: "ignore"},
    },
    "portraits": {
        "images": "source360",
        "masks": "mask360",
        "classes": ["background", "person"],
        "values": {0: "person", 255: "background"},
    },
    "faces": {"classes": ["background", "glasses"], "values": {3: "glasses", "other": "background"}},
    "nuclei": {"classes": ["background", "nucleus"], "values": {0: "background", 255: "nucleus"}},
    "membrane": {"classes": ["membrane", "cell"], "values": {0: "membrane", 255: "cell"}},
    "camvid": {"images": "{split}", "masks": "{split}annot", "classes": ROADS, "values": VOID, "split": SPLIT},
}
COUNTS = {
    "pets": (240, 30, 30),
    "portraits": (288, 36, 36),
    "faces": (238, 30, 30),
    "nuclei": (120, 15, 15),
    "membrane": (24, 3, 3),
    "camvid": (367, 101, 233),
}
# The share of the last class in the pixels of the first 60 training masks, about: an inverted or shifted reading would
# be far off.
SHARE = {"pets": 0.29, "portraits": 0.60, "faces": 0.011, "nuclei": 0.127, "membrane": 0.78, "camvid": 0.0055}


def few(dataset: Dataset, count: int) -> Dataset:
    return Dataset(dataset.root, dataset.labels, {name: s[:count] for name, s in dataset.splits.items()})


@pytest.mark.parametrize("name", SETS)
def test_a_real_data_set_is_found_checked_and_loaded(real_data: Path, name: str) -> None:
    dataset = find_dataset(DataSpec(root=real_data / name, **SETS[name]))
    assert tuple(len(dataset.splits[split]) for split in ("train", "val", "test")) == COUNTS[name]
    report = check_dataset(few(dataset, 60))
    pixels = report.class_pixels["train"]
    assert pixels[-1] / pixels.sum() == pytest.approx(SHARE[name], rel=0.25)
    assert (report.ignored["train"] > 0) == (name in ("pets", "camvid"))
    arrays = load_arrays(dataset.samples("train")[:6], dataset.labels, (64, 96))
    assert arrays.images.std() > 20
    assert set(np.unique(arrays.masks)) <= {*range(dataset.labels.num_classes), 255}


@pytest.mark.parametrize(
    ("name", "what", "remedy"),
    [
        (
            "nuclei", "masks hold 0 and 255, values that data.values does not name; found 0 (84.6%), 255 (15.4%); ",
            "add data.values: {0: background, 255: nucleus}",
        ),
        (
            "camvid", "is 11 unknown ground truth? Masks hold 12 values, but 11 classes are named; ",
            "9: pedestrian, 10: bicyclist, 11: ignore}', if that is right, "
            "or if not, say which value is which class with data.values",
        ),
        (
            "pets", "is 2 the background? It surrounds the others, but is not the smallest value; ",
            "answer with --set 'data.values={1: pet, 2: background, 3: ignore}', if that is right, "
            "or if not, set data.values: {1: background, 2: pet, 3: ignore}",
        ),
    ],
)  # fmt: skip
def test_without_values_the_setting_is_named_or_asked_about(real_data: Path, name: str, what: str, remedy: str) -> None:
    dataset = find_dataset(DataSpec(root=real_data / name, **{**SETS[name], "values": None}))
    with pytest.raises(DataError) as error:
        check_dataset(few(dataset, 15))
    assert str(error.value).startswith(f"{real_data / name}: {what}")
    assert str(error.value).endswith(remedy)


def test_portraits_without_values_are_told_too(real_data: Path) -> None:
    labels = find_dataset(DataSpec(root=real_data / "portraits", images="source360", masks="mask360")).labels
    assert labels.values == {0: "background", 255: "foreground"}
