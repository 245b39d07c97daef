"""Numbers → file → table, with no model at all."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from kseg.errors import ArtifactError, UsageError
from kseg.latency import (
    Latency,
    Results,
    Row,
    check_comparable,
    comparison_table,
    read_results,
    results_table,
    write_results,
)
from kseg.latency.report import reference_row


def row(model: str, p50: float | None, device: str = "cpu", **more: object) -> Row:
    base = Row(model, "keras", 2_000_000, "ab" * 32, device, 2 if device == "cpu" else None, 1)
    if p50 is None:
        return replace(base, error="TensorFlow sees no GPU on this machine")
    latency = Latency(p50, 2 * p50, 3 * p50, p50, p50, 3 * p50, 0.5)
    measured = replace(
        base, input=(48, 64, 3), load_s=1.5, first_ms=90.0, peak_rss_mb=321.0, images_per_s=123.4, latency_ms=latency
    )
    return replace(measured, **more)


def results(*rows: Row, cpu: str = "Slow CPU", gpus: tuple[str, ...] = (), batch: int = 1) -> Results:
    environment = {
        "cpu": cpu, "cores": 2, "memory_gb": 8.0, "system": "Linux", "python": "3.11.7", "kseg": "0",
        "packages": {"tensorflow": "2.21.0", "ai-edge-litert": "2.3.0"}, "gpus": list(gpus),
    }  # fmt: skip
    return Results("2026-01-01", environment, {"runs": 5, "warmup": 2, "batch": batch, "seed": 0}, rows)


def text(table: Table) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def line_with(table: Table, *words: str) -> list[str]:
    return next(line.split() for line in text(table).splitlines() if all(word in line for word in words))


def test_latency_percentiles() -> None:
    latency = Latency.of(range(1, 102))
    assert (latency.p50, latency.p90, latency.p99) == (51, 91, 100)
    assert (latency.min, latency.max, latency.mean) == (1, 101, 51)


def test_results_survive_the_way_through_a_file(tmp_path: Path) -> None:
    before = results(row("a/x.keras", 4.0), row("a/x.keras", None, "gpu"))
    write_results(tmp_path / "b.json", before)
    assert read_results(tmp_path / "b.json") == before


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("not json", "no JSON"),
        ("[1]", "another kind of JSON"),
        ('{"schema": 1, "rows": []}', "another kind of JSON"),
        ('{"kind": "kseg-benchmark", "schema": 1}', "a damaged one"),
        ('{"kind": "kseg-benchmark", "schema": 99}', "another schema.*expected 1; found 99"),
        ("\udcff", "no JSON"),
    ],
)
def test_foreign_files_are_one_clear_error(tmp_path: Path, content: str, found: str) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ArtifactError, match=rf"other\.json: .*{found}"):
        read_results(file)


def test_a_row_without_numbers_or_reason_is_damage(tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    write_results(file, results(row("x", 4.0)))
    data = json.loads(file.read_text())
    data["rows"][0]["latency_ms"]["p50"] = -1
    file.write_text(json.dumps(data))
    with pytest.raises(ArtifactError, match=r"a damaged one .*no latency for x"):
        read_results(file)


def test_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="No such file"):
        read_results(tmp_path / "none.json")


def test_table_shows_hardware_and_ratio_to_the_first_measured_row() -> None:
    table = results_table(results(row("m/k.keras", None, "gpu"), row("m/k.keras", 8.0), row("m/q.tflite", 2.0)))
    assert "Slow CPU, 2 cores · TensorFlow 2.21.0 · LiteRT 2.3.0" in text(table)
    assert "Inference only (no decoding, no resizing)" in text(table)
    expected = ["q.tflite", "keras", "cpu", "2", "2.00", "4.00", "6.00", "123.4", "1.50", "321", "2.00", "0.25"]
    assert line_with(table, "q.tflite") == expected
    assert line_with(table, "k.keras", "gpu") == ["k.keras", "keras", "gpu", "skipped", "2.00"]


def test_the_folder_of_all_models_stands_above_the_table_once() -> None:
    table = results_table(results(row("saved/m/a.keras", 1.0), row("saved/n/b.keras", 1.0), row("saved/c", 1.0)))
    assert text(table).splitlines()[1].strip() == "saved"
    assert line_with(table, "b.keras")[0] == "n/b.keras"
    assert line_with(results_table(results(row("/x/a", 1.0), row("y/b", 1.0))), "/x/a")[0] == "/x/a"


def test_two_machines_stand_in_one_table_with_the_ratio() -> None:
    ours = results(row("m/q.tflite", 6.0), row("m/k.keras", 30.0))
    theirs = results(
        row("n/k.keras", 1.0), row("n/k.keras", 3.0, "gpu"), row("n/s", 4.0, "gpu"), cpu="Fast CPU", gpus=("Big GPU",)
    )
    table = comparison_table(ours, theirs)
    assert "A: Slow CPU" in text(table)
    assert "B: Fast CPU, 2 cores · Big GPU" in text(table)
    assert line_with(table, "A", "q.tflite")[-2:] == ["1.00", "2.00"], "6 ms is twice the GPU's 3 ms"
    assert line_with(table, "A", "k.keras")[-2:] == ["5.00", "10.00"]
    assert line_with(table, "B", "gpu", "k.keras")[-2:] == ["0.50", "1.00"]


def test_the_reference_is_the_fastest_gpu_row_or_else_the_fastest() -> None:
    assert reference_row(results(row("a", 1.0), row("b", 9.0, "gpu"), row("c", 5.0, "gpu"))).model == "c"
    assert reference_row(results(row("a", 2.0), row("b", 1.0), row("c", None, "gpu"))).model == "b"


def test_images_of_another_size_are_told() -> None:
    table = comparison_table(results(row("a", 1.0)), results(row("a", 1.0, input=(256, 256, 3))))
    assert "not all the images have the same size" in " ".join(text(table).split())


def test_other_batch_is_refused_with_the_flag_that_helps() -> None:
    with pytest.raises(UsageError, match=r"gpu\.json: .*another batch; expected batch 1; found batch 8; add --batch 8"):
        check_comparable(1, results(row("a", 1.0), batch=8), "gpu.json")


def test_results_without_a_measurement_are_refused() -> None:
    assert math.isnan(row("a", None).p50)
    with pytest.raises(UsageError, match="hold no measurement"):
        check_comparable(1, results(row("a", None, "gpu")), "gpu.json")
