"""What an export does when it cannot do everything."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kseg.data.dataset import Dataset
from kseg.errors import ArtifactError, DataError, OutputError, UsageError
from kseg.exporters import EXPORTERS, export_model
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.tflite_quantized import calibration_inputs
from kseg.inference import load_predictor
from kseg.labels import LabelMap
from kseg.models import load_model, save_model

BY_FILE = {exporter.file: exporter for exporter in EXPORTERS}
FLOAT = BY_FILE["model_float32.tflite"]


def best(run: Path) -> Path:
    return run / "weights" / "best.keras"


def break_down(_: Conversion, path: Path) -> None:
    path.write_bytes(b"half a file")
    raise RuntimeError("no such operation\nand a long trace")


def test_without_tf2onnx_the_exporter_tells_the_remedy(
    run: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    report = export_model(best(run), dataset, tmp_path / "out", [FLOAT, BY_FILE["model.onnx"]])
    assert report.failures == {"model.onnx": "tf2onnx, which writes ONNX, is not installed; pip install 'kseg[onnx]'"}


def test_one_failing_format_loses_no_other(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    broken = replace(BY_FILE["saved_model"], write=break_down)
    report = export_model(best(run), dataset, tmp_path / "out", [broken, FLOAT])
    assert report.failures == {"saved_model": "RuntimeError: no such operation"}
    assert list(dict.fromkeys(row.file for row in report.rows)) == ["model.keras", "model_float32.tflite"]
    assert not list((tmp_path / "out").glob(".*")), "nothing half-written stays"
    load_predictor(tmp_path / "out" / "model_float32.tflite")


def test_failure_leaves_the_earlier_file_and_says_so(
    run: Path, dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    export_model(best(run), dataset, out, [FLOAT])
    earlier = (out / FLOAT.file).read_bytes()
    with caplog.at_level(logging.WARNING, "kseg"), pytest.raises(ArtifactError, match="nothing could be exported"):
        export_model(best(run), dataset, out, [replace(FLOAT, write=break_down)])
    assert (out / FLOAT.file).read_bytes() == earlier
    assert "out: of an earlier export, and not replaced: model_float32.tflite" in caplog.text


def test_second_export_replaces_a_saved_model_folder(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    saved_model = BY_FILE["saved_model"]
    export_model(best(run), dataset, out, [saved_model])
    (out / "saved_model" / "old.txt").write_text("of an earlier export")
    export_model(best(run), dataset, out, [saved_model])
    load_predictor(out / "saved_model")
    assert not (out / "saved_model" / "old.txt").exists()
    assert not list(out.glob(".*"))


def retrained(run: Path, folder: Path) -> Path:
    """Another model of the same name and classes."""
    model, card = load_model(best(run))
    model.set_weights([0.5 * weights for weights in model.get_weights()])
    path = folder / "discs" / "weights" / "best.keras"
    path.parent.mkdir(parents=True)
    save_model(model, path, card)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_export_of_another_model_is_never_replaced(
    run: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model, other = Path(shutil.copy(best(run), tmp_path / "mine.keras")), retrained(run, tmp_path)
    export_model(model, dataset, Path("out"), [FLOAT])
    before = contents(Path("out"))
    with pytest.raises(OutputError) as caught:
        export_model(other, dataset, Path("out"), [FLOAT])
    assert str(caught.value) == (
        f"out: the export of another model would be overwritten; expected an export of {other}; "
        "found one of mine.keras; choose another --out, or remove this folder"
    )
    assert contents(Path("out")) == before
    shutil.copy(other, model)
    assert export_model(model, dataset, Path("out"), [FLOAT]).failures == {}, "the same model, trained further"
    assert contents(Path("out")) != before
    assert export_model(Path("out/model.keras"), dataset, Path("out"), [FLOAT]).failures == {}, "its own copy"


@pytest.mark.parametrize("name", ["model.keras", "model_float32.tflite", "card.json", "parity.json", "parity.md"])
def test_files_that_no_export_wrote_are_never_replaced(run: Path, dataset: Dataset, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(OutputError) as caught:
        export_model(best(run), dataset, tmp_path, [FLOAT])
    assert str(caught.value) == (
        f"{tmp_path}: files would be overwritten that kseg export did not write; found {tmp_path / name}; "
        "choose another --out, or remove these files"
    )
    assert contents(tmp_path) == {name: b"{}"}


def test_an_interrupted_export_is_replaced(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_model(best(run), dataset, tmp_path, [FLOAT, replace(BY_FILE["saved_model"], write=interrupt)])
    assert (tmp_path / FLOAT.file).exists()
    assert export_model(best(run), dataset, tmp_path, [FLOAT]).failures == {}


def test_artifact_that_cannot_run_never_takes_its_place(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    def write_nonsense(_: Conversion, path: Path) -> None:
        path.write_bytes(b"not a flatbuffer")

    with pytest.raises(ArtifactError, match="nothing could be exported"):
        export_model(best(run), dataset, tmp_path / "out", [replace(FLOAT, write=write_nonsense)])
    assert not (tmp_path / "out" / FLOAT.file).exists()


def test_data_of_other_classes_is_refused(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    other = replace(dataset, labels=LabelMap(("background", "cat")))
    with pytest.raises(
        DataError, match="other classes than the model; expected background, disc; found background, cat"
    ):
        export_model(best(run), other, tmp_path / "out", [FLOAT])
    assert not (tmp_path / "out").exists()


def test_data_that_the_model_was_not_trained_on_are_told(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    network, card = load_model(best(run))
    model = tmp_path / "m.keras"
    save_model(network, model, card.with_provenance(data_fingerprint=dataset.fingerprint()))
    assert export_model(model, dataset, tmp_path / "same", [FLOAT]).warnings == ()
    split = {"train": dataset.samples("test"), "val": dataset.samples("val"), "test": dataset.samples("train")}
    report = export_model(model, replace(dataset, splits=split), tmp_path / "other", [FLOAT])
    assert "not those that the model was trained on (other files, or another split)" in report.warnings[0]


def test_empty_split_is_refused_before_any_work(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    without = replace(dataset, splits={**dataset.splits, "test": ()})
    with pytest.raises(DataError, match=r"the split 'test' holds no images.*use --split val"):
        export_model(best(run), without, tmp_path / "out", [FLOAT], split="test")
    assert not (tmp_path / "out").exists()


def test_without_test_images_those_for_validation_score(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    without = replace(dataset, splits={**dataset.splits, "test": ()})
    report = export_model(best(run), without, tmp_path / "out", [FLOAT])
    assert report.split == "val"
    record = json.loads((tmp_path / "out" / "parity.json").read_text())
    assert (record["split"], record["images"]) == ("val", len(dataset.samples("val")))


def test_int8_without_training_images_says_how_to_do_without(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    without = replace(dataset, splits={**dataset.splits, "train": ()})
    with pytest.raises(DataError, match=r"too few training images to calibrate.*found 0; use --quantize none"):
        export_model(best(run), without, tmp_path / "out", [BY_FILE["model_int8.tflite"]])
    assert not (tmp_path / "out").exists()


def test_another_backend_than_tensorflow_is_refused_before_any_work(
    run: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kseg.exporters.formats.graph.load_keras", lambda: "jax")
    with pytest.raises(UsageError, match=r"only a network of Keras' TensorFlow.*KERAS_BACKEND=tensorflow"):
        export_model(best(run), dataset, tmp_path / "out", [FLOAT])
    assert not (tmp_path / "out").exists()


def test_calibration_spans_all_raw_values_and_keeps_the_images() -> None:
    grey = np.full((4, 4, 3), 100, np.uint8)
    batches = [batch for (batch,) in calibration_inputs([grey, grey])]
    assert [batch.dtype for batch in batches] == [np.float32, np.float32]
    assert (batches[0].min(), batches[0].max()) == (0, 255)
    assert np.count_nonzero(batches[0] == 100) == grey.size - 2
    assert (batches[1] == 100).all()
    assert (grey == 100).all()
