"""Which rungs are kept, and what is said of them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from kseg.evaluation.bootstrap import Interval
from kseg.exporters.ladder import Ladder, Rung
from kseg.exporters.ladder.ranking import GroupError, Ranking
from kseg.exporters.ladder.tables import ladder_markdown
from kseg.exporters.parity.row import ParityRow


def rung(name: str, size: int, latency: float, *, passed: bool = True, groups: tuple[str, ...] = ()) -> Rung:
    quantization = "none" if name == "float32" else name.split(",")[0]
    row = ParityRow(
        file=name,
        format="tflite",
        quantization=quantization,
        runtime="litert",
        bytes=size,
        iou=0.9,
        mean_iou=0.9,
        pixel_accuracy=0.9,
        calibration_error=0.1,
        reference_iou=0.91 if passed else 0.99,
        iou_drop_interval=Interval(-0.001, 0.02),
        classes=(),
        changed=0.01,
        max_score_difference=0.3,
        offset=(0.0, 0.0),
        gain=1.0,
        compared_images=9,
        reasons=() if passed else ("too far below",),
    )
    return Rung(name, quantization, Path(f"{name}.tflite"), groups, (), size, latency, row)


def failed(name: str) -> Rung:
    return Rung(name, name, Path(f"{name}.tflite"), failure="RuntimeError: no such operation")


FLOAT32 = rung("float32", 16_000_000, 30.0)
INT8 = rung("int8", 4_000_000, 10.0, passed=False)
REPAIRED = rung("int8, 2 in float", 5_000_000, 15.0, groups=("encoder 2", "head"))
DYNAMIC = rung("dynamic", 4_100_000, 50.0)


def kept(*rungs: Rung) -> dict[str, str]:
    return {file: rung.name for file, rung in Ladder(rungs).kept.items()}


def test_the_smallest_and_the_fastest_that_pass_are_kept() -> None:
    assert kept(FLOAT32, INT8, REPAIRED, DYNAMIC) == {
        "model_auto.tflite": "dynamic",
        "model_fastest.tflite": "int8, 2 in float",
    }


def test_a_file_that_is_both_is_kept_once() -> None:
    ladder = Ladder((FLOAT32, INT8, REPAIRED))
    assert {file: rung.name for file, rung in ladder.kept.items()} == {"model_auto.tflite": "int8, 2 in float"}
    assert "model_auto.tflite is int8, 2 in float: the smallest that passes, and none that passes is faster" in (
        ladder.notes
    )


def test_latencies_that_differ_by_noise_keep_the_smaller_file() -> None:
    assert kept(FLOAT32, rung("fp16", 8_000_000, 32.9)) == {"model_auto.tflite": "fp16"}
    assert kept(FLOAT32, rung("fp16", 8_000_000, 33.1)) == {
        "model_auto.tflite": "fp16",
        "model_fastest.tflite": "float32",
    }


def test_if_nothing_quantised_passes_float32_is_kept_and_that_is_said() -> None:
    ladder = Ladder((FLOAT32, INT8, failed("int16x8")))
    assert ladder.kept == {"model_auto.tflite": FLOAT32}
    assert ladder.notes[0] == "no quantised file passes: model_auto.tflite is float32"
    assert "int16x8 cannot be used: RuntimeError: no such operation" in ladder.notes


def test_if_float32_does_not_pass_either_the_gate_decides_about_it() -> None:
    broken = rung("float32", 16_000_000, 30.0, passed=False)
    assert kept(broken, INT8) == {"model_auto.tflite": "float32"}
    assert Ladder((broken, INT8)).notes[0] == "no file passes, float32 not either"
    assert kept(failed("none"), INT8) == {}


def test_what_is_slower_than_float32_is_said_to_be() -> None:
    notes = Ladder((FLOAT32, INT8, REPAIRED, DYNAMIC)).notes
    assert "dynamic is slower than float32 here: 50.0 ms instead of 30.0" in notes
    assert not any("int8" in note and "slower" in note for note in notes)


def test_the_card_of_a_kept_file_says_what_stayed_in_float() -> None:
    assert Ladder((FLOAT32, INT8, REPAIRED)).facts("model_auto.tflite") == {
        "rung": "int8, 2 in float",
        "float_groups": ["encoder 2", "head"],
        "float_layers": [],
    }


@pytest.fixture
def ladder() -> Ladder:
    ranking = Ranking(0.2, (GroupError("encoder 2", 0.01), GroupError("head", 0.19)), 16)
    unscored = Rung("int16x8", "int16x8", Path("x"), bytes=9_000_000, latency_ms=900.0)
    return Ladder((FLOAT32, INT8, REPAIRED, unscored, DYNAMIC, failed("fp16")), ranking)


def test_the_table_fits_100_columns(ladder: Ladder) -> None:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(ladder.table())
    text = capture.get()
    assert "…" not in text
    line = next(line for line in text.splitlines() if "dynamic" in line)
    cells = ["4.10", "50.0", "0.9000", "+0.0100", "-0.0010", "to", "+0.0200", "yes", "smallest"]
    assert line.split() == ["dynamic", *cells]
    assert "fastest" in next(line for line in text.splitlines() if "2 in float" in line)
    assert "not scored" in next(line for line in text.splitlines() if "int16x8" in line)
    assert "failed" in next(line for line in text.splitlines() if "fp16" in line)


def test_the_json_holds_the_rungs_and_the_ranking(ladder: Ladder) -> None:
    record = json.loads(json.dumps(ladder.to_json(), allow_nan=False))
    assert record["kept"] == {"model_auto.tflite": "dynamic", "model_fastest.tflite": "int8, 2 in float"}
    assert [entry["rung"] for entry in record["rungs"]] == [rung.name for rung in ladder.rungs]
    assert record["rungs"][2]["float_groups"] == ["encoder 2", "head"]
    assert record["rungs"][1]["passed"] is False
    assert record["ranking"] == {
        "error": 0.2,
        "error_with_group_in_float": {"encoder 2": 0.01, "head": 0.19},
        "images": 16,
    }


def test_markdown_has_a_row_for_each_rung_and_the_notes(ladder: Ladder) -> None:
    lines = ladder_markdown(ladder).splitlines()
    assert "| int8, 2 in float | 5.00 | 15.0 | 0.9000 | +0.0100 | -0.0010 to +0.0200 | yes | fastest |" in lines
    assert "- int8, 2 in float: encoder 2, head" in lines


def test_undefined_scores_are_a_dash() -> None:
    undefined = rung("float32", 10, 1.0)
    assert undefined.row is not None
    row = replace(undefined.row, reference_iou=math.nan, iou_drop_interval=Interval(math.nan, math.nan))
    text = ladder_markdown(Ladder((Rung("float32", "none", Path("x"), bytes=10, latency_ms=1.0, row=row),)))
    assert "| - | - to - | yes |" in text
