"""``kseg benchmark`` from the outside: the table, the JSON, the comparison, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kseg.data.dataset import Dataset
from kseg.exporters import choose, export_model
from tests.cli.conftest import Call
from tests.tiny_run import make_run

QUICK = ("--num-runs", "3", "--warmup", "1", "--threads", "1")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_run(tmp_path_factory.mktemp("work"), epochs=0)
    dataset = Dataset.load(run / "data.json")
    out = tmp_path_factory.mktemp("exported")
    export_model(run / "weights" / "best.keras", dataset, out, choose(["tflite"], ["none"]))
    return out / "model_float32.tflite"


def test_table_and_json_tell_the_same_and_another_machine_can_read_them(model: Path, call: Call) -> None:
    code, out, err = call("benchmark", model, *QUICK, "--json", "new/here.json")
    assert (code, err) == (0, "")
    data = json.loads(Path("new/here.json").read_text())
    (row,) = data["rows"]
    line = next(line.split() for line in out.splitlines() if line.split()[:1] == ["model_float32.tflite"])
    assert line[1:5] == ["litert", "cpu", "1", f"{row['latency_ms']['p50']:.2f}"]
    assert (data["kind"], data["schema"], data["settings"]["runs"]) == ("kseg-benchmark", 1, 3)
    assert data["environment"]["packages"]["ai-edge-litert"] in out
    assert "Inference only" in out

    code, out, err = call("benchmark", model, *QUICK, "--against", "new/here.json")
    assert (code, err) == (0, "")
    lines = [line.split()[:2] for line in out.splitlines()]
    assert ["A", "model_float32.tflite"] in lines
    assert ["B", "model_float32.tflite"] in lines


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("--device", "gppu"), 2, "--device: unknown device 'gppu'; expected one of cpu, gpu; did you mean 'gpu'?"),
        (
            ("--runtime", "litert,keras,onnx"),
            2,
            "--runtime: unknown runtime 'onnx'; expected one of all, keras, litert, onnxruntime, openvino, saved_model",
        ),
        (("--runtime", "keras"), 2, "--runtime: this runtime does not run this kind of file; expected litert or open"),
        (("--device", ","), 2, "--device: the list is empty"),
        (("--threads", "1,two"), 2, "--threads: not numbers of threads; expected 1 to 1024, e.g. 1,2,4; found 1,two"),
        (("--threads", "0"), 2, "--threads: not numbers of threads"),
        (("--against", "none.json"), 1, "none.json: not a file of benchmark results"),
    ],
)
def test_wrong_flags_are_told_before_anything_is_measured(
    model: Path, call: Call, args: tuple[str, ...], code: int, message: str
) -> None:
    actual, out, err = call("benchmark", model, *args)
    assert (actual, out) == (code, "")
    assert err.startswith(f"error: {message}")


def test_a_gpu_for_tflite_alone_is_a_failure_that_says_why(model: Path, call: Call) -> None:
    code, out, err = call("benchmark", model, "--device", "gpu")
    assert code == 1
    assert "skipped:" in out
    assert "LiteRT runs on the CPU only" in err


def test_beside_a_cpu_row_a_missing_gpu_is_only_a_line(model: Path, call: Call) -> None:
    code, out, err = call("benchmark", model, *QUICK, "--device", "cpu,gpu")
    assert (code, err) == (0, "")
    assert "model_float32.tflite with litert on gpu: LiteRT runs on the CPU only" in out


def test_no_model_is_a_failure(call: Call) -> None:
    code, _, err = call("benchmark", "nothing.tflite")
    assert code == 1
    assert "nothing.tflite: no such model" in err
