"""``--runtime`` of predict and evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kseg.inference.trials import Trial
from tests.cli.conftest import Call
from tests.inference.artifacts import SIZE, picture
from tests.inference.conftest import models

__all__ = ["models"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(picture(SIZE)[0]).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize(
    ("form", "runtime"),
    [
        ("red.tflite", "litert"),
        ("red.tflite", "openvino"),
        ("red_int8.tflite", "openvino"),
        ("red.onnx", "onnxruntime"),
        ("red.onnx", "openvino"),
        ("red_openvino", "openvino"),
        ("red_openvino/model.xml", "auto"),
    ],
)
def test_predict_writes_the_same_mask_with_every_runtime(
    models: Path, photo: Path, call: Call, form: str, runtime: str
) -> None:
    code, _, err = call("predict", models / form, photo, "--out", "masks", "--runtime", runtime, "--threads", "1")
    assert (code, err) == (0, "")
    np.testing.assert_array_equal(np.asarray(Image.open("masks/photo.png")), 200 * picture(SIZE)[1])


def test_evaluate_says_in_its_scores_what_ran(models: Path, tmp_path: Path, call: Call) -> None:
    for kind, pixels in zip(("images", "masks"), (picture()[0], 200 * picture()[1]), strict=True):
        (tmp_path / "data" / kind).mkdir(parents=True)
        for name in "abcd":
            Image.fromarray(pixels).save(tmp_path / "data" / kind / f"{name}.png")
    args = ("evaluate", models / "red.tflite", "--data", "data", "--split", "all", "--json", "s.json")
    code, _, err = call(*args, "--runtime", "openvino")
    assert (code, err) == (0, "")
    assert json.loads(Path("s.json").read_text())["runtime"] == "openvino"


def test_auto_takes_the_faster_one_and_says_so_in_a_line(
    models: Path, photo: Path, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scores = np.zeros((2, 3, 3, 1), np.float32)
    trials = {"onnxruntime": Trial(None, 0.1, 9.0, scores), "openvino": Trial(None, 0.05, 3.0, scores)}
    monkeypatch.setenv("KSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("kseg.inference.choose_runtime.installed_runtimes", lambda _: tuple(trials))
    monkeypatch.setattr("kseg.inference.choose_runtime.try_runtimes", lambda *_args, **_options: trials)
    code, _, err = call("predict", models / "red.onnx", photo, "--out", "masks")
    assert (code, err) == (0, "runtime: openvino (onnxruntime 9.0 ms an image, openvino 3.0 ms an image)\n")


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        ("onnxruntime", "error: --runtime: this runtime does not run this kind of file; expected litert or openvino; "),
        ("tflite", "'tflite' is not one of 'auto', 'litert', 'onnxruntime', 'openvino', 'keras', 'saved_model'"),
    ],
)
def test_a_wrong_runtime_exits_with_2(
    models: Path, photo: Path, call: Call, command: str, runtime: str, message: str
) -> None:
    more = [photo, "--out", "masks"] if command == "predict" else ["--data", photo.parent]
    code, out, err = call(command, models / "red.tflite", *more, "--runtime", runtime)
    assert (code, out) == (2, "")
    assert message in err
