"""``kseg evaluate``: the table, the warnings, the JSON file and the exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from kseg.evaluation import CLASS_SCORES, load_data
from kseg.evaluation.tables import HEADINGS
from kseg.images import write_png
from kseg.labels import LabelMap
from tests.cli.test_predict import PROGRAM, kseg
from tests.evaluation.data import write_data
from tests.inference.artifacts import COLORS, FORMS, picture
from tests.inference.conftest import models

__all__ = ["kseg", "models"]


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


@pytest.fixture
def run_folder(tmp_path, models, data):
    folder = tmp_path / "runs" / "red"
    (folder / "weights").mkdir(parents=True)
    shutil.copy(models / "red.keras", folder / "weights" / "best.keras")
    (folder / "args.yaml").touch()
    load_data(data, models / "red.keras").save(folder / "data.json")
    return folder


def cells(stdout, first):
    """The numbers of the lines that begin with these words."""
    lines = [line.strip().split() for line in stdout.splitlines() if line.strip().startswith(first)]
    return [[float(word) for word in line if word.replace(".", "").isdigit() and "." in word] for line in lines]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_scored_on_other_data(kseg, models, data, tmp_path, form):
    code, stdout, stderr = kseg(
        "evaluate", models / form, "--data", data, "--split", "all", "--json", tmp_path / "deep" / "scores.json"
    )
    assert (code, stderr) == (0, "")
    scores = json.loads((tmp_path / "deep" / "scores.json").read_text())
    assert scores["images"] == 6
    assert scores["split"] == "all"
    red = scores["classes"][1]
    assert 0.8 < red["iou"] < 1
    assert cells(stdout, "red ") == [[round(red[name], 4) for name in HEADINGS]]
    over, each = scores["over_the_dataset"], scores["per_image"]
    for name, heading in HEADINGS.items():
        shown = (over[f"foreground_{name}"], over[f"mean_{name}"], each[f"foreground_{name}"])
        assert cells(stdout, f"{heading} ")[-1] == [round(value, 4) for value in shown]
    assert cells(stdout, "pixel accuracy") == [[round(part["pixel_accuracy"], 4)] for part in (over, each)]
    assert cells(stdout, "calibration error (ECE)") == [[round(over["expected_calibration_error"], 4)]]


def test_every_score_has_a_heading():
    assert list(HEADINGS) == list(CLASS_SCORES)


def test_every_line_says_its_averaging(kseg, models, data):
    _, stdout, _ = kseg("evaluate", models / "red.tflite", "--data", data, "--split", "all")
    lines = [line.rstrip() for line in stdout.splitlines()]
    assert f"on {data}, split all: 6 images at their original size, threshold 0.5" in lines[0]
    assert "Each class, over the dataset (pixels of all images summed)" in stdout
    titles = [line for line in lines if line.startswith("Means, over the dataset (pixels summed first) and per image")]
    assert len(titles) == 1
    headings = next(lines[i : i + 3] for i, line in enumerate(lines) if "per image," in line)
    assert [line.split() for line in headings] == [
        ["over", "dataset,", "over", "dataset,", "per", "image,"],
        ["foreground,", "all,", "foreground,", "images"],
        ["1", "class", "2", "classes", "1", "class", "with", "it"],
    ]
    images = {line.split()[0]: line.split()[-1] for line in lines if line.strip().startswith(("IoU", "specificity"))}
    assert images == {"IoU": "5", "specificity": "6"}
    assert lines[-3].endswith("over the dataset")
    assert lines[-2].endswith("per image, mean over 6 images")
    assert lines[-1].endswith("over the dataset")
    assert max(len(line) for line in lines[1:] if line not in titles) <= 80


def test_several_foreground_classes_are_counted_in_the_heading(kseg, models, tmp_path):
    data = write_data(tmp_path / "data", COLORS.labels)
    code, stdout, _ = kseg("evaluate", models / "colors.keras", "--data", data, "--split", "all")
    assert code == 0
    assert "highest score wins" in stdout
    assert ["2", "classes", "3", "classes", "2", "classes", "with", "it"] in [
        line.split() for line in stdout.splitlines()
    ]


def test_outlines_are_left_out_on_request(kseg, models, data, tmp_path):
    args = ("evaluate", models / "red.tflite", "--data", data, "--split", "all", "--json", tmp_path / "s.json")
    _, with_them, _ = kseg(*args)
    code, without, _ = kseg(*args, "--no-boundary")
    assert code == 0
    assert "boundary F1" in with_them
    assert "boundary" not in without
    assert cells(without, "pixel accuracy") == cells(with_them, "pixel accuracy")
    assert json.loads((tmp_path / "s.json").read_text())["over_the_dataset"]["foreground_boundary_iou"] is None


def test_scores_with_mirror_images_say_so(kseg, models, data, tmp_path):
    """This network decides pixel by pixel, so that its mirror images change nothing else."""
    args = ("evaluate", models / "red.keras", "--data", data, "--split", "all", "--json", tmp_path / "s.json")
    _, plain, _ = kseg(*args)
    assert json.loads((tmp_path / "s.json").read_text())["flip"] is False
    code, flipped, _ = kseg(*args, "--flip")
    assert code == 0
    assert json.loads((tmp_path / "s.json").read_text())["flip"] is True
    assert "original size, with their mirror images, threshold" in flipped
    assert plain == flipped.replace(", with their mirror images", "")


def test_scores_of_enlarged_images_say_so(kseg, models, data, tmp_path):
    args = ("evaluate", models / "red.tflite", "--data", data, "--split", "all", "--json", tmp_path / "s.json")
    kseg(*args)
    assert json.loads((tmp_path / "s.json").read_text())["zoom"] == 1
    code, zoomed, _ = kseg(*args, "--zoom", "1.5", "--flip")
    assert code == 0
    assert "original size, with their mirror images, also enlarged 1.5 times, threshold" in zoomed
    assert json.loads((tmp_path / "s.json").read_text())["zoom"] == 1.5


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_no_enlargement_is_one_line(kseg, models, data, tmp_path, command):
    rest = ("--data", data) if command == "evaluate" else (data, "--out", tmp_path / "masks")
    code, stdout, stderr = kseg(command, models / "red.tflite", *rest, "--zoom", "9")
    assert (code, stdout) == (2, "")
    assert stderr == "error: --zoom: not a zoom factor; expected a number in 1..4; found 9.0\n"


def test_scores_without_small_regions_say_so(kseg, models, data, tmp_path):
    args = ("evaluate", models / "red.tflite", "--data", data, "--split", "all", "--json", tmp_path / "s.json")
    _, plain, _ = kseg(*args)
    whole = json.loads((tmp_path / "s.json").read_text())
    assert whole["min_area"] == {}
    sizes = sorted(row["predicted_pixels"][1] for row in whole["rows"])
    code, strict, _ = kseg(*args, "--min-area", sizes[-1])
    assert code == 0
    assert f"original size, without regions under {sizes[-1]} pixels (red), threshold" in strict
    left = json.loads((tmp_path / "s.json").read_text())
    assert left["min_area"] == {"red": sizes[-1]}
    assert sorted(row["predicted_pixels"][1] for row in left["rows"]) == [s if s == sizes[-1] else 0 for s in sizes]
    assert cells(plain, "calibration error (ECE)") == cells(strict, "calibration error (ECE)")


def test_a_run_is_scored_on_its_own_test_images(kseg, run_folder):
    code, stdout, stderr = kseg("evaluate", run_folder)
    assert (code, stderr.count("error")) == (0, 0)
    assert "split test: 1 images" in stdout
    assert "split train: 4 images" in kseg("evaluate", run_folder, "--split", "train")[1]


def test_background_only_is_warned_of_on_stderr(kseg, models, tmp_path):
    data = write_data(tmp_path / "data")
    for path in (data / "images").iterdir():
        write_png(path, picture((20, 30), red=None)[0])
    code, stdout, stderr = kseg("evaluate", models / "red.tflite", "--data", data, "--split", "all")
    assert code == 0
    assert stderr == "warning: the model predicts background only on all 6 images\n"
    assert cells(stdout, "IoU ")[-1][::2] == [0.0, 0.0]


def test_other_classes_are_a_data_error(kseg, models, tmp_path):
    data = write_data(tmp_path / "data")
    record = tmp_path / "data.json"
    dataset = load_data(data, models / "red.keras")
    type(dataset)(data, LabelMap(("background", "cat"), {0: "background", 200: "cat"}), dataset.splits).save(record)
    code, stdout, stderr = kseg("evaluate", models / "red.tflite", "--data", record)
    assert (code, stdout) == (1, "")
    assert stderr.startswith(
        "error: the data have other classes than the model; expected background, red; found background, cat"
    )


@pytest.mark.parametrize(
    ("model", "args", "code", "message"),
    [
        ("red.tflite", [], 2, "the model is not in a run folder, so its data are unknown; add --data"),
        ("red.tflite", ["--data", "nowhere"], 2, "--data: no such file or folder"),
        ("red.tflite", ["--threshold", "-1"], 2, "-1.0 is not in the range 0<=x<=1"),
        ("colors.keras", ["--threshold", "0.5"], 2, "--threshold: this model takes no threshold"),
        ("red.tflite", ["--split", "dev"], 2, "'dev' is not one of"),
        ("red.tflite", ["--threads", "0"], 2, "0 is not in the range x>=1"),
        ("no.tflite", [], 1, "no such model"),
    ],
)
def test_wrong_commands(kseg, models, model, args, code, message):
    actual, stdout, stderr = kseg("evaluate", models / model, *args)
    assert (actual, stdout) == (code, "")
    assert message in stderr
    assert "Traceback" not in stderr


def test_without_test_images_those_for_validation_are_scored_unless_the_test_split_is_named(kseg, models, tmp_path):
    data = write_data(tmp_path / "data")
    config = tmp_path / "c.yaml"
    config.write_text(
        f"data: {{root: {data}, classes: [background, red], values: {{0: background, 200: red}}, "
        "split: {by: fractions, train: 0.5, val: 0.5, test: 0}}\n"
    )
    code, stdout, stderr = kseg("evaluate", models / "red.tflite", "--data", config)
    assert (code, stderr) == (0, "no test images: scored on val\n")
    assert "split val" in stdout
    code, stdout, stderr = kseg("evaluate", models / "red.tflite", "--data", config, "--split", "test")
    assert (code, stdout) == (1, "")
    assert stderr.endswith("the split 'test' holds no images; expected one of val, train; use --split val\n")


def test_scores_that_cannot_be_written_are_still_shown(kseg, models, data, tmp_path):
    (tmp_path / "file").touch()
    code, stdout, stderr = kseg("evaluate", models / "red.tflite", "--data", data, "--json", tmp_path / "file" / "x")
    assert code == 1
    assert "pixel accuracy" in stdout
    assert stderr.splitlines()[-1].startswith("error: ")


def test_tflite_is_evaluated_without_tensorflow(models, run_folder):
    args = [
        "evaluate",
        str(models / "red_int8.tflite"),
        "--runtime",
        "litert",
        "--data",
        str(run_folder),
        "--split",
        "all",
    ]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *args], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.splitlines()[-1] == "exit 0 loaded"
    assert done.stderr == ""
