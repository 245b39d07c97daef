"""Whatever stands in an annotation file: masks, or one line of error that names it; no traceback and no crash.

Each test begins with a file that nothing is wrong with, which has to be read; and what lies beside a damaged file is
read as ever, or not at all.
"""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kseg.data.find import find_dataset
from kseg.data.spec import DataSpec, Lists
from kseg.data.truth import read_truth
from kseg.errors import KsegError
from tests.data.formats.contract import CLASSES, draw_mask, draw_picture, truth
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
    {"image_id": 101, "category_id": 3, "iscrowd": 0, "segmentation": {"size": list(SIZE), "counts": "l`04d000000T4"}}
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    for name in ("a", "b", "empty"):
        draw_picture(folder / "images" / f"{name}.png")
        draw_mask(folder / "masks" / f"{name}.png", "train/a")
    (folder / "labels").mkdir()
    draw_picture(folder / "more" / "images" / "c.png")
    (folder / "more" / "labels").mkdir()
    (folder / "more" / "labels" / "c.txt").write_text(yolo_lines("train/a"))
    return folder


def read(root: Path, format: str, file: str, *, whole: bool, intact: tuple[str, ...] = (), **settings: Any) -> None:
    """See that a data set is read, or refused as it should be.

    Args:
        root: Its folder.
        format: Its format.
        file: The damaged file, or the folder of all that it leads to: an error has to name it, or a setting.
        whole: Whether nothing is damaged: no error will do.
        intact: The samples whose masks must be those of `tests.data.formats.contract`, if anything is read.
        settings: More fields of the `DataSpec`.
    """
    for unpaired in ("error", "skip"):
        try:
            skip = None if unpaired == "error" else "skip"
            dataset = find_dataset(
                DataSpec(root=root, format=format, unpaired=unpaired, skip_objects=skip, **settings)  # type: ignore[arg-type]
            )
            masks = {sample.key: read_truth(sample, dataset.labels) for sample in dataset.samples("all")}
        except KsegError as error:
            message = str(error)
            message.encode("utf-8")
            assert not whole, message
            assert len(message.splitlines()) == 1
            assert file in message or "data." in message.replace(str(root), ""), message
            continue
        assert masks
        assert {mask.shape for mask in masks.values()} <= {SIZE, SIZE[::-1]}
        for key in intact:
            np.testing.assert_array_equal(masks[key], truth(f"train/{key}", dataset.labels.names), err_msg=key)


def as_json(data: Any) -> bytes:
    return json.dumps(data).encode()


INTACT = ("b", "empty")


@FEW
@given(data=st.one_of(mutated(COCO), mutated(COCO), JSONS))
@example(data=COCO)
def test_coco(root: Path, data: Any) -> None:
    (root / "all.json").write_bytes(as_json(data))
    whole = as_json(data) == as_json(COCO)  # since False == 0
    for classes in (None, CLASSES):
        intact = INTACT if whole else ()
        read(root, "coco", "all.json", whole=whole, intact=intact, annotations="all.json", classes=classes)


@FEW
@given(data=damaged(as_json(COCO)))
@example(data=as_json(COCO))
def test_damaged_coco(root: Path, data: bytes) -> None:
    (root / "all.json").write_bytes(data)
    values = {0: "background", 17: "cat", 3: "dog"}
    whole = data == as_json(COCO)
    read(root, "coco", "all.json", whole=whole, intact=INTACT if whole else (), annotations="all.json", values=values)


@FEW
@given(data=st.one_of(mutated(labelme("train/a")), mutated(labelme("train/b")), JSONS))
@example(data=labelme("train/a"))
def test_labelme(root: Path, data: Any) -> None:
    folder = root / "described"
    folder.mkdir(exist_ok=True)
    (folder / "b.json").write_bytes(as_json(labelme("train/b")))
    (folder / "empty.json").write_bytes(as_json({**labelme("train/empty")}))
    (folder / "a.json").write_bytes(as_json(data))
    read(
        root,
        "labelme",
        "a.json",
        whole=as_json(data) == as_json(labelme("train/a")),
        intact=INTACT,
        annotations="described",
    )


@FEW
@given(lines=damaged(yolo_lines("train/a").encode()), names=st.one_of(JSONS, st.just(["dog", "cat"])))
@example(lines=yolo_lines("train/a").encode(), names=["dog", "cat"])
def test_yolo(root: Path, lines: bytes, names: Any) -> None:
    for name in INTACT:
        (root / "labels" / f"{name}.txt").write_text(yolo_lines(f"train/{name}"))
    (root / "labels" / "a.txt").write_bytes(lines)
    (root / "data.yaml").write_bytes(as_json({"names": names}))
    usual = as_json(names) == as_json(["dog", "cat"])
    whole = usual and lines == yolo_lines("train/a").encode()
    read(root, "yolo", "a.txt" if usual else str(root), whole=whole, intact=INTACT if usual else ())


YAML = b"names:\n  0: dog\n  1: cat\ntrain: images\nval: ../more/images\n"


@FEW
@given(data=damaged(YAML))
@example(data=YAML)
def test_damaged_yaml(root: Path, data: bytes) -> None:
    for name in ("a", "b", "empty"):
        (root / "labels" / f"{name}.txt").write_text(yolo_lines(f"train/{name}"))
    (root / "data.yaml").write_bytes(data)
    read(root, "yolo", str(root), whole=data == YAML)


ROWS = b"".join(b"images/%s.png,masks/%s.png,train\n" % (name, name) for name in (b"a", b"b", b"empty"))
MANIFEST = b"image,mask,split\n" + ROWS


@FEW
@given(data=st.one_of(damaged(MANIFEST), st.binary(max_size=60)))
@example(data=MANIFEST)
def test_manifest(root: Path, data: bytes) -> None:
    (root / "manifest.csv").write_bytes(data)
    read(root, "manifest", str(root), whole=data == MANIFEST, classes=CLASSES)


LIST = b"a\nb\nimages/empty.png\n"


@FEW
@given(data=st.one_of(damaged(ROWS), damaged(LIST), st.binary(max_size=60)))
@example(data=ROWS)
@example(data=LIST)
def test_lists(root: Path, data: bytes) -> None:
    (root / "train.txt").write_bytes(data)
    split = Lists(train="train.txt", val="", test="")
    read(root, "lists", str(root), whole=data in (ROWS, LIST), classes=CLASSES, split=split)


SET = b"a\nb 1\nempty -1\n"


@FEW
@given(data=st.one_of(damaged(SET), st.binary(max_size=60)))
@example(data=SET)
def test_voc(root: Path, data: bytes) -> None:
    home = root / "voc"
    for name in ("a", "b", "empty"):
        if not (home / "SegmentationClass" / f"{name}.png").is_file():
            draw_picture(home / "JPEGImages" / f"{name}.jpg")
            draw_mask(home / "SegmentationClass" / f"{name}.png", "train/a")
    lists = home / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True, exist_ok=True)
    (lists / "train.txt").write_bytes(data)
    read(home, "voc", str(home), whole=data == SET)
