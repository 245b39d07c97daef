"""``kseg export`` from the outside: what it prints, writes and exits with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kseg.card import read_card
from tests.cli.conftest import Call
from tests.tiny_run import make_run, write_dataset


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("work"), epochs=2)


def test_run_is_exported_under_its_name_and_its_scores_are_printed(trained: Path, call: Call, tmp_path: Path) -> None:
    code, out, err = call("export", trained, "--calibration-images", 8)
    assert (code, err) == (0, "")
    folder = tmp_path / "saved_models" / "discs"
    parity = json.loads((folder / "parity.json").read_text())
    assert list(dict.fromkeys(row["file"] for row in parity["rows"])) == [
        "model.keras", "saved_model", "model_float32.tflite", "model_int8.tflite", "model.onnx", "model_int8.onnx",
        "openvino", "openvino_int8",
    ]  # fmt: skip
    for row in parity["rows"]:
        line = next(line.split() for line in out.splitlines() if line.split()[:2] == [row["file"], row["runtime"]])
        assert f"{row['iou']:.4f}" in line
        assert f"{row['calibration_error']:.3f}" in line
        assert line[-1] == "ok"
    assert "Written to saved_models/discs/" in out


def test_one_format_of_a_lone_model_with_its_data(trained: Path, call: Call, tmp_path: Path) -> None:
    model = shutil.copy(trained / "weights" / "best.keras", tmp_path / "lone.keras")
    write_dataset(tmp_path / "mine")
    code, _, err = call(
        "export", model, "--data", tmp_path / "mine", "--format", "tflite", "--quantize", "int8", "--out", "o",
        "--split", "val",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert {p.name for p in Path("o").iterdir()} == {
        "model.keras", "model_int8.tflite", "card.json", "parity.json", "parity.md", "parity",
    }  # fmt: skip
    # A bare folder is split 8 : 1 : 1, and its training part calibrates.
    assert read_card(Path("o/model_int8.tflite")).provenance["export"]["calibration_images"] == 14


def test_lone_model_without_data_is_a_usage_error(trained: Path, call: Call, tmp_path: Path) -> None:
    model = shutil.copy(trained / "weights" / "best.keras", tmp_path / "lone.keras")
    code, out, err = call("export", model)
    assert (code, out) == (2, "")
    assert "lone.keras: the model is not in a run folder" in err
    assert "add --data" in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("--format", "tflte"),
            "--format: unknown export format 'tflte'; expected one of all, keras, onnx, openvino, saved_model, tflite",
        ),
        (
            ("--quantize", "int16"),
            "--quantize: unknown quantisation 'int16'; expected one of auto, dynamic, fp16, int16x8, int8, none, qat; ",
        ),
        (("--format", "saved_model", "--quantize", "int8"), "--quantize: saved_model has no quantisation int8"),
        (("--format", ","), "--format: nothing to export"),
        (("--calibration-images", "3"), "--calibration-images: too few images to calibrate a quantiser; expected at "),
    ],
)
def test_wrong_names_exit_2(trained: Path, call: Call, args: tuple[str, ...], message: str) -> None:
    code, out, err = call("export", trained, *args)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")
    assert not Path("saved_models").exists()


def test_only_a_keras_model_can_be_exported(call: Call, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"x")
    code, _, err = call("export", "m.tflite")
    assert code == 1
    assert "only a Keras model can be exported" in err


def test_without_onnx_the_others_are_written_and_the_remedy_is_told(
    trained: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kseg.exporters import table

    monkeypatch.setattr(table, "find_spec", lambda name: None if name == "tf2onnx" else object())
    code, out, err = call("export", trained, "--quantize", "none", "--out", "o")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "Not exported: model.onnx, which needs pip install 'kseg[onnx]'"
    assert {p.name for p in Path("o").iterdir()} >= {"saved_model", "model_float32.tflite"}
    code, out, err = call("export", trained, "--format", "onnx", "--out", "p")
    assert (code, out) == (2, "")
    assert err == "error: --format: the packages for onnx are not installed; pip install 'kseg[onnx]'\n"
    assert not Path("p").exists()


def test_failing_format_exits_1_and_keeps_the_others(
    trained: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from kseg.exporters import table

    def fail(*_: object) -> None:
        raise RuntimeError("the converter fell over")

    rows = [replace(row, write=fail) if row.quantization == "int8" else row for row in table.EXPORTERS]
    monkeypatch.setattr(table, "EXPORTERS", tuple(rows))
    code, out, err = call("export", trained, "--format", "tflite", "--out", "o")
    assert code == 1
    assert err.strip() == (
        "error: 1 of 2 artifacts failed; found model_int8.tflite: RuntimeError: the converter fell over"
    )
    assert "model_float32.tflite" in out
    assert Path("o/model_float32.tflite").is_file()
    assert not Path("o/model_int8.tflite").exists()
