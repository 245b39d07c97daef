"""The files that an export leaves: what they take, what they return, and that they need nothing of kseg."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kseg.card import read_card
from kseg.exporters import ExportReport
from kseg.inference import load_predictor
from tests.exporters.conftest import FLOAT_RUN
from tests.tiny_run import SIZE, draw_discs

FILES = [
    "model.keras", "saved_model", "model_float32.tflite", "model_int8.tflite", "model.onnx", "model_int8.onnx",
    "openvino", "openvino_int8",
]  # fmt: skip


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.stack([image for image, _ in draw_discs(3, 7)])


def test_folder_holds_what_the_docs_promise_and_nothing_else(exported: ExportReport) -> None:
    assert sorted(p.name for p in exported.out.iterdir()) == sorted(
        [*FILES, "card.json", "parity.json", "parity.md", "parity"]
    )
    assert exported.failures == {}


@pytest.mark.parametrize("file", ["saved_model", "model_float32.tflite", "model.onnx", "openvino"])
def test_float_artifacts_return_the_keras_scores(exported: ExportReport, images: np.ndarray, file: str) -> None:
    expected = load_predictor(exported.out / "model.keras").run(images)
    actual = load_predictor(exported.out / file).run(images)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("file", "format", "quantization", "calibrated"),
    [
        ("saved_model", "saved_model", "none", 0),
        ("model_float32.tflite", "tflite", "none", 0),
        ("model_int8.tflite", "tflite", "int8", 8),
        ("model.onnx", "onnx", "none", 0),
    ],
)
def test_card_inside_says_how_it_was_exported(
    exported: ExportReport, file: str, format: str, quantization: str, calibrated: int
) -> None:
    card = read_card(exported.out / file)
    facts = card.provenance["export"]
    assert (card.name, card.height, card.width) == ("discs", *SIZE)
    assert (facts["format"], facts["quantization"], facts["calibration_images"]) == (format, quantization, calibrated)
    assert facts["source"] == "discs/weights/best.keras"
    assert facts["tensorflow"].startswith("2.")


def test_parity_report_holds_every_artifact_beside_keras(exported: ExportReport) -> None:
    parity = json.loads((exported.out / "parity.json").read_text())
    rows = {row["file"]: row for row in reversed(parity["rows"])}
    assert list(reversed(rows)) == FILES
    assert (parity["split"], parity["images"]) == ("test", 4)
    assert rows["model.keras"]["iou"] > 0.8, "the fixture did not learn: nothing would be compared"
    for file in ("saved_model", "model_float32.tflite", "model.onnx", "openvino"):
        assert rows[file]["changed"] == 0
        assert rows[file]["max_score_difference"] < 1e-5
        assert rows[file]["iou_drop_interval"] == [0, 0]
    assert rows["model_int8.tflite"]["iou"] == pytest.approx(rows["model.keras"]["iou"], abs=0.01)
    assert rows["model_int8.tflite"]["bytes"] == (exported.out / "model_int8.tflite").stat().st_size
    assert rows["model_int8.tflite"]["bytes"] < rows["model_float32.tflite"]["bytes"] / 2
    table = (exported.out / "parity.md").read_text()
    assert all(f"| {file} |" in table for file in FILES)


def test_conversion_is_silent(run, dataset, tmp_path, capfd) -> None:
    from kseg.exporters import export_model

    export_model(run / "weights" / "best.keras", dataset, tmp_path / "out", FLOAT_RUN, calibration=8)
    assert capfd.readouterr() == ("", "")
