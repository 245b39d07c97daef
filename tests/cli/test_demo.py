"""`kseg demo` at a tiny scale: every step, what it prints and what it leaves. CI runs the true one."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from kseg.cli.main import main
from kseg.demo import tour
from kseg.demo.faces import make_faces
from kseg.errors import PartialFailure
from kseg.images import image_size, read_image, read_mask


@dataclass(frozen=True)
class Demo:
    code: int
    stdout: str
    folder: Path
    judged: tuple[tuple[float, Mapping[str, str]], ...]
    """What `judge` was asked."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """One demo with faces, network and ambition all small."""
    parent = tmp_path_factory.mktemp("demo")
    (parent / "tiny").mkdir()
    judge, judged = tour.judge, []

    def note(iou: float, failures: Mapping[str, str]) -> None:
        judged.append((iou, failures))
        judge(iou, failures)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tour, "SIZE", (32, 32))
        patch.setattr(tour, "EXPECTED_IOU", 0.0)
        patch.setattr(tour, "judge", note)
        small = {"model.widths": [4, 8], "model.norm": "none", "train.imgsz": [32, 32]}
        patch.setattr(tour, "RECIPE", {**tour.RECIPE, **small})
        args = ["demo", "--out", str(parent / "tiny"), "--epochs", "2", "--images", "40", "--seed", "1"]
        result = CliRunner().invoke(main, args, catch_exceptions=False)
    return Demo(result.exit_code, result.stdout, parent / "tiny2", tuple(judged))


def test_the_demo_ends_well_and_never_reuses_a_folder(demo: Demo) -> None:
    assert demo.code == 0
    assert list(demo.folder.with_name("tiny").iterdir()) == []
    assert demo.folder.is_dir()


def test_every_path_that_it_prints_is_there(demo: Demo) -> None:
    paths = re.findall(rf"{re.escape(str(demo.folder))}[\w./-]*", demo.stdout)
    assert len(set(paths)) >= 7
    assert [path for path in paths if not Path(path).exists()] == []


def test_it_leaves_what_the_other_commands_leave(demo: Demo) -> None:
    run = demo.folder / "fit" / "eyeglasses"
    assert len((run / "results.csv").read_text().splitlines()) == 1 + 2
    assert (run / "weights" / "best.keras").is_file()
    assert {p.name for p in (demo.folder / "export").iterdir()} >= {
        "model.keras", "model_float32.tflite", "model_int8.tflite", "parity.md",
    }  # fmt: skip
    assert len(list((demo.folder / "faces" / "images").glob("*.jpg"))) == 40
    rows = json.loads((demo.folder / "benchmark.json").read_text())["rows"]
    assert [Path(row["model"]).name for row in rows] == ["model.keras", "model_float32.tflite", "model_int8.tflite"]


def test_it_predicts_test_faces_and_shows_them(demo: Demo) -> None:
    record = json.loads((demo.folder / "fit" / "eyeglasses" / "data.json").read_text())
    masks = sorted((demo.folder / "predictions").glob("face_????.png"))
    assert 1 <= len(masks) <= tour.SHOWN
    for mask in masks:
        assert mask.stem in json.dumps(record["splits"]["test"])
        assert read_mask(mask).shape == (32, 32)
        assert mask.with_name(f"{mask.stem}_overlay.jpg").is_file()
    height, width = image_size(demo.folder / "panel.png")
    assert width > 6 * 64
    assert height > math.ceil(len(masks) / 2) * 64
    panel = read_image(demo.folder / "panel.png").astype(int)
    # Tiles of 64 and gaps of 4 below a line of titles: the truth is the same face with its eyeglasses painted over.
    image, truth = (panel[22 : 22 + 64, left : left + 64] for left in (4, 72))
    painted = np.abs(truth - image).max(axis=2) > 60
    assert 20 < painted.sum() < 64**2 / 2


def test_the_seed_draws_the_faces_and_begins_the_training(demo: Demo, tmp_path: Path) -> None:
    name = "images/face_0001.jpg"
    faces = make_faces(tmp_path / "faces", 2, size=(32, 32), seed=1)
    assert (demo.folder / "faces" / name).read_bytes() == (faces / name).read_bytes()
    assert "\n  seed: 1\n" in (demo.folder / "fit" / "eyeglasses" / "args.yaml").read_text()


def test_the_score_of_the_trained_model_is_judged(demo: Demo) -> None:
    rows = json.loads((demo.folder / "export" / "parity.json").read_text())["rows"]
    assert demo.judged == ((pytest.approx(rows[0]["iou"]), {}),)
    assert f"foreground IoU {demo.judged[0][0]:.3f}" in demo.stdout


def test_it_tells_the_scores_of_each_artifact_and_the_commands_to_go_on_with(demo: Demo) -> None:
    parity = {row["file"]: row for row in json.loads((demo.folder / "export" / "parity.json").read_text())["rows"]}
    for file in ("model.keras", "model_float32.tflite", "model_int8.tflite"):
        line = next(line for line in demo.stdout.splitlines() if line.split()[:1] == [file])
        assert f"{parity[file]['iou']:.3f}" in line
        assert float(line.split()[3]) > 0
    for command in ("fit --data FOLDER", "evaluate runs/fit/mine", "export runs/fit/mine", "predict"):
        assert f"kseg {command}" in demo.stdout


@pytest.mark.parametrize("iou", [0.0, tour.EXPECTED_IOU - 0.001, math.nan])
def test_a_bad_score_is_told_and_fails(iou: float) -> None:
    with pytest.raises(
        PartialFailure, match=r"worse than it should be; expected foreground IoU of at least 0\.85"
    ) as e:
        tour.judge(iou, {})
    assert e.value.exit_code == 1
    assert f"found {iou:.3f}" in str(e.value)


def test_a_missing_artifact_is_told_and_fails() -> None:
    with pytest.raises(PartialFailure, match=r"1 artifacts could not be exported; found a\.tflite: no such op"):
        tour.judge(0.9, {"a.tflite": "no such op"})


def test_the_least_score_that_passes_is_the_one_that_is_promised() -> None:
    tour.judge(tour.EXPECTED_IOU, {})
    with pytest.raises(PartialFailure):
        tour.judge(math.nextafter(tour.EXPECTED_IOU, 0), {})


@pytest.mark.parametrize("flag", [["--epochs", "0"], ["--images", "3"], ["--seed", "-1"]])
def test_a_wrong_number_is_a_usage_error(flag: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "d"), *flag])
    assert result.exit_code == 2
    assert flag[0] in result.stderr
    assert not (tmp_path / "d").exists()
