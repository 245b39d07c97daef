"""tools/pets_species.py: masks of cats and dogs from trimaps and a list of breeds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from kseg.images import read_mask

TOOL = Path(__file__).parents[2] / "tools" / "pets_species.py"
LISTING = "# Image CLASS-ID SPECIES BREED\nBengal_1 6 1 2\namerican_bulldog_7 2 2 1\n"
TRIMAP = np.array([[1, 2], [3, 1]], np.uint8)


def pets(folder: Path, listing: str, names: list[str]) -> Path:
    (folder / "annotations" / "trimaps").mkdir(parents=True)
    (folder / "annotations" / "list.txt").write_text(listing, encoding="utf-8")
    for name in names:
        cv2.imwrite(str(folder / "annotations" / "trimaps" / f"{name}.png"), TRIMAP)
    return folder


def run(folder: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), str(folder), "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_each_pet_is_of_its_breeds_species(tmp_path: Path) -> None:
    """Also one that the list does not name, as it leaves some out."""
    names = ["Bengal_1", "Bengal_2", "american_bulldog_7"]
    folder = pets(
        tmp_path / "pets", "# Image CLASS-ID SPECIES BREED\nBengal_1 6 1 2\namerican_bulldog_7 2 2 1\n", names
    )
    done = run(folder, tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == names
    for name, species in zip(names, (1, 1, 2), strict=True):
        expected = [[species, 0], [255, species]]
        np.testing.assert_array_equal(read_mask(tmp_path / "out" / f"{name}.png"), expected)


@pytest.mark.parametrize(
    ("listing", "name", "message"),
    [
        ("Bengal_1 6 3 2\n", "Bengal_1", "not a line of breeds"),
        ("Bengal_1 6 1 2\nBengal_2 6 2 2\n", "Bengal_1", "the breed has two species"),
        ("Bengal_1 6 1 2\n", "pug_1", "the breed is not in annotations/list.txt"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, listing: str, name: str, message: str) -> None:
    done = run(pets(tmp_path / "pets", listing, [name]), tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_without_a_list_is_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, tmp_path / "out")
    assert done.returncode == 1
    assert "list.txt" in done.stderr
    assert "Traceback" not in done.stderr
