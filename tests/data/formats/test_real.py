"""COCO's own pictures, against pycocotools' own reading of its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.inspection.inspect import check_dataset
from kseg.data.spec import DataSpec, Folders
from kseg.data.truth import read_truth
from kseg.labels import IGNORE_INDEX

pytestmark = pytest.mark.real


def find(root: Path, **settings: Any) -> Dataset:
    return find_dataset(DataSpec(
        root=root / "coco_tiny", format="coco", images="{split}2017",
        annotations="annotations/instances_{split}2017.json", split=Folders("train", "val", ""), **settings,
    ))  # fmt: skip


def reference(coco: COCO, name: str, dataset: Dataset, crowds: str = "ignore") -> np.ndarray:
    """The class ids as pycocotools draws them: crowds, then from the largest object to the smallest."""
    (image,) = [one for one in coco.dataset["images"] if one["file_name"] == name]
    names = {one["id"]: one["name"] for one in coco.dataset["categories"]}
    drawn = []
    for entry in coco.imgToAnns[image["id"]]:
        if names[entry["category_id"]] in dataset.labels.names:
            void = entry["iscrowd"] and crowds == "ignore"
            mask = coco.annToMask(entry).astype(bool)
            drawn.append((not void, -mask.sum(), mask, names[entry["category_id"]]))
    ids = np.zeros((image["height"], image["width"]), np.uint8)
    for visible, _, mask, label in sorted(drawn, key=lambda one: one[:2]):
        ids[mask] = dataset.labels.names.index(label) if visible else IGNORE_INDEX
    return ids


@pytest.mark.parametrize(
    ("settings", "ignored"),
    [
        ({}, True),
        ({"crowds": "draw"}, False),
        ({"classes": ["background", "person", "dog"]}, True),
        ({"classes": ["background", "person", "dog"], "crowds": "draw"}, False),
    ],
)
def test_masks_are_those_of_pycocotools(real_data: Path, settings: dict[str, Any], ignored: bool) -> None:
    dataset = find(real_data, **settings)
    assert [len(dataset.splits[name]) for name in ("train", "val", "test")] == [80, 80, 0]
    seen: set[int] = set()
    for part in ("train", "val"):
        coco = COCO(real_data / "coco_tiny" / "annotations" / f"instances_{part}2017.json")
        for sample in dataset.samples(part):  # type: ignore[arg-type]
            truth = read_truth(sample, dataset.labels)
            np.testing.assert_array_equal(
                truth, reference(coco, sample.image.name, dataset, settings.get("crowds", "ignore"))
            )
            seen |= set(np.unique(truth).tolist())
    assert (IGNORE_INDEX in seen) == ignored
    assert len(seen) > (60 if "classes" not in settings else 2)


def test_all_categories_in_the_order_of_their_ids(real_data: Path) -> None:
    labels = find(real_data).labels
    assert labels.num_classes == 81
    assert labels.names[:4] == ("background", "person", "bicycle", "car")
    assert labels.names[-1] == "toothbrush"
    assert labels.values[90] == "toothbrush"  # the 80 ids have gaps


def test_coco_passes_the_check(real_data: Path) -> None:
    report = check_dataset(find(real_data, classes=["background", "person"]))
    share = report.class_pixels["train"][1] / report.class_pixels["train"].sum()
    assert 0.03 < share < 0.4
