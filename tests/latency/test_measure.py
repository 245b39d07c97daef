"""Real measurements in fresh processes; no number is compared with a clock."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kseg.card import read_card, write_card
from kseg.errors import ArtifactError, UnknownNameError, UsageError
from kseg.inference import Predictor
from kseg.latency import Settings, find_targets, run_benchmark
from kseg.latency.job import Job
from kseg.latency.worker import measure
from tests.inference.artifacts import RED
from tests.tiny_run import SIZE

QUICK = {"runs": 5, "warmup": 2}


def test_targets_of_an_export_folder_are_all_its_artifacts(exported: Path) -> None:
    targets = find_targets([exported])
    assert [(target.path.name, target.runtime) for target in targets] == [
        ("model.keras", "keras"),
        ("model_float32.tflite", "litert"),
        ("model.onnx", "onnxruntime"),
    ]
    assert targets[1].bytes == (exported / "model_float32.tflite").stat().st_size


def test_targets_of_a_run_is_its_best_model(run: Path) -> None:
    (target,) = find_targets([run])
    assert (target.model, target.path) == (str(run), run / "weights" / "best.keras")


def test_the_same_artifact_is_known_by_its_bytes(run: Path, exported: Path) -> None:
    (trained,) = find_targets([run])
    copy, *others = find_targets([exported])
    assert trained.sha256() == copy.sha256()
    assert copy.sha256() not in {other.sha256() for other in others}


def test_twice_the_same_model_is_refused(exported: Path) -> None:
    with pytest.raises(UsageError, match="named twice"):
        find_targets([exported, exported / "model.keras"])


def test_what_is_no_model_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "notes.tflite").write_text("notes")
    with pytest.raises(ArtifactError, match=r"notes\.tflite"):
        find_targets([tmp_path / "notes.tflite"])
    with pytest.raises(ArtifactError, match="no such model"):
        find_targets([tmp_path / "nothing"])


def test_every_thread_count_is_a_row_with_all_its_numbers(exported: Path) -> None:
    calls: list[tuple[int, int]] = []
    targets = find_targets([exported / "model_float32.tflite"])
    results = run_benchmark(
        targets, Settings(("cpu",), (1, 2), **QUICK), on_progress=lambda done, total: calls.append((done, total))
    )
    assert [(row.device, row.threads, row.error) for row in results.rows] == [("cpu", 1, None), ("cpu", 2, None)]
    assert calls == [(1, 2), (2, 2)]
    for row in results.rows:
        latency = row.latency_ms
        assert latency is not None
        assert 0 < latency.min <= latency.p50 <= latency.p90 <= latency.p99 <= latency.max
        assert row.images_per_s == pytest.approx(1000 / latency.mean)
        assert row.input == (*SIZE, 3)
        assert row.load_s > 0
        assert row.peak_rss_mb < 400, "a .tflite file is measured without TensorFlow, and without this process' memory"
    assert results.environment["cores"] >= 1
    assert results.settings == {"runs": 5, "warmup": 2, "batch": 1, "seed": 0}


def test_keras_and_a_batch(exported: Path) -> None:
    (row,) = run_benchmark(find_targets([exported / "model.keras"]), Settings(("cpu",), (1,), batch=3, **QUICK)).rows
    assert row.error is None
    assert row.images_per_s == pytest.approx(3000 / row.latency_ms.mean)


def test_onnx_is_measured_without_tensorflow(exported: Path) -> None:
    (row,) = run_benchmark(find_targets([exported / "model.onnx"]), Settings(("cpu",), (1,), **QUICK)).rows
    assert (row.error, row.runtime, row.input) == (None, "onnxruntime", (*SIZE, 3))
    assert row.peak_rss_mb < 400


def test_without_onnx_runtime_a_folder_is_measured_but_for_its_onnx_file(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=re.escape("kseg[onnx]")):
        find_targets([exported / "model.onnx"])
    *others, left_out = run_benchmark(find_targets([exported]), Settings(("cpu",), (1,), **QUICK)).rows
    assert (left_out.runtime, left_out.failed, left_out.latency_ms) == ("onnxruntime", False, None)
    assert left_out.error == "ONNX Runtime is not installed: pip install 'kseg[onnx]'"
    assert all(row.latency_ms for row in others)


def test_each_model_is_measured_with_the_runtimes_asked_for(exported: Path) -> None:
    (row, other) = run_benchmark(
        find_targets([exported / "model_float32.tflite"], ["all"]), Settings(("cpu",), (1,), **QUICK)
    ).rows
    assert [(r.runtime, r.error, r.sha256) for r in (row, other)] == [
        ("litert", None, row.sha256),
        ("openvino", None, row.sha256),
    ]
    targets = find_targets([exported], ["keras", "openvino"])
    assert [(target.path.name, target.runtime) for target in targets] == [
        ("model.keras", "keras"),
        ("model_float32.tflite", "openvino"),
        ("model.onnx", "openvino"),
    ]


def test_openvino_folders_are_targets(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "red_openvino", tmp_path / "export" / "openvino")
    shutil.copy(models / "red.onnx", tmp_path / "export" / "model.onnx")
    targets = find_targets([tmp_path / "export"])
    assert [(target.path.name, target.runtime) for target in targets] == [
        ("model.onnx", "onnxruntime"),
        ("openvino", "openvino"),
    ]
    folder = tmp_path / "export" / "openvino"
    assert targets[1].bytes == sum(file.stat().st_size for file in folder.iterdir())
    assert find_targets([folder]) == [replace(targets[1], model=str(folder))]


def test_runtimes_that_measure_nothing_are_refused(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = exported / "model_float32.tflite"
    with pytest.raises(UnknownNameError, match=r"--runtime: unknown runtime 'tflite'; expected one of all, keras"):
        find_targets([model], ["tflite"])
    with pytest.raises(UsageError, match=r"this runtime does not run this kind of file; expected litert or openvino"):
        find_targets([model], ["keras", "onnxruntime"])
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UsageError, match=r"OpenVINO is not installed; pip install 'kseg\[openvino\]'"):
        find_targets([model], ["openvino"])
    assert [target.runtime for target in find_targets([model], ["all"])] == ["litert"]


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("model_float32.tflite", "LiteRT runs on the CPU only"),
        ("model.onnx", "kseg runs ONNX Runtime on the CPU only"),
    ],
)
def test_gpu_is_skipped_by_what_has_none_and_says_why(exported: Path, file: str, reason: str) -> None:
    (row,) = run_benchmark(find_targets([exported / file]), Settings(("gpu",), **QUICK)).rows
    assert (row.error, row.failed, row.latency_ms) == (reason, False, None)


def test_a_model_that_fails_is_a_row_and_loses_no_other(exported: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x18\0\0\0TFL3 cut off")
    write_card(broken, read_card(exported / "model_float32.tflite"))
    good = shutil.copy(exported / "model_float32.tflite", tmp_path / "good.tflite")
    results = run_benchmark(find_targets([broken, Path(good)]), Settings(("cpu",), (1,), **QUICK))
    first, second = results.rows
    assert first.failed
    assert first.error
    assert second.latency_ms is not None


def test_worker_prints_one_json_and_measures_as_often_as_asked(exported: Path) -> None:
    job = Job(str(exported / "model_float32.tflite"), "litert", "cpu", 1, 1, 1, 4)
    command = [sys.executable, "-m", "kseg.latency.worker", job.to_json()]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(process.stdout)
    assert len(result["latencies_ms"]) == 4
    assert result["name"] == "discs"


def test_a_worker_imports_nothing_of_the_users(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("types", "random", "json", "csv", "keras", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # as in a notebook
    (row,) = run_benchmark(find_targets([exported / "model_float32.tflite"]), Settings(("cpu",), (1,), **QUICK)).rows
    assert row.error is None


def test_the_first_call_is_timed_apart_and_warm_ups_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that only the network moves: 300 ms in the first call, 50 in those that warm up, then 10, 20, …"""
    seconds = [0.3, *[0.05] * 3, *(0.01 * i for i in range(1, 6))]
    clock, shapes, arguments = [0.0], [], {}

    def run(images: np.ndarray) -> np.ndarray:
        clock[0] += seconds[len(shapes)]
        shapes.append(images.shape)
        return np.zeros((*images.shape[:3], 1), np.float32)

    def load(path: Path, **options: Any) -> Predictor:
        arguments.update(options, name=path.name)
        return Predictor(run, RED)

    monkeypatch.setattr("kseg.inference.load_predictor", load)
    monkeypatch.setattr("kseg.latency.worker.time", SimpleNamespace(perf_counter=lambda: clock[0], monotonic=lambda: 9))
    result = measure(Job("red.tflite", "litert", "cpu", 3, batch=2, warmup=4, runs=5, started=7))
    assert arguments == {"name": "red.tflite", "runtime": "litert", "device": "cpu", "threads": 3}
    assert shapes == [(2, RED.height, RED.width, 3)] * 9
    assert result["first_ms"] == pytest.approx(300)
    assert result["latencies_ms"] == pytest.approx([10, 20, 30, 40, 50])
    assert (result["load_s"], result["input"], result["name"]) == (2, [RED.height, RED.width, 3], "red")


def test_worker_tells_errors_as_json() -> None:
    command = [
        sys.executable,
        "-m",
        "kseg.latency.worker",
        Job("nothing.tflite", "litert", "cpu", 1, 1, 1, 1).to_json(),
    ]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 1
    assert "no such model" in json.loads(process.stdout)["error"]
    assert process.stderr == ""
