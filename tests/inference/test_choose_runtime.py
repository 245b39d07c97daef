"""``auto``: the soonest of the runtimes that agree, measured once and remembered. Most tests fake the measurement."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from kseg.card import read_card, write_card
from kseg.errors import UsageError
from kseg.inference import PredictionPlan
from kseg.inference.choose_runtime import choose_runtime
from kseg.inference.trial_process import probe_images
from kseg.inference.trials import NOT_READY, Trial, try_runtimes
from tests.inference.artifacts import RED, SIZE

SCORES = np.linspace(0, 1, 200, dtype=np.float32).reshape(2, 10, 10, 1)
LITERT = Trial(None, load_s=0.1, latency_ms=10.0, scores=SCORES)
OPENVINO = Trial(None, load_s=0.6, latency_ms=5.0, scores=SCORES)


class Machine:
    """Trials that end as they are told to; counts them."""

    def __init__(self, trials):
        self.trials = trials
        self.calls = []

    def __call__(self, model, card, runtimes, *, threads, seconds):
        self.calls.append((model.name, tuple(runtimes), threads, seconds))
        return {runtime: self.trials[runtime] for runtime in runtimes}


@pytest.fixture
def machine(monkeypatch, tmp_path):
    monkeypatch.setenv("KSEG_CACHE", str(tmp_path / "cache"))
    fake = Machine({"litert": LITERT, "onnxruntime": LITERT, "openvino": OPENVINO})
    monkeypatch.setattr("kseg.inference.choose_runtime.try_runtimes", fake)
    return fake


@pytest.fixture
def tflite(models, tmp_path):
    return shutil.copy(models / "red.tflite", tmp_path / "red.tflite")


def quantized(kind="int8", **parity):
    return RED.with_provenance(export={"quantization": kind, "parity": parity})


def test_the_fastest_is_taken_and_the_log_says_why(machine, tflite, caplog):
    with caplog.at_level(logging.INFO, "kseg"):
        assert choose_runtime(tflite, RED) == "openvino"
    assert caplog.messages == ["runtime: openvino (litert 10.0 ms an image, openvino 5.0 ms an image)"]
    assert machine.calls == [("red.tflite", ("litert", "openvino"), None, 1.0)]


@pytest.mark.parametrize(
    ("openvino", "pictures", "expected"),
    [
        (replace(OPENVINO, latency_ms=9.5), None, "litert"),  # 5 % may be noise
        (replace(OPENVINO, latency_ms=8.5), None, "openvino"),
        (replace(OPENVINO, latency_ms=20.0), None, "litert"),
        (OPENVINO, 1, "litert"),  # 0.1 + 0.01 s against 0.6 + 0.005 s
        (OPENVINO, 1000, "openvino"),
        (Trial("no such operation"), None, "litert"),
        (Trial(NOT_READY), None, "litert"),
        (replace(OPENVINO, scores=SCORES + np.float32(9e-4)), None, "openvino"),
        (replace(OPENVINO, scores=SCORES + np.float32(2e-3)), None, "litert"),
        (replace(OPENVINO, scores=SCORES * np.nan), None, "litert"),
        (replace(OPENVINO, scores=SCORES[:1]), None, "litert"),
    ],
)
def test_another_runtime_must_gain_time_and_agree(machine, tflite, openvino, pictures, expected):
    machine.trials["openvino"] = openvino
    assert choose_runtime(tflite, RED, pictures=pictures) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda scores: scores + np.float32(1.5 / 255), "openvino"),  # of 200 scores, one crosses the threshold
        (lambda scores: scores + np.float32(3 / 255), "litert"),
        (lambda scores: np.where(np.abs(scores - 0.5) < 0.011, 1 - scores, scores), "litert"),  # 2 % of the classes
        (lambda scores: scores[:, ::-1], "litert"),
    ],
)
def test_the_scores_of_a_quantised_file_may_differ_by_its_roundings(machine, tflite, change, expected):
    machine.trials["openvino"] = replace(OPENVINO, scores=change(SCORES).astype(np.float32))
    assert choose_runtime(tflite, quantized()) == expected


def test_a_file_of_float16_weights_is_compared_as_floats(machine, tflite):
    machine.trials["openvino"] = replace(OPENVINO, scores=SCORES + np.float32(2e-3))
    assert choose_runtime(tflite, quantized("fp16")) == "litert"


def test_a_runtime_whose_parity_failed_is_never_taken(machine, tflite):
    card = quantized(litert={"passed": True}, openvino={"passed": False})
    assert choose_runtime(tflite, card) == "litert"
    assert machine.calls == [], "there is nothing to choose from"
    failed_on_its_own = quantized(litert={"passed": False}, openvino={"passed": True})
    assert choose_runtime(tflite, failed_on_its_own) == "openvino"
    failed_on_all = quantized(litert={"passed": False}, openvino={"passed": False})
    assert choose_runtime(tflite, failed_on_all) == "litert"
    assert choose_runtime(tflite, RED.with_provenance(export={"parity": ["nonsense"]})) == "openvino"


def test_the_gate_of_the_export_decides_where_it_compared(machine, tflite):
    machine.trials["openvino"] = replace(OPENVINO, scores=SCORES[:, ::-1])
    assert choose_runtime(tflite, quantized("int16x8")) == "litert"
    write_card(tflite, RED.with_provenance(note="another file, whose measurement is not remembered"))
    assert (
        choose_runtime(tflite, quantized("int16x8", litert={"passed": True}, openvino={"passed": True})) == "openvino"
    )


@pytest.mark.usefixtures("machine")
def test_where_int8_sums_saturate_the_exact_runtime_is_taken(models, tflite, monkeypatch):
    monkeypatch.setattr("kseg.processor.cpu_flags", lambda: frozenset({"avx2"}))
    monkeypatch.setattr("kseg.processor.is_x86", lambda: True)
    assert choose_runtime(tflite, quantized()) == "litert"
    assert choose_runtime(tflite, quantized("none")) == "openvino"
    assert choose_runtime(models / "red.onnx", quantized()) == "openvino", "both are affected"


@pytest.mark.parametrize("form", ["red.keras", "saved_model", "red_openvino"])
def test_a_single_runtime_is_taken_without_a_measurement(machine, models, form, caplog):
    with caplog.at_level(logging.INFO, "kseg"):
        plan = PredictionPlan.make(models / form, runtime="auto")
        assert plan.with_runtime().runtime == PredictionPlan.make(models / form).runtime
    assert (machine.calls, caplog.messages) == ([], [])


def test_an_uninstalled_runtime_is_no_candidate(machine, models, tflite, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert choose_runtime(tflite, RED) == "litert"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert choose_runtime(models / "red.onnx", RED) == "onnxruntime", "whose error names the extra"
    monkeypatch.delitem(sys.modules, "openvino")
    assert choose_runtime(models / "red.onnx", RED) == "openvino"
    assert machine.calls == []


def test_for_a_gpu_no_cpu_runtime_is_taken(machine, models, tflite):
    assert choose_runtime(models / "saved_model", RED, device="gpu") == "saved_model"
    with pytest.raises(UsageError, match=r"LiteRT runs .* on the CPU only"):
        PredictionPlan.make(tflite, runtime="auto", device="gpu").load()
    assert machine.calls == []


def test_a_choice_is_remembered(machine, tflite):
    assert [choose_runtime(tflite, RED) for _ in range(3)] == ["openvino"] * 3
    assert choose_runtime(tflite, RED, pictures=1) == "litert", "chosen from the same measurement"
    assert len(machine.calls) == 1


def test_what_changes_the_result_is_measured_again(machine, tflite, monkeypatch):
    choose_runtime(tflite, RED)
    choose_runtime(tflite, RED, threads=1)
    assert [threads for _, _, threads, _ in machine.calls] == [None, 1]
    monkeypatch.setattr("kseg.inference.choice_cache.version", lambda package: f"{package} 99")
    choose_runtime(tflite, RED)
    assert len(machine.calls) == 3
    monkeypatch.setattr("kseg.inference.choice_cache.cpu_name", lambda: "Another CPU")
    choose_runtime(tflite, RED)
    monkeypatch.setattr("kseg.inference.choice_cache.usable_cores", lambda: 97)
    choose_runtime(tflite, RED)
    assert len(machine.calls) == 5
    write_card(tflite, RED.with_provenance(note="another file"))
    choose_runtime(tflite, RED)
    choose_runtime(tflite, RED)
    assert len(machine.calls) == 6


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "",
        lambda text: text[: len(text) // 2],
        lambda _: "[1]",
        lambda text: text.replace('"schema": 1', '"schema": 0'),
        lambda text: text.replace('"latency_ms": 5.0', '"latency_ms": null'),
        lambda text: text.replace('"openvino": {', '"openvin": {'),
        lambda text: text.replace('"cores"', '"corse"'),
    ],
)
def test_a_damaged_cache_is_measured_again(machine, tflite, tmp_path, damage):
    choose_runtime(tflite, RED)
    (file,) = (tmp_path / "cache" / "runtimes").iterdir()
    damaged = damage(file.read_text())
    assert damaged != file.read_text()
    file.write_text(damaged)
    assert [choose_runtime(tflite, RED) for _ in range(2)] == ["openvino"] * 2
    assert len(machine.calls) == 2
    json.loads(file.read_text())


def test_a_cache_that_cannot_be_written_is_no_error(machine, tflite, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert [choose_runtime(tflite, RED) for _ in range(2)] == ["openvino"] * 2
    assert len(machine.calls) == 2


def test_what_was_not_ready_in_time_is_tried_three_times_a_day(machine, tflite, monkeypatch):
    machine.trials["openvino"] = Trial(NOT_READY)
    assert [choose_runtime(tflite, RED) for _ in range(5)] == ["litert"] * 5
    assert len(machine.calls) == 3

    class Tomorrow(date):
        @classmethod
        def today(cls):
            return cls(2999, 1, 2)

    monkeypatch.setattr("kseg.inference.choose_runtime.date", Tomorrow)
    machine.trials["openvino"] = OPENVINO
    assert [choose_runtime(tflite, RED) for _ in range(2)] == ["openvino"] * 2
    assert len(machine.calls) == 4


@pytest.mark.parametrize("form", ["red.tflite", "red_int8.tflite", "red.onnx"])
def test_processes_measure_a_real_file(models, form):
    runtimes = PredictionPlan.make(models / form).runtime, "openvino"
    own, other = try_runtimes(models / form, RED, runtimes, threads=1, seconds=120).values()
    assert (own.failure, other.failure) == (None, None)
    assert own.scores.shape == other.scores.shape == (2, *SIZE, 1)
    expected = PredictionPlan.make(models / form).load().run(probe_images(*SIZE))
    np.testing.assert_allclose(own.scores, expected, atol=1e-6)
    np.testing.assert_allclose(other.scores, expected, atol=1 / 255)
    assert min(own.latency_ms, own.load_s, other.latency_ms, other.load_s) > 0


def test_a_file_that_a_runtime_cannot_load_is_a_reason_and_no_crash(models, tmp_path):
    (tmp_path / "torn.tflite").write_bytes((models / "red.tflite").read_bytes()[:700])
    trials = try_runtimes(tmp_path / "torn.tflite", RED, ("litert", "openvino"), threads=1, seconds=120)
    assert all("the model is corrupt" in trial.failure for trial in trials.values())


def test_when_the_time_is_over_the_processes_end(models):
    trials = try_runtimes(models / "red.tflite", RED, ("litert", "openvino"), threads=1, seconds=0)
    assert [trial.failure for trial in trials.values()] == [NOT_READY] * 2
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_probe_images_reach_the_extreme_colours():
    images = probe_images(40, 60)
    assert (images.shape, images.dtype) == ((2, 40, 60, 3), np.uint8)
    assert set(np.unique(images[1])) == {0, 255}
    assert images[0].min() < 20
    assert images[0].max() > 235
    assert np.abs(np.diff(images[0].astype(int), axis=1)).max() < 60, "smooth"
    np.testing.assert_array_equal(images, probe_images(40, 60))


PROGRAM = """
import sys
from kseg.inference import PredictionPlan
import numpy as np
plan = PredictionPlan.make(sys.argv[1], runtime="auto").with_runtime()
heavy = {"tensorflow", "keras", "openvino", "onnxruntime", "ai_edge_litert"}
print(plan.runtime, *sorted(heavy & set(sys.modules)))
plan.load().predict(np.zeros((5, 5, 3), np.uint8))
print(*sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize(("faster", "imported"), [("litert", "ai_edge_litert"), ("openvino", "openvino")])
def test_nothing_but_the_chosen_runtime_is_imported(machine, tflite, faster, imported):
    machine.trials[faster] = replace(machine.trials[faster], latency_ms=1.0)
    choose_runtime(tflite, read_card(tflite))
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tflite)], capture_output=True, text=True, env=os.environ
    )
    assert process.stdout.splitlines() == [faster, imported]
    assert process.stderr == ""
