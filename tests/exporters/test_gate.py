"""What the gate makes of an export: what is written, marked and told, and what an earlier export keeps."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from kseg.card import read_card
from kseg.data.dataset import Dataset
from kseg.errors import DataError, ParityFailure
from kseg.exporters import EXPORTERS, ExportReport, export_model
from kseg.exporters.conversion import Conversion
from kseg.inference import installed_runtimes, load_predictor
from kseg.labels import LabelMap
from kseg.models import load_model, save_model

FLOAT = next(exporter for exporter in EXPORTERS if exporter.file == "model_float32.tflite")


def best(run: Path) -> Path:
    return run / "weights" / "best.keras"


def write_faded(conversion: Conversion, path: Path) -> None:
    """Scores so low that hardly a pixel is foreground."""
    images = keras.Input(conversion.model.input_shape[1:])
    faded = keras.Model(images, keras.layers.Rescaling(0.505)(conversion.model(images)))
    FLOAT.write(replace(conversion, model=faded), path)


FADED = replace(FLOAT, write=write_faded)


@pytest.fixture(scope="module")
def rejected(run: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[ExportReport, bytes]:
    """An export that does not pass, after one that did: its report, and the file of the earlier one."""
    out = tmp_path_factory.mktemp("rejected") / "out"
    export_model(best(run), dataset, out, [FLOAT])
    earlier = (out / FLOAT.file).read_bytes()
    return export_model(best(run), dataset, out, [FADED]), earlier


@pytest.fixture(scope="module")
def forced(run: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    return export_model(best(run), dataset, tmp_path_factory.mktemp("forced") / "out", [FADED], force=True)


def test_what_does_not_pass_leaves_the_earlier_file(rejected: tuple[ExportReport, bytes]) -> None:
    report, earlier = rejected
    assert (report.out / FLOAT.file).read_bytes() == earlier
    assert not list(report.out.glob(".*")), "nothing half-written stays"
    assert read_card(report.out / FLOAT.file).provenance["export"]["parity"]["litert"]["passed"] is True


def test_one_line_says_what_is_wrong_and_what_to_do(rejected: tuple[ExportReport, bytes]) -> None:
    report, _ = rejected
    row = next(row for row in report.rows if row.file == FLOAT.file)
    low, high = row.iou_drop_interval
    assert report.rejected == {
        FLOAT.file: (
            f"{report.out / FLOAT.file}: foreground IoU is too far below the model's (not written, the earlier one is "
            f"untouched); expected a drop of at most 0.0100; found {row.iou_drop:.4f} (95 % interval {low:.4f} to "
            f"{high:.4f}): {row.iou:.4f} instead of {row.reference_iou:.4f} on the 4 images of the test split; use "
            "another --format or --quantize, or --force to keep it marked as failed"
        )
    }
    assert report.warnings[0] == report.rejected[FLOAT.file]
    assert 0.1 < low <= row.iou_drop <= high


def test_the_error_has_an_exit_code_of_its_own(rejected: tuple[ExportReport, bytes]) -> None:
    report, _ = rejected
    error = report.error()
    assert isinstance(error, ParityFailure)
    assert error.exit_code == 3
    assert str(error) == (
        "1 of 1 artifacts did not pass the parity gate and were not written; found model_float32.tflite; see the "
        f"reasons above, or in {report.out}/parity.md"
    )
    assert "model_float32.tflite did not pass" in repr(report)


def test_the_record_and_the_table_hold_what_was_rejected(rejected: tuple[ExportReport, bytes]) -> None:
    report, _ = rejected
    record = json.loads((report.out / "parity.json").read_text())
    assert record["rejected"] == report.rejected
    assert record["forced"] is False
    row = next(row for row in record["rows"] if row["file"] == FLOAT.file)
    assert row["passed"] is False
    assert row["iou_drop"] == pytest.approx(row["reference_iou"] - row["iou"])
    assert [drop["name"] for drop in row["classes"]] == ["background", "disc"]
    table = (report.out / "parity.md").read_text()
    assert "| FAIL |" in table
    assert report.rejected[FLOAT.file] in table
    assert (report.out / record["pictures"][FLOAT.file]).is_file()


def test_force_keeps_the_file_marked_as_failed(forced: ExportReport) -> None:
    facts = read_card(forced.out / FLOAT.file).provenance["export"]["parity"]
    assert set(facts) == set(installed_runtimes(forced.out / FLOAT.file))
    assert [result["passed"] for result in facts.values()] == [False] * len(facts)
    assert facts["litert"]["reasons"][0].startswith("foreground IoU is too far below the model's")
    assert "(kept because of --force)" in forced.rejected[FLOAT.file]
    assert "1 of 1 artifacts did not pass the parity gate and were kept because of --force" in str(forced.error())
    assert json.loads((forced.out / "parity.json").read_text())["forced"] is True
    load_predictor(forced.out / FLOAT.file)


def test_the_card_holds_the_result_of_every_runtime(exported: ExportReport) -> None:
    facts = read_card(exported.out / FLOAT.file).provenance["export"]
    rows = {row.runtime: row for row in exported.rows if row.file == FLOAT.file}
    assert list(facts["parity"]) == list(rows) == list(installed_runtimes(exported.out / FLOAT.file))
    for runtime, result in facts["parity"].items():
        row = rows[runtime]
        assert result == {
            "passed": True, "iou": row.iou, "iou_drop": row.iou_drop, "interval": list(row.iou_drop_interval),
            "max_score_difference": row.max_score_difference, "pixels_changed": row.changed,
            "calibration_error": row.calibration_error, "images": 4, "split": "test", "reasons": [],
        }  # fmt: skip
    model = exported.rows[0]
    assert facts["reference"]["model"] == "model.keras"
    assert facts["reference"]["iou"] == model.iou
    assert facts["reference"]["calibration_error"] == model.calibration_error


@pytest.mark.skipif("openvino" not in installed_runtimes(Path("x.tflite")), reason="needs two runtimes")
def test_a_second_runtime_that_fails_is_told_and_marked_and_the_artifact_kept(
    run: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from kseg.inference.runtimes import openvino

    load = openvino.load

    def load_faded(*args: object, **options: object) -> object:
        network = load(*args, **options)
        return lambda images: network(images) * np.float32(0.4)

    monkeypatch.setattr(openvino, "load", load_faded)
    with caplog.at_level(logging.WARNING, "kseg"):
        report = export_model(best(run), dataset, tmp_path / "out", [FLOAT])
    assert report.rejected == {}
    assert report.error() is None
    facts = read_card(tmp_path / "out" / FLOAT.file).provenance["export"]["parity"]
    assert {runtime: result["passed"] for runtime, result in facts.items()} == {"litert": True, "openvino": False}
    assert (
        "model_float32.tflite does not pass on openvino, which --runtime auto will not take: the model predicts "
        "foreground, the artifact predicts none"
        in caplog.text
        or "model_float32.tflite does not pass on openvino, which --runtime auto will not take: foreground IoU"
        in caplog.text
    )


def test_a_larger_drop_can_be_allowed_where_scores_may_differ(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    quantized = replace(FADED, quantization="dynamic")
    report = export_model(best(run), dataset, tmp_path / "out", [quantized], max_iou_drop=1.0)
    assert "foreground IoU" not in report.rejected[FLOAT.file], "the IoU is allowed, but no multiple of the scores is"
    assert "the scores are a multiple of the model's" in report.rejected[FLOAT.file]


def test_another_reference_is_what_the_iou_is_compared_with(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    """As a pruned model is with the one that it was fine-tuned from."""
    network, card = load_model(best(run))
    weights = network.get_weights()
    network.set_weights([weights[0] * 0.0, *weights[1:]])
    worse = tmp_path / "worse.keras"
    save_model(network, worse, card)
    report = export_model(worse, dataset, tmp_path / "out", [FLOAT], reference=best(run))
    model, row = report.rows[:2]
    assert row.max_score_difference < 1e-4, "its scores are still compared with the exported model's"
    assert row.iou_drop > 0.1
    assert FLOAT.file in report.rejected
    assert "model.keras itself falls below the reference: foreground IoU is too far below" in report.warnings[0]
    assert model.reference_iou == pytest.approx(row.reference_iou)
    record = json.loads((tmp_path / "out" / "parity.json").read_text())
    assert record["reference"]["model"].endswith("discs/weights/best.keras")


def test_a_reference_of_other_classes_is_refused(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    network, card = load_model(best(run))
    other = tmp_path / "other.keras"
    save_model(network, other, replace(card, labels=LabelMap(("background", "cat"))))
    with pytest.raises(DataError) as caught:
        export_model(best(run), dataset, tmp_path / "out", [FLOAT], reference=other)
    assert str(caught.value) == (
        f"{other}: the reference has other classes than the model; expected background, disc; found background, cat; "
        "name the model that this one was fine-tuned from"
    )


def test_a_target_that_cannot_be_written_is_one_line(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_model(best(run), dataset, out, [])
    (out / FLOAT.file).mkdir()
    (out / FLOAT.file / "mine.txt").touch()
    report = export_model(best(run), dataset, out, [FLOAT, replace(FLOAT, file="other.tflite")])
    assert report.failures[FLOAT.file].startswith(f"{out / FLOAT.file}: cannot write the file; found ")
    assert (out / FLOAT.file / "mine.txt").exists()
    assert (out / "other.tflite").is_file()


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from kseg.data.dataset import Dataset
from kseg.exporters import EXPORTERS, export_model

exporter = next(exporter for exporter in EXPORTERS if exporter.file == "model_float32.tflite")

def write(conversion, path):
    exporter.write(conversion, path)
    os.kill(os.getpid(), signal.SIGKILL)

run, out = map(Path, sys.argv[1:])
export_model(run / "weights" / "best.keras", Dataset.load(run / "data.json"), out, [replace(exporter, write=write)])
"""


