"""``kseg data split`` as a user meets it."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import yaml

from kseg.config import load_config
from kseg.data.find import find_dataset
from kseg.data.sample import SPLITS
from kseg.data.spec import DataSpec, Lists
from tests.cli.conftest import Call
from tests.data.folders import keys, make_pairs, write
from tests.data.layouts import LAYOUTS
from tests.data.splits.test_splits import VALUES, make_classes

NAMES = [f"v{video}_{frame}" for video in range(6) for frame in range(4)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_pairs(tmp_path / "photos", NAMES)


def read(folder: Path) -> dict[str, list[str]]:
    return {name: (folder / f"{name}.txt").read_text().splitlines() for name in SPLITS}


def test_lists_are_written_and_the_config_lines_use_them(call: Call, photos: Path, tmp_path: Path) -> None:
    code, out, _ = call("data", "split", photos, "--classes", "background,x", "--out", "lists", "--group", "^v[0-9]")
    assert code == 0
    lists = read(tmp_path / "lists")
    assert sorted(chain(*lists.values())) == sorted(f"images/{name}.png" for name in NAMES)
    videos = [{line[:9] for line in lines} for lines in lists.values()]
    assert sum(map(len, videos)) == len(set().union(*videos)) == 6
    config = tmp_path / "elsewhere" / "photos.yaml"
    config.parent.mkdir()
    data = yaml.safe_load(out[out.index("data:") :])["data"]
    config.write_text(yaml.safe_dump({"data": {"root": str(photos), "classes": ["background", "x"], **data}}))
    splits = find_dataset(load_config(config, {}).data).splits
    assert keys(splits) == {name: sorted(Path(line).stem for line in lines) for name, lines in lists.items()}


def test_the_table_counts_images_and_classes(call: Call, tmp_path: Path) -> None:
    root = make_classes(tmp_path / "data")
    values = f"data.values={VALUES}"
    code, out, _ = call(
        "data", "split", root, "--set", values, "--out", "o", "--stratify", "--fractions", "0.5,0.25,0.25"
    )
    assert code == 0
    table = [line.split() for line in out.splitlines() if line.split()[:1] in (["total"], ["with"])]
    assert table == [
        ["total", "20", "(50.0%)", "10", "(25.0%)", "10", "(25.0%)"],
        ["with", "background", "20", "(50.0%)", "10", "(25.0%)", "10", "(25.0%)"],
        ["with", "one", "10", "(50.0%)", "5", "(25.0%)", "5", "(25.0%)"],
        ["with", "two", "4", "(50.0%)", "2", "(25.0%)", "2", "(25.0%)"],
    ]


def test_options_go_before_the_configuration(call: Call, photos: Path, tmp_path: Path) -> None:
    config = tmp_path / "a.yaml"
    split = "{train: 0.5, val: 0.25, test: 0.25, seed: 3, group: '^v[0-9]'}"
    config.write_text(f"data: {{root: {photos}, classes: [background, x], split: {split}}}\n")
    for flags, out in (((), "one"), (("--seed", 3), "two"), (("--seed", 4), "three")):
        assert call("data", "split", config, "--out", out, *flags)[0] == 0
    one, two, three = (read(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two != three
    for lists in (one, three):
        videos = [{line.split("/")[1][:2] for line in lines} for lines in lists.values()]
        assert sum(map(len, videos)) == len(set().union(*videos)) == 6


def test_lists_are_never_lost(call: Call, photos: Path, tmp_path: Path) -> None:
    args = ("data", "split", photos, "--classes", "background,x", "--out", "lists")
    assert call(*args)[0] == 0
    before = read(tmp_path / "lists")
    code, out, err = call(*args, "--seed", 5)
    assert (code, out) == (1, "")
    assert "lists: the lists exist already; found train.txt, val.txt, test.txt; name another folder" in err
    assert read(tmp_path / "lists") == before
    assert call(*args, "--seed", 5, "--overwrite")[0] == 0
    assert read(tmp_path / "lists") != before


def test_an_empty_split_gets_no_list_and_loses_its_old_one(call: Call, photos: Path, tmp_path: Path) -> None:
    args = ("data", "split", photos, "--classes", "background,x", "--out", "lists")
    assert call(*args)[0] == 0
    code, out, _ = call(*args, "--fractions", "0.5,0.5,0", "--overwrite")
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "lists").iterdir()) == ["train.txt", "val.txt"]
    assert "test:" not in out


def test_strange_file_names(call: Call, tmp_path: Path) -> None:
    root = make_pairs(tmp_path / "p", ["a b", "#c", "d'e", "é ü", "f,g;h"])
    code, _, err = call("data", "split", root, "--classes", "background,x", "--out", "lists")
    assert code == 0, err
    lists = Lists(**{name: str(tmp_path / "lists" / f"{name}.txt") for name in SPLITS})
    splits = find_dataset(DataSpec(root=root, classes=["background", "x"], split=lists)).splits
    assert sorted(chain(*keys(splits).values())) == sorted(["a b", "#c", "d'e", "é ü", "f,g;h"])


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (("--fractions", "0.8,0.1"), 2, "--fractions: not the shares of a split; expected three numbers: 0.8,0.1,0.1"),
        (
            ("--fractions", "0.8,0.8,0.1"),
            2,
            "the fractions do not add up to 1; expected train, val and test ≥ 0 with a sum of 1",
        ),
        (("--group", "("), 2, "data.split.group: not a regular expression"),
        (("--group", "^w"), 2, "data.split.group: the expression matches no picture"),
        (("--group", "^v"), 1, "data.split: all 24 pictures are in one group"),
    ],
)
def test_mistakes_are_one_line(
    call: Call, photos: Path, tmp_path: Path, flags: tuple[str, ...], code: int, message: str
) -> None:
    actual, out, err = call("data", "split", photos, "--classes", "background,x", "--out", "lists", *flags)
    assert (actual, out) == (code, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "lists").exists()


def test_data_that_are_split_by_folders_are_not_split_again(call: Call, tmp_path: Path) -> None:
    LAYOUTS["without_validation"](tmp_path / "photos")
    code, out, err = call("data", "split", tmp_path / "photos", "--out", "lists")
    assert (code, out) == (2, "")
    assert "data.split: the data are already split by folders" in err


def test_what_is_wrong_with_the_data_is_told_first(call: Call, photos: Path, tmp_path: Path) -> None:
    write(photos / "masks" / "v0_0.png", np.full((12, 16), 9, np.uint8))
    code, _, err = call("data", "split", photos, "--classes", "background,x", "--out", "lists")
    assert code == 1
    assert "data.values" in err
    assert not (tmp_path / "lists").exists()
