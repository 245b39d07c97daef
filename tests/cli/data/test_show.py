"""``kseg data show``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kseg.images import read_image
from tests.cli.conftest import Call
from tests.data.folders import make_pairs, write

COLOR = (255, 38, 102)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Black pictures; the left half of each mask but the first is foreground."""
    root = make_pairs(tmp_path / "photos", [f"n{i}" for i in range(10)], size=(24, 32))
    for i in range(10):
        mask = np.zeros((24, 32), np.uint8)
        mask[:, :16] = i > 0
        write(root / "masks" / f"n{i}.png", mask)
        write(root / "images" / f"n{i}.png", np.zeros((24, 32, 3), np.uint8))
    return root


def test_a_sheet_shows_masks_where_they_are(call: Call, photos: Path, tmp_path: Path) -> None:
    code, out, _ = call("data", "show", photos, "--out", "sheet.png", "--count", 3, "--shows", "foreground")
    assert (code, out) == (0, "sheet.png: 3 of 8 samples\n")
    sheet = read_image(tmp_path / "sheet.png")
    assert sheet.shape[1] == 3 * 244
    left, right = sheet[120, 60], sheet[120, 180]
    assert left[0] > 100  # tinted
    assert not right.any()  # as it was


def test_augmented_versions_stand_beside_the_sample(call: Call, photos: Path, tmp_path: Path) -> None:
    settings = ("--set", "augment=[{vflip: 1}, {hflip: 1}]", "--set", "train.imgsz=64")
    code, _, err = call(
        "data",
        "show",
        photos,
        "--out",
        "varied.png",
        "--count",
        1,
        "--augmented",
        2,
        "--shows",
        "foreground",
        *settings,
    )
    assert code == 0
    assert err == ""
    sheet = read_image(tmp_path / "varied.png")
    assert sheet.shape[1] == 3 * 68 + 4
    row = sheet[22 + 32]
    assert row[4 + 10].any()
    assert not row[4 + 54].any()
    for version in (1, 2):  # mirrored: the tint is on the right
        start = 4 + version * 68
        assert not row[start + 10].any()
        assert row[start + 54].any()


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("--out", "sheet.gif"), 2, "--out: not a picture's name; expected FILE.png or FILE.jpg; found sheet.gif"),
        (("--out", "s.png", "--shows", "foregruond"), 2, "did you mean 'foreground'"),
        (("--out", "s.png", "--shows", "foreground", "--split", "nowhere"), 2, "nowhere"),
    ],
)
def test_mistakes(call: Call, photos: Path, args: tuple[str, ...], code: int, message: str) -> None:
    actual, _, err = call("data", "show", photos, *args)
    assert actual == code
    assert message in err