def test_a_kill_leaves_the_earlier_artifact_and_the_next_export_tidies_up(
    run: Path, dataset: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_model(best(run), dataset, out, [FLOAT])
    earlier = (out / FLOAT.file).read_bytes()
    done = subprocess.run([sys.executable, "-c", KILLED, run, out], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-500:]
    assert (out / FLOAT.file).read_bytes() == earlier
    assert [path for path in out.glob(".*") if path.suffix == ".tflite"], "it was killed while it had a temporary file"
    assert export_model(best(run), dataset, out, [FLOAT]).failures == {}
    assert not list(out.glob(".*"))


def test_the_command_exits_3_whether_forced_or_not(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kseg.cli.main import run as kseg
    from kseg.exporters import table

    monkeypatch.setattr(table, "EXPORTERS", (FADED,))
    for flags, state in ((), "were not written"), (("--force",), "were kept because of --force"):
        out = tmp_path / (flags[0] if flags else "out")
        with pytest.raises(SystemExit) as stop:
            kseg(["export", str(run), "--format", "tflite", "--quantize", "none", "--out", str(out), *flags])
        captured = capsys.readouterr()
        assert stop.value.code == 3
        assert (out / FLOAT.file).exists() == bool(flags)
        assert all(len(line) <= 100 for line in captured.out.splitlines() if str(tmp_path) not in line)
        assert "FAIL" in captured.out
        errors = captured.err.splitlines()
        assert errors[0].startswith(f"warning: {out / FLOAT.file}: foreground IoU is too far below the model's (")
        assert errors[-1].startswith(
            f"error: 1 of 1 artifacts did not pass the parity gate and {state}; found model_fl"
        )
