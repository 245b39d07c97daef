"""The benchmark: measure each model on each device with each number of threads, in a fresh process each."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Literal

from kseg.child_process import python_command
from kseg.environment import environment
from kseg.errors import UsageError
from kseg.latency.job import SEED, Job
from kseg.latency.results import Latency, Results, Row
from kseg.latency.targets import Target
from kseg.processor import usable_cores
from kseg.registry import lookup

__all__ = ["Settings", "run_benchmark"]

Device = Literal["cpu", "gpu"]

NO_GPU = "TensorFlow sees no GPU on this machine"
CPU_ONLY = {
    "litert": "LiteRT runs on the CPU only",
    "onnxruntime": "kseg runs ONNX Runtime on the CPU only",
    "openvino": "kseg runs OpenVINO on the CPU only",
}
"""Runtime → why it is not measured on a GPU."""


@dataclass(frozen=True)
class Settings:
    """The settings of a benchmark.

    Args:
        devices: The devices; None for the CPU, and the GPU if there is one.
        threads: Numbers of CPU threads to measure with; None for the number of cores.
        runs: The number of timed calls.
        warmup: The number of calls before them.
        batch: Images in a call.

    Raises:
        UnknownNameError: There is no such device.
        UsageError: A number is below 1.
    """

    devices: tuple[Device, ...] | None = None
    threads: tuple[int, ...] | None = None
    runs: int = 50
    warmup: int = 10
    batch: int = 1

    def __post_init__(self) -> None:
        for device in self.devices or ():
            lookup({"cpu": True, "gpu": True}, device, kind="device", where="device")
        for name, number in (*(("threads", n) for n in self.threads or ()), *self.counts().items()):
            if number < 1:
                raise UsageError("the number is too small", where=name, expected="at least 1", found=str(number))

    def counts(self) -> dict[str, int]:
        """``runs``, ``warmup`` and ``batch``, which are the same for all rows."""
        return {"runs": self.runs, "warmup": self.warmup, "batch": self.batch}


@dataclass(frozen=True)
class _Case:
    """A row to measure, or to skip for a reason."""

    target: Target
    device: Device
    threads: int | None
    skip_reason: str | None


def run_benchmark(
    targets: Sequence[Target],
    settings: Settings,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Results:
    """Measure each target on each device with each number of threads.

    Args:
        targets: The models, from `kseg.latency.find_targets`.
        settings: The settings of the benchmark.
        on_progress: Called with (done, total).

    Returns:
        A row for each target, device and number of threads. Measurements that fail, or that this machine cannot do
        (there is no GPU), are rows with the reason as ``error``; no exception is raised for them.
    """
    gpus = _find_gpus(targets, settings)
    cases = _list_cases(targets, settings, bool(gpus))
    rows = []
    for done, case in enumerate(cases, start=1):
        rows.append(_measure(case, settings))
        if on_progress:
            on_progress(done, len(cases))
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Results(now, {**environment(), "gpus": gpus}, {**settings.counts(), "seed": SEED}, tuple(rows))


def _find_gpus(targets: Sequence[Target], settings: Settings) -> list[str]:
    """The names of the GPUs; empty if none is needed.

    Found in a fresh process, so that this one neither occupies a GPU nor imports TensorFlow.
    """
    may_use_gpu = settings.devices is None or "gpu" in settings.devices
    if not may_use_gpu or all(target.runtime in CPU_ONLY for target in targets):
        return []
    return [str(name) for name in _run_worker('"gpus"', "gpu").get("gpus", [])]


def _list_cases(targets: Sequence[Target], settings: Settings, has_gpu: bool) -> list[_Case]:
    devices: tuple[Device, ...] = settings.devices or (("cpu", "gpu") if has_gpu else ("cpu",))
    cases = []
    for target in targets:
        for device in devices:
            if device == "cpu":
                cases += [_Case(target, "cpu", n, target.skip_reason) for n in settings.threads or (usable_cores(),)]
            else:
                reason = target.skip_reason or CPU_ONLY.get(target.runtime, None if has_gpu else NO_GPU)
                # Models that cannot run on the GPU get a row only if the user asked for the GPU.
                if reason is None or settings.devices:
                    cases.append(_Case(target, "gpu", None, reason))
    return cases


def _measure(case: _Case, settings: Settings) -> Row:
    target = case.target
    row = Row(
        model=target.model,
        runtime=target.runtime,
        bytes=target.bytes,
        sha256=target.sha256(),
        device=case.device,
        threads=case.threads,
        batch=settings.batch,
        error=case.skip_reason,
    )
    if case.skip_reason:
        return row
    path = str(target.path.resolve())
    job = Job(path, target.runtime, case.device, case.threads, settings.batch, settings.warmup, settings.runs)
    measured = _run_worker(job.to_json(), case.device)
    if "error" in measured:
        return replace(row, error=str(measured["error"]), failed=True)
    times = measured["latencies_ms"]
    return replace(
        row,
        input=tuple(measured["input"]),
        load_s=measured["load_s"],
        first_ms=measured["first_ms"],
        peak_rss_mb=measured["peak_rss_mb"],
        images_per_s=1000 * settings.batch * len(times) / sum(times),
        latency_ms=Latency.of(times),
    )


def _run_worker(job: str, device: Device) -> dict[str, Any]:
    """Run a job in a fresh process; returns its result, or ``{"error": reason}``."""
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if device == "cpu":
        env["CUDA_VISIBLE_DEVICES"] = "-1"
    command = python_command("kseg.latency.worker", job, str(os.getpid()))
    # A KeyboardInterrupt (Ctrl-C, or SIGTERM to the command line) kills the worker, too.
    completed = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    try:
        result = json.loads(completed.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        message = (completed.stderr.strip().splitlines() or ["no error message"])[-1]
        return {"error": f"the measuring process ended with status {completed.returncode}: {message[:300]}"}
    return dict(result)
