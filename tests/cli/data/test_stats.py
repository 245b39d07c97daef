"""``kseg data stats`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Call
from tests.data.folders import make_pairs

NAMES = [f"n{i}" for i in range(10)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_pairs(tmp_path / "photos", NAMES, values=(0, 0, 0, 1))


def test_the_table(call: Call, photos: Path) -> None:
    code, out, _ = call("data", "stats", photos, "--classes", "background,x")
    assert code == 0
    assert f"{photos}: 10 images (train 8, val 1, test 1)" in out
    assert "height   12 to 12, median 12" in out
    assert "1 different; most frequent, height × width: 12×16 (10 images)" in out
    row = next(line for line in out.splitlines() if line.split()[:1] == ["x"]).split()
    assert row == ["x", "25.00%", "25.00%", "25.00%", "100.0%", "100.0%", "100.0%", "1.5", "1.5", "1"]


def test_json_alone_on_stdout(call: Call, photos: Path) -> None:
    code, out, _ = call("data", "stats", photos, "--classes", "background,x", "--json", "-")
    assert code == 0
    assert json.loads(out)["class_weights"]["inverse"] == {"background": 0.5, "x": 1.5}


def test_files(call: Call, photos: Path, tmp_path: Path) -> None:
    code, out, err = call(
        "data", "stats", photos, "--classes", "background,x", "--json", "new/a.json", "--out", "new/a.png"
    )
    assert code == 0
    assert "median 12" in out
    assert "numbers written to new/a.json" in err
    assert json.loads((tmp_path / "new" / "a.json").read_text())["images"] == {"train": 8, "val": 1, "test": 1}
    assert np.asarray(Image.open(tmp_path / "new" / "a.png").convert("L")).std() > 20


def test_data_that_cannot_be_counted(call: Call, photos: Path) -> None:
    (photos / "masks" / "n3.png").write_text("no picture")
    code, out, err = call("data", "stats", photos, "--classes", "background,x")
    assert (code, out) == (1, "")
    assert "n3.png" in err.strip().splitlines()[-1]
