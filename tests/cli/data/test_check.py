"""``kseg data check``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kseg.config import load_config
from kseg.data.find import find_dataset
from tests.cli.conftest import Call
from tests.data.folders import make_pairs, write

NAMES = [f"n{i}" for i in range(10)]

REAL = {
    "pets": ("background,pet", {"labels-from-one", "misnamed"}, "{1: pet, 2: background, 3: ignore}"),
    "portraits": (
        "background,person",
        {"inverted", "rgb-masks", "copies-across-splits"},
        "{0: person, 255: background}",
    ),
    "nuclei": ("background,nucleus", {"zero-255"}, "{0: background, 255: nucleus}"),
    "membrane": ("membrane,cell", {"zero-255", "gray-images"}, "{0: membrane, 255: cell}"),
    "camvid": (
        "sky,building,pole,road,pavement,tree,sign,fence,car,pedestrian,bicyclist",
        {"void", "suffixes"},
        "11: ignore}",
    ),
    "faces": (
        "background,skin,nose,eyeglasses,l_eye,r_eye,l_brow,r_brow,l_ear,r_ear,mouth,u_lip,l_lip,hair,hat,earring,"
        "necklace,neck,cloth",
        {"p-masks", "rare-class"},
        "",
    ),
    "coco_tiny": ("background,person,car", {"id-gaps", "crowds", "empty-masks"}, ""),
}


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return make_pairs(tmp_path / "photos", NAMES, values=(0, 1, 0))


@pytest.fixture
def nuclei(tmp_path: Path) -> Path:
    return make_pairs(tmp_path / "nuclei", NAMES, values=(0, 255))


def test_a_clean_folder_exits_0(call: Call, clean: Path) -> None:
    code, out, _ = call("data", "check", clean)
    assert code == 0
    assert "photos: 10 samples (train 8, val 1, test 1); folders: images images, masks masks" in out
    assert out.endswith("no problems found\n")


def test_what_breaks_training_exits_1_and_names_the_line(call: Call, nuclei: Path) -> None:
    code, out, err = call("data", "check", nuclei, "--classes", "background, nucleus")
    assert code == 1
    assert err == ""
    assert "error    masks hold 0 and 255, values that data.values does not name  [zero-255]" in out
    assert "  found  255 (in 10 of 10 masks)\n" in out
    assert "  fix    data.values: {0: background, 255: nucleus}\n" in out


def test_the_mended_configuration_passes(call: Call, nuclei: Path, tmp_path: Path) -> None:
    code, _, err = call("data", "check", nuclei, "--classes", "background,nucleus", "--fix-config", "fixed.yaml")
    assert (code, err) == (0, "fixed.yaml: 1 settings corrected; the data can be trained on\n")
    text = (tmp_path / "fixed.yaml").read_text()
    assert text.startswith(f"# Written by kseg data check {nuclei}; settings that it corrected: data.values\n")
    data = load_config("fixed.yaml").data
    assert data.values == {0: "background", 255: "nucleus"}
    assert find_dataset(data).labels.names == ("background", "nucleus")
    assert call("data", "check", "fixed.yaml")[0] == 0


@pytest.mark.usefixtures("nuclei")
def test_a_configuration_is_never_overwritten(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("data: {root: nuclei}\n")
    code, _, err = call("data", "check", "mine.yaml", "--fix-config", "mine.yaml")
    assert code == 1
    assert err == (
        "error: mine.yaml: the file exists already; choose another file for the configuration, or remove this one\n"
    )
    assert (tmp_path / "mine.yaml").read_text() == "data: {root: nuclei}\n"


def test_what_no_setting_mends_is_left_and_exits_1(call: Call, tmp_path: Path) -> None:
    make_pairs(tmp_path / "odd", NAMES, values=(3, 9, 40, 77))
    code, out, err = call("data", "check", "odd", "--classes", "background,x", "--fix-config", "fixed.yaml")
    assert code == 1
    assert "say what each value is, e.g. data.values: {3: x, other: background}" in out
    assert "1 error that no setting corrects: masks hold values that data.values does not name" in err


def test_json_has_every_file(call: Call, nuclei: Path) -> None:
    code, out, _ = call("data", "check", nuclei, "--classes", "background,nucleus", "--json")
    told = json.loads(out)
    assert code == 1
    assert told["broken"] is True
    assert told["samples"] == {"train": 8, "val": 1, "test": 1}
    finding = told["findings"][0]
    assert (finding["code"], finding["severity"], finding["count"]) == ("zero-255", "error", 10)
    assert sorted(finding["files"]) == sorted(NAMES)
    assert finding["fix"][0] == {"key": "data.values", "value": {"0": "background", "255": "nucleus"}}


def test_settings_win_over_the_guessed_layout(call: Call, clean: Path) -> None:
    for i in range(4):
        write(clean / "other" / f"n{i}.png", np.eye(12, 16, dtype=np.uint8))
    code, out, _ = call("data", "check", clean, "--set", "data.masks=other")
    assert code == 1
    assert "6 of 10 images have no mask" in out
    assert "  fix    data.unpaired: skip" in out


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("none",), 2, "none"),
        (("empty",), 1, "no layout of a data set is recognised"),
        (("photos", "--classes", "one"), 2, "--classes: data.classes: a segmentation needs at least two classes"),
        (("photos", "--set", "data.format=cocoo"), 2, "cocoo"),
    ],
)
def test_mistakes_are_one_line(call: Call, tmp_path: Path, args: tuple, code: int, message: str) -> None:
    (tmp_path / "empty").mkdir()
    actual, _, err = call("data", "check", *args)
    assert actual == code
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_the_traps_of_the_published_sets(call: Call, real_data: Path, tmp_path: Path, name: str) -> None:
    classes, traps, line = REAL[name]
    code, out, err = call(
        "data", "check", real_data / name, "--classes", classes, "--fix-config", "fixed.yaml", "--json"
    )
    assert code == 0
    assert err.endswith("the data can be trained on\n")
    findings = json.loads(out)["findings"]
    assert traps <= {finding["code"] for finding in findings}
    values = load_config(tmp_path / "fixed.yaml").data.values
    assert (str(values).replace("'", "") if values else "").endswith(line)
