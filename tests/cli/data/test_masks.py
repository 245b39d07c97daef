"""``kseg data masks`` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.data.folders import make_pairs
from tests.data.formats.test_coco import write_coco


def test_coco_becomes_masks_that_are_read_back(call: Call, tmp_path: Path) -> None:
    write_coco(tmp_path / "photos")
    (tmp_path / "photos" / "annotations").mkdir()
    (tmp_path / "photos" / "all.json").rename(tmp_path / "photos" / "annotations" / "all.json")
    command = ("data", "masks", "photos", "--classes", "background,cat", "--out", "made")
    code, out, _ = call(*command)
    assert code == 0
    assert out.splitlines() == [
        "3 masks written, 0 were up to date: made/masks",
        f"configuration that reads them: {tmp_path / 'made' / 'data.yaml'}",
    ]
    assert "0 masks written, 3 were up to date" in call(*command)[1]
    code, out, _ = call("data", "check", "made/data.yaml")
    assert "manifest" in out


def test_a_picture_that_fails(call: Call, tmp_path: Path) -> None:
    root = make_pairs(tmp_path / "photos", ["a", "b", "c"])
    (root / "masks" / "b.png").write_text("no picture")
    code, out, err = call("data", "masks", root, "--classes", "background,x", "--out", "made")
    assert code == 1
    assert "2 masks written" in out
    assert f"failed: {root}/masks/b.png: not an image" in err
    assert "error: 1 of 3 masks could not be made" in err


@pytest.mark.parametrize("arguments", [["photos"], ["photos", "--out", "x", "--split", "all of it"]])
def test_wrong_usage(call: Call, tmp_path: Path, arguments: list[str]) -> None:
    make_pairs(tmp_path / "photos", ["a", "b"])
    assert call("data", "masks", *arguments)[0] == 2
