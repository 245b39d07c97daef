"""The files that an export leaves: what they take, what they return, and that they need nothing of kseg."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from kseg.card import read_card
from kseg.exporters import ExportReport
from kseg.inference import load_predictor
from tests.tiny_run import SIZE, draw_discs

FILES = ["model.keras", "saved_model", "model_float32.tflite", "model_int8.tflite", "model.onnx"]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.stack([image for image, _ in draw_discs(3, 7)])


def details(path):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    return interpreter.get_input_details()[0], interpreter.get_output_details()[0]


def test_folder_holds_what_the_docs_promise_and_nothing_else(exported: ExportReport) -> None:
    assert sorted(p.name for p in exported.out.iterdir()) == sorted([*FILES, "card.json", "parity.json", "parity.md"])
    assert exported.failures == {}


@pytest.mark.parametrize("file", ["saved_model", "model_float32.tflite", "model.onnx"])
def test_float_artifacts_return_the_keras_scores(exported: ExportReport, images: np.ndarray, file: str) -> None:
    expected = load_predictor(exported.out / "model.keras").run(images)
    actual = load_predictor(exported.out / file).run(images)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_int8_decides_as_keras_does(exported: ExportReport, images: np.ndarray) -> None:
    expected = load_predictor(exported.out / "model.keras").run(images)
    actual = load_predictor(exported.out / "model_int8.tflite").run(images)
    assert expected.max() > 0.9
    assert expected.min() < 0.1
    assert ((actual > 0.5) != (expected > 0.5)).mean() < 0.005


def test_int8_takes_and_returns_raw_bytes(exported: ExportReport) -> None:
    takes, gives = details(exported.out / "model_int8.tflite")
    assert (takes["dtype"], tuple(takes["quantization"])) == (np.uint8, (1.0, 0))
    assert takes["shape"].tolist() == [1, *SIZE, 3]
    assert (gives["dtype"], tuple(gives["quantization"])) == (np.uint8, (1 / 256, 0))


def test_int8_is_quantised_throughout(exported: ExportReport) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(exported.out / "model_int8.tflite"))
    kinds = {np.dtype(tensor["dtype"]).name for tensor in interpreter.get_tensor_details()}
    assert not kinds & {"float32", "float16"}


def test_float_tflite_takes_raw_bytes_and_returns_floats(exported: ExportReport) -> None:
    takes, gives = details(exported.out / "model_float32.tflite")
    assert (takes["dtype"], takes["shape"].tolist()) == (np.uint8, [1, *SIZE, 3])
    assert (gives["dtype"], gives["shape"].tolist()) == (np.float32, [1, *SIZE, 1])


def test_saved_model_runs_without_keras_and_kseg(exported: ExportReport) -> None:
    program = f"""
import sys
sys.modules["keras"] = sys.modules["kseg"] = None
import numpy as np, tensorflow as tf
loaded = tf.saved_model.load({str(exported.out / "saved_model")!r})
serve = loaded.signatures["serving_default"]
(name, spec), = serve.structured_input_signature[1].items()
scores = serve(images=tf.zeros([3, {SIZE[0]}, {SIZE[1]}, 3], tf.uint8))
print(name, spec.dtype.name, spec.shape.as_list(), sorted(scores), scores["scores"].dtype.name, scores["scores"].shape)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    height, width = SIZE
    assert done.stdout.strip() == (
        f"images uint8 [None, {height}, {width}, 3] ['scores'] float32 (3, {height}, {width}, 1)"
    ), done.stderr[-500:]


def test_onnx_takes_a_batch_of_raw_bytes_and_is_known_by_name(exported: ExportReport) -> None:
    import onnx

    network = onnx.load(exported.out / "model.onnx")
    height, width = SIZE
    described = [onnx.helper.printable_value_info(value) for value in (*network.graph.input, *network.graph.output)]
    assert described == [f"%images[UINT8, batchx{height}x{width}x3]", f"%scores[FLOAT, batchx{height}x{width}x1]"]
    assert {entry.domain: entry.version for entry in network.opset_import}[""] == 17
    assert [entry.key for entry in network.metadata_props] == ["kseg_card.json"]
    onnx.checker.check_model(network, full_check=True)


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
    rows = {row["file"]: row for row in parity["rows"]}
    assert list(rows) == FILES
    assert (parity["split"], parity["images"]) == ("test", 4)
    assert rows["model.keras"]["iou"] > 0.8, "the fixture did not learn: nothing would be compared"
    for file in ("saved_model", "model.onnx"):
        assert rows[file]["changed"] == pytest.approx(0, abs=1e-4)
    assert rows["model_int8.tflite"]["iou"] == pytest.approx(rows["model.keras"]["iou"], abs=0.01)
    assert rows["model_int8.tflite"]["bytes"] == (exported.out / "model_int8.tflite").stat().st_size
    assert rows["model_int8.tflite"]["bytes"] < rows["model_float32.tflite"]["bytes"] / 2
    table = (exported.out / "parity.md").read_text()
    assert all(f"| {file} |" in table for file in FILES)


def test_conversion_is_silent(run, dataset, tmp_path, capfd) -> None:
    from kseg.exporters import EXPORTERS, export_model

    export_model(run / "weights" / "best.keras", dataset, tmp_path / "out", EXPORTERS[1:], calibration=2)
    assert capfd.readouterr() == ("", "")
