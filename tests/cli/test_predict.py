"""``kseg predict``: what stands on stdout, on stderr, on disk, and the exit code."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from kseg.cli.main import run
from kseg.images import read_mask, write_png
from tests.inference.artifacts import FORMS, picture
from tests.inference.conftest import models

__all__ = ["models"]


@pytest.fixture
def kseg(capfd):
    """Run a command: (exit code, stdout, stderr)."""

    def command(*args):
        with pytest.raises(SystemExit) as stop:
            run([str(arg) for arg in args])
        return stop.value.code, *capfd.readouterr()

    return command


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.png"):
        write_png(folder / name, picture((32, 48))[0])
    return folder


@pytest.mark.parametrize("form", FORMS)
def test_masks_of_a_folder_from_every_form(kseg, models, photos, tmp_path, form):
    out = tmp_path / "out"
    code, stdout, stderr = kseg("predict", models / form, photos, "--out", out, "--overlay", "--save-prob")
    assert (code, stderr) == (0, "")
    assert stdout.splitlines() == [
        f"masks: {out}/<name>.png",
        f"overlays: {out}/<name>_overlay.jpg",
        f"scores: {out}/<name>_prob.png",
        "2 of 2 images predicted; 0 hold background only",
    ]
    mask = read_mask(out / "sub" / "b.png")
    assert set(np.unique(mask)) == {0, 200}
    assert ((mask == 200) != picture((32, 48))[1]).mean() < 0.08
    assert (out / "a_overlay.jpg").exists()
    assert (out / "a_prob.png").exists()


def test_bad_files_are_listed_at_the_end_and_the_exit_code_is_1(kseg, models, photos, tmp_path):
    (photos / "bad.jpg").write_text("text")
    code, stdout, stderr = kseg("predict", models / "red.tflite", photos, "--out", tmp_path / "out")
    assert code == 1
    assert "2 of 3 images predicted" in stdout
    failed, error = stderr.splitlines()
    assert failed.startswith(f"failed: {photos}/bad.jpg: not an image")
    assert error == "error: 1 of 3 images failed"
    assert (tmp_path / "out" / "a.png").exists()


def test_when_all_files_are_bad_the_exit_code_is_1(kseg, models, tmp_path):
    (tmp_path / "bad.jpg").write_text("text")
    code, stdout, stderr = kseg("predict", models / "red.tflite", tmp_path / "bad.jpg", "--out", tmp_path / "out")
    assert (code, stdout) == (1, "0 of 1 images predicted; 0 hold background only\n")
    assert stderr.splitlines()[-1] == "error: 1 of 1 images failed"


def test_background_only_and_shared_names_are_warned_of(kseg, models, tmp_path):
    for name in ("x.png", "x.bmp.png"):
        write_png(tmp_path / name, picture(red=None)[0])
    (tmp_path / "x.bmp.png").rename(tmp_path / "x.bmp")
    sources = (tmp_path / "x.png", tmp_path / "x.bmp")
    code, _, stderr = kseg("predict", models / "red.tflite", *sources, "--out", tmp_path / "out")
    assert code == 0
    assert stderr.splitlines() == [
        f"warning: the mask of {tmp_path}/x.png is {tmp_path}/out/x.png.png, since another picture has the same name",
        f"warning: the mask of {tmp_path}/x.bmp is {tmp_path}/out/x.bmp.png, since another picture has the same name",
        "warning: the model predicts background only on all 2 images",
    ]


def test_a_threshold_above_every_score_finds_nothing(kseg, models, photos, tmp_path):
    args = ("predict", models / "red.tflite", photos, "--out", tmp_path / "out", "--threshold")
    assert "2 hold background only" in kseg(*args, 1.0)[1]
    code, _, stderr = kseg(*args, 0.0)
    assert (code, stderr) == (0, "")
    assert (read_mask(tmp_path / "out" / "a.png") == 200).all()


def test_small_regions_are_left_out_of_masks_on_request(kseg, models, photos, tmp_path):
    args = ("predict", models / "red.tflite", photos, "--save-prob", "--out", tmp_path / "out")
    whole = (kseg(*args), read_mask(tmp_path / "out" / "a.png"))[1]
    region = int((whole == 200).sum())
    assert "0 hold background only" in kseg(*args, "--min-area", region)[1]
    np.testing.assert_array_equal(read_mask(tmp_path / "out" / "a.png"), whole)
    assert "2 hold background only" in kseg(*args, "--min-area", f"red={region + 1}")[1]


@pytest.mark.parametrize(
    ("model", "args", "code", "message"),
    [
        ("red.tflite", ["--min-area", "big"], 2, "error: --min-area: not an area; expected pixels, or a class and its"),
        ("red.tflite", ["--min-area", "rad=5"], 2, "error: --min-area: unknown class 'rad'; expected one of"),
        ("red.tflite", ["--threshold", "1.5"], 2, "1.5 is not in the range 0<=x<=1"),
        ("red.tflite", ["--threshold", "nan"], 2, "error: --threshold: not a threshold"),
        (
            "colors.keras",
            ["--threshold", "0.5"],
            2,
            "error: --threshold: this model takes no threshold; found 3 classes",
        ),
        ("red.tflite", ["--device", "gpu"], 2, "error: --device: LiteRT runs .tflite files on the CPU only"),
        ("red.keras", ["--device", "gpu"], 2, "error: --device: no GPU is visible to TensorFlow"),
        ("red.tflite", ["nowhere.jpg"], 2, "error: nowhere.jpg: no such file or folder"),
        ("no.keras", [], 1, "no.keras: no such model"),
    ],
)
def test_wrong_commands(kseg, models, photos, tmp_path, model, args, code, message):
    actual, stdout, stderr = kseg("predict", models / model, photos, "--out", tmp_path / "out", *args)
    assert (actual, stdout) == (code, "")
    assert message in stderr
    assert "Traceback" not in stderr
    assert not list((tmp_path / "out").glob("*.png"))


def test_an_output_folder_that_cannot_be_written_is_an_error(kseg, models, photos, tmp_path):
    (tmp_path / "file").touch()
    code, _, stderr = kseg("predict", models / "red.tflite", photos, "--out", tmp_path / "file" / "out")
    assert code == 1
    assert stderr.startswith(f"error: {tmp_path}/file/out: the output folder cannot be written")


def test_out_is_required(kseg, models, photos):
    code, _, stderr = kseg("predict", models / "red.tflite", photos)
    assert code == 2
    assert "Missing option '--out'" in stderr


PROGRAM = """
import sys
from kseg.cli.main import run
try:
    run(sys.argv[1:])
except SystemExit as stop:
    loaded = sorted({"tensorflow", "keras", "matplotlib"} & sys.modules.keys())
    print("exit", stop.code, "loaded", *loaded)
"""


def test_tflite_is_predicted_without_tensorflow(models, photos, tmp_path):
    args = ["predict", str(models / "red_int8.tflite"), str(photos), "--out", str(tmp_path / "out"), "--overlay"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *args], capture_output=True, text=True, check=True,
        env={**os.environ, "KSEG_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "exit 0 loaded"
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["runtime:"], "the choice, which needs none, too"
    assert (tmp_path / "out" / "sub" / "b.png").exists()
