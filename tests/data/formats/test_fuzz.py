"""Whatever stands in an annotation file: masks, or one line of error; no traceback and no crash."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kseg.data.find import find_dataset
from kseg.data.spec import DataSpec, Lists
from kseg.data.truth import read_truth
from kseg.errors import KsegError
from tests.data.formats.contract import CLASSES, draw_mask, draw_picture
from tests.data.formats.test_coco import SIZE, coco, of
from tests.data.formats.test_labelme import labelme
from tests.data.formats.test_yolo import yolo_lines

FEW = settings(max_examples=120, suppress_health_check=list(HealthCheck), deadline=None)

ODD = st.sampled_from(
    [0, 1, -1, 3, 17, 100, 101, 10**6, 2**31, 2**32, 2**63, 10**40, 0.5, -0.0, 1e12, 1e300, math.nan,
     math.inf, -math.inf, True, False, None, "", "a.png", "../a.png", "/", "\0", "\ud800", "\udce9", "cat", "dog",
     "ignore", "other",
     "background", [], {}, [[]], [[1, 2]], [1, 2, 3, 4], [1, 1, 9, 1, 9, 9], [[1, 1, 9, 1, 9, 9]],
     [[0, 0, 1e12, 5, 3, 1e9]], {"size": list(SIZE), "counts": [0, 768]}, {"size": list(SIZE), "counts": "oooo"},
     {"size": [10**9, 10**9], "counts": ""}]
)  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), ODD)
KEYS = st.one_of(
    st.text(max_size=4),
    st.sampled_from(["images", "annotations", "categories", "id", "file_name", "image_id", "category_id",
                     "segmentation", "counts", "size", "shapes", "label", "points", "shape_type", "imageHeight"]),
)  # fmt: skip
JSONS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


def places(data: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, as the keys that lead there."""
    steps = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [way, *(place for key, inner in steps for place in places(inner, (*way, key)))]


@st.composite
def mutated(draw: st.DrawFn, whole: Any) -> Any:
    """A whole file with one to three values replaced, removed or doubled."""
    data = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.sampled_from(places(data)))
        if not way:
            return copy.deepcopy(draw(JSONS))
        parent = data
        for key in way[:-1]:
            parent = parent[key]
        action = draw(st.sampled_from(["replace", "replace", "remove", "double"]))
        if action == "replace":
            parent[way[-1]] = copy.deepcopy(draw(st.one_of(ODD, JSONS)))
        elif action == "remove":
            del parent[way[-1]]
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[way[-1]]))
    return data


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file with some bytes replaced, cut out or put in."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.integers(0, 6))
        data[at : at + length] = draw(
            st.one_of(st.binary(max_size=5), st.sampled_from([b",", b"\t", b"\0", b"\xff", b'"', b"9"]))
        )
    return bytes(data)


COCO = {**coco(of("train"))}
COCO["annotations"].append(
    {"image_id": 100, "category_id": 17, "iscrowd": 1, "segmentation": {"size": list(SIZE), "counts": [10, 700, 58]}}
)
COCO["annotations"].append(
    {"image_id": 101, "category_id": 3, "iscrowd": 0, "segmentation": {"size": list(SIZE), "counts": "d0`7d0"}}
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    for name in ("a", "b", "empty"):
        draw_picture(folder / "images" / f"{name}.png")
        draw_mask(folder / "masks" / f"{name}.png", "train/a")
    (folder / "labels").mkdir()
    return folder


def read(root: Path, format: str, **changed: Any) -> None:
    for unpaired in ("error", "skip"):
        try:
            dataset = find_dataset(DataSpec(root=root, format=format, unpaired=unpaired, **changed))  # type: ignore[arg-type]
            for sample in dataset.samples("all"):
                assert read_truth(sample, dataset.labels).shape in (SIZE, SIZE[::-1])
        except KsegError as error:
            str(error).encode("utf-8")


def as_json(data: Any) -> bytes:
    return json.dumps(data).encode()


@FEW
@given(data=st.one_of(mutated(COCO), mutated(COCO), JSONS))
def test_coco(root: Path, data: Any) -> None:
    (root / "all.json").write_bytes(as_json(data))
    read(root, "coco", annotations="all.json")
    read(root, "coco", annotations="all.json", classes=CLASSES)


@FEW
@given(data=damaged(as_json(COCO)))
def test_damaged_coco(root: Path, data: bytes) -> None:
    (root / "all.json").write_bytes(data)
    read(root, "coco", annotations="all.json", values={0: "background", 17: "cat", 3: "dog"})


@FEW
@given(data=st.one_of(mutated(labelme("train/a")), mutated(labelme("train/b")), JSONS))
def test_labelme(root: Path, data: Any) -> None:
    folder = root / "described"
    folder.mkdir(exist_ok=True)
    for name in ("b", "empty"):
        (folder / f"{name}.json").write_bytes(as_json(labelme("train/b")))
    (folder / "a.json").write_bytes(as_json(data))
    read(root, "labelme", annotations="described")


@FEW
@given(lines=damaged(yolo_lines("train/a").encode()), names=st.one_of(JSONS, st.just(["dog", "cat"])))
def test_yolo(root: Path, lines: bytes, names: Any) -> None:
    for name in ("b", "empty"):
        (root / "labels" / f"{name}.txt").write_text(yolo_lines("train/b"))
    (root / "labels" / "a.txt").write_bytes(lines)
    (root / "data.yaml").write_bytes(as_json({"names": names}))
    read(root, "yolo")


@FEW
@given(data=damaged(b"names:\n  0: dog\n  1: cat\ntrain: images\nval: ../images\n"))
def test_damaged_yaml(root: Path, data: bytes) -> None:
    for name in ("a", "b", "empty"):
        (root / "labels" / f"{name}.txt").write_text(yolo_lines("train/b"))
    (root / "data.yaml").write_bytes(data)
    read(root, "yolo")


ROWS = b"".join(b"images/%s.png,masks/%s.png,train\n" % (name, name) for name in (b"a", b"b", b"empty"))


@FEW
@given(data=st.one_of(damaged(b"image,mask,split\n" + ROWS), st.binary(max_size=60)))
def test_manifest(root: Path, data: bytes) -> None:
    (root / "manifest.csv").write_bytes(data)
    read(root, "manifest", classes=CLASSES)


@FEW
@given(data=st.one_of(damaged(ROWS), damaged(b"a\nb\nimages/empty.png\n"), st.binary(max_size=60)))
def test_lists(root: Path, data: bytes) -> None:
    (root / "train.txt").write_bytes(data)
    split = Lists(train="train.txt", val="", test="")
    read(root, "lists", classes=CLASSES, split=split)


@FEW
@given(data=st.one_of(damaged(b"a\nb 1\nempty -1\n"), st.binary(max_size=60)))
def test_voc(root: Path, data: bytes) -> None:
    home = root / "voc"
    for name in ("a", "b", "empty"):
        if not (home / "SegmentationClass" / f"{name}.png").is_file():
            draw_picture(home / "JPEGImages" / f"{name}.jpg")
            draw_mask(home / "SegmentationClass" / f"{name}.png", "train/a")
    lists = home / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True, exist_ok=True)
    (lists / "train.txt").write_bytes(data)
    read(home, "voc")
