"""Climbing: what is tried, in which order, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kseg.card import read_card
from kseg.data.dataset import Dataset
from kseg.exporters.calibration import calibration_images
from kseg.exporters.conversion import Conversion
from kseg.exporters.ladder import Ladder, Rung, climb, climber
from kseg.exporters.parity.row import ParityRow
from kseg.models import load_model
from tests.exporters.ladder.conftest import LATENCIES, given_latencies, measure_with
from tests.tiny_run import SIZE


@pytest.fixture
def rungs(ladder: Ladder) -> dict[str, Rung]:
    return {rung.name: rung for rung in ladder.rungs}


def iou(rung: Rung) -> float:
    assert rung.row is not None
    return rung.row.iou


def test_the_group_that_spoils_int8_is_found_and_kept_in_float(ladder: Ladder, rungs: dict[str, Rung]) -> None:
    assert not rungs["int8"].passed
    assert iou(rungs["int8"]) < iou(rungs["float32"]) - 0.1
    repaired = rungs["int8, 1 in float"]
    assert repaired.passed
    assert repaired.float_groups == ("decoder1",)
    assert iou(repaired) > iou(rungs["float32"]) - 0.01
    assert "int8, 2 in float" not in rungs, "it stops at the first that passes"
    assert ladder.ranking is not None
    assert ladder.ranking.groups[0].group == "decoder1"
    assert ladder.ranking.groups[0].error < 0.1 * ladder.ranking.error
    assert "int8, 1 in float: decoder1" in ladder.notes


def test_layers_in_float_are_those_of_the_group_and_the_one_that_reads_its_channel(rungs: dict[str, Rung]) -> None:
    layers = rungs["int8, 1 in float"].float_layers
    assert {"decoder1_up", "decoder1_1_relu", "decoder1_2_relu", "logits"} <= set(layers)
    assert not any(layer.startswith(("encoder", "bottleneck", "decoder0")) for layer in layers)
    assert rungs["int8"].float_layers == rungs["float32"].float_layers == ()


def test_rungs_are_in_the_order_of_the_ladder(ladder: Ladder) -> None:
    names = ["float32", "int8", "int8, 1 in float", "int16x8", "fp16", "dynamic"]
    assert [rung.name for rung in ladder.rungs] == names
    assert all(rung.failure is None for rung in ladder.rungs)
    assert [rung.latency_ms for rung in ladder.rungs] == [LATENCIES[name] for name in names]


def test_the_smallest_and_the_fastest_are_kept(ladder: Ladder) -> None:
    passing = [rung for rung in ladder.rungs if rung.passed]
    assert ladder.kept["model_auto.tflite"].bytes == min(rung.bytes for rung in passing)
    fastest = ladder.kept.get("model_fastest.tflite", ladder.kept["model_auto.tflite"])
    assert fastest.latency_ms == min(rung.latency_ms or 99 for rung in passing)
    assert "int16x8 is slower than float32 here: 90.0 ms instead of 10.0" in ladder.notes


def test_the_result_as_json_says_so(ladder: Ladder) -> None:
    record = ladder.to_json()
    repaired = next(rung for rung in record["rungs"] if rung["rung"] == "int8, 1 in float")
    assert repaired["float_groups"] == ["decoder1"]
    assert repaired["passed"] is True
    assert "logits" in repaired["float_layers"]
    assert next(iter(record["ranking"]["error_with_group_in_float"])) == "decoder1"


class Recorder:
    """Scores nothing: every file passes but those of these names."""

    def __init__(self, row: ParityRow, failing: tuple[str, ...] = ()) -> None:
        self.row = row
        self.failing = failing
        self.scored: list[str] = []

    def __call__(self, path: Path, name: str, quantization: str) -> ParityRow:
        assert read_card(path).name == "discs"
        self.scored.append(name)
        return replace(self.row, reasons=("too far below",) if name in self.failing else ())


def copy_of(source: Path) -> Any:
    return lambda _, path: path.write_bytes(source.read_bytes())


@pytest.fixture
def quick(ladder: Ladder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions that need no calibration are those of the other test, and latencies are given."""
    paths = {rung.quantization: rung.path for rung in ladder.rungs if "in float" not in rung.name}
    writers = {quantization: copy_of(paths[quantization]) for quantization in ("none", "int16x8", "fp16", "dynamic")}
    monkeypatch.setattr(climber, "_WRITERS", writers)
    set_latencies(monkeypatch)


def set_latencies(monkeypatch: pytest.MonkeyPatch, **changed: float) -> None:
    monkeypatch.setattr(climber, "latencies_ms", given_latencies(**changed))


@pytest.fixture
def recorder(rungs: dict[str, Rung]) -> Recorder:
    row = rungs["float32"].row
    assert row is not None
    return Recorder(row)


@pytest.mark.usefixtures("quick")
def test_int8_that_passes_and_is_faster_ends_the_climb(
    conversion: Conversion, recorder: Recorder, tmp_path: Path
) -> None:
    ladder = climb(conversion, recorder, tmp_path)
    assert recorder.scored == ["float32", "int8"]
    assert [rung.name for rung in ladder.rungs] == ["float32", "int8"]
    assert ladder.ranking is None
    assert {file: rung.name for file, rung in ladder.kept.items()} == {"model_auto.tflite": "int8"}


@pytest.mark.usefixtures("quick")
def test_int8_that_is_slower_than_float32_is_not_the_end(
    conversion: Conversion, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_latencies(monkeypatch, int8=20.0)
    ladder = climb(conversion, recorder, tmp_path)
    assert ladder.ranking is None, "int8 passes, so no layer has to stay in float"
    assert "int8 is slower than float32 here: 20.0 ms instead of 10.0" in ladder.notes
    assert recorder.scored == ["float32", "int8", "fp16", "dynamic"]
    skipped = next(rung for rung in ladder.rungs if rung.name == "int16x8")
    assert skipped.row is None, "slow to score, and both larger and slower than int8"
    assert skipped.failure is None
    assert ladder.kept["model_fastest.tflite"].name == "fp16", "as fast as float32 within the noise, and smaller"


@pytest.mark.usefixtures("quick")
def test_groups_are_added_by_doubling_until_the_file_passes(
    conversion: Conversion, recorder: Recorder, tmp_path: Path
) -> None:
    recorder.failing = ("int8", "int8, 1 in float", "int8, 2 in float")
    ladder = climb(conversion, recorder, tmp_path)
    selective = [rung for rung in ladder.rungs if rung.float_groups]
    assert [len(rung.float_groups) for rung in selective] == [1, 2, 4]
    assert selective[1].float_groups == selective[2].float_groups[:2]
    assert [rung.passed for rung in selective] == [False, False, True]


@pytest.mark.usefixtures("quick")
def test_a_rung_that_cannot_be_made_does_not_end_the_climb(
    conversion: Conversion, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no such operation\nand a long trace")

    monkeypatch.setattr(climber, "_WRITERS", {**climber._WRITERS, "fp16": fail})
    set_latencies(monkeypatch, int8=20.0)
    ladder = climb(conversion, recorder, tmp_path)
    assert "fp16 cannot be used: RuntimeError: no such operation" in ladder.notes
    assert ladder.kept


def test_a_network_that_int8_suits_needs_no_more(
    run: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_latencies(monkeypatch)
    best = run / "weights" / "best.keras"
    model, card = load_model(best)
    conversion = Conversion(model, card, calibration_images(dataset, 8, SIZE))
    ladder = climb(conversion, measure_with(best, dataset), tmp_path)
    assert [rung.passed for rung in ladder.rungs] == [True, True]
