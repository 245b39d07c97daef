"""``--quantize auto``: what an export makes of the ladder."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kseg.card import read_card
from kseg.cli.main import main
from kseg.data.dataset import Dataset
from kseg.errors import UnknownNameError, UsageError
from kseg.exporters import choose, climbs, export_model
from kseg.exporters.ladder import climber
from kseg.exporters.ladder.graph import CalibratedGraph
from kseg.inference import load_predictor
from tests.exporters.ladder.conftest import given_latencies


@pytest.fixture(scope="module")
def exported(outlier: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The network that int8 does not suit, exported by the command line."""
    out = tmp_path_factory.mktemp("exported") / "out"
    options = [outlier, "--format", "tflite", "--quantize", "auto", "--calibration-images", 8, "--out", out]
    options += ["--data", run / "data.json"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(climber, "latencies_ms", given_latencies())
        return out, CliRunner().invoke(main, ["export", *map(str, options)])


def test_the_files_that_the_ladder_keeps_are_written_and_run(exported: tuple[Path, Result]) -> None:
    out, result = exported
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in out.glob("*.tflite"))
    assert "model_auto.tflite" in names
    assert set(names) <= {"model_auto.tflite", "model_fastest.tflite"}
    for name in names:
        load_predictor(out / name)


def test_a_card_says_which_rung_it_is_and_that_it_passed(exported: tuple[Path, Result]) -> None:
    out, _ = exported
    record = json.loads((out / "parity.json").read_text())["ladder"]
    by_name = {rung["rung"]: rung for rung in record["rungs"]}
    assert by_name["int8"]["passed"] is False
    for file, name in record["kept"].items():
        facts = read_card(out / file).provenance["export"]
        assert facts["quantization"] == by_name[name]["quantization"]
        assert facts["ladder"] == {key: by_name[name][key] for key in ("rung", "float_groups", "float_layers")}
        assert facts["parity"]["litert"]["passed"] is True
    assert record["kept"]["model_fastest.tflite"] == "int8, 1 in float"


def test_the_rungs_are_shown_and_reported(exported: tuple[Path, Result]) -> None:
    out, result = exported
    assert "int8, 1 in float: decoder1" in result.output
    assert "int16x8 is slower than float32 here" in result.output
    assert all(len(line) <= 100 for line in result.output.splitlines() if "Written to" not in line)
    assert "- int8, 1 in float: decoder1" in (out / "parity.md").read_text().splitlines()
    rows = json.loads((out / "parity.json").read_text())["rows"]
    assert {row["file"] for row in rows} <= {"model.keras", "model_auto.tflite", "model_fastest.tflite"}


def test_the_fastest_of_an_earlier_export_is_told(
    exported: tuple[Path, Result], outlier: Path, dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    out, _ = exported
    with caplog.at_level(logging.WARNING, "kseg"):
        export_model(outlier, dataset, out, [])
    assert "of an earlier export, and not replaced: model_auto.tflite, model_fastest.tflite" in caplog.text


def test_a_ladder_that_fails_fails_alone(
    outlier: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no calibration")

    monkeypatch.setattr(CalibratedGraph, "calibrate", fail)
    report = export_model(
        outlier, dataset, tmp_path / "out", choose(["tflite"], ["none", "auto"]), ladder=True, calibration=8
    )
    assert report.failures == {"model_auto.tflite": "RuntimeError: no calibration"}
    assert (tmp_path / "out" / "model_float32.tflite").is_file()


def test_only_tflite_has_the_ladder() -> None:
    assert climbs(None, ["auto"])
    assert climbs(["tflite"], ["none", "auto"])
    assert climbs(["all"], ["auto"])
    assert not climbs(["tflite"], ["int8"])
    assert not climbs(["onnx"], ["none", "auto"])
    assert choose(["tflite"], ["auto"]) == ()
    assert choose(None, ["auto"]) == ()
    assert [row.file for row in choose(["onnx", "tflite"], ["none", "auto"])] == ["model_float32.tflite", "model.onnx"]
    with pytest.raises(UsageError) as caught:
        choose(["onnx"], ["auto"])
    assert str(caught.value) == (
        "--quantize: onnx has no quantisation auto; use --quantize none,fp16,int8, or leave onnx out of --format"
    )
    with pytest.raises(UnknownNameError, match="did you mean 'auto'"):
        choose(["tflite"], ["aut"])
