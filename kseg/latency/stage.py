"""The stage: every model on every device with every number of threads, each in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import kseg
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
CPU_ONLY = {"tflite": "LiteRT runs on the CPU only", "onnx": "kseg runs .onnx files on the CPU only"}
"""Runtime → why it has no line for the GPU."""


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Args:
        devices: Which; None for the CPU, and the GPU where there is one.
        threads: CPU threads to try; None for one try with all cores.
        runs: Calls on the clock.
        warmup: Calls before it, at least 1.
        batch: Images a call.

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
        """The numbers that all rows share."""
        return {"runs": self.runs, "warmup": self.warmup, "batch": self.batch}


@dataclass(frozen=True)
class _Plan:
    target: Target
    device: Device
    threads: int | None
    obstacle: str | None


def run_benchmark(
    targets: Sequence[Target],
    settings: Settings,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Results:
    """Measure.

    Args:
        targets: From `kseg.latency.find_targets`.
        settings: See `Settings`.
        on_progress: Called with (done, total).

    Returns:
        A row for every target, device and number of threads. What cannot be measured here (a GPU that is not there)
        or fails is a row too, with the reason; nothing is raised for it.
    """
    gpus = _find_gpus(targets, settings)
    plans = _plan(targets, settings, bool(gpus))
    rows = []
    for done, plan in enumerate(plans, start=1):
        rows.append(_row(plan, settings))
        if on_progress:
            on_progress(done, len(plans))
    shared = {**settings.counts(), "seed": SEED}
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Results(now, {**environment(), "gpus": gpus}, shared, tuple(rows))


def _find_gpus(targets: Sequence[Target], settings: Settings) -> list[str]:
    """The names of the GPUs, asked in a process of its own: this one must not touch them, and needs no TensorFlow."""
    wanted = settings.devices is None or "gpu" in settings.devices
    if not wanted or all(target.runtime in CPU_ONLY for target in targets):
        return []
    return [str(name) for name in _work('"gpus"', "gpu").get("gpus", [])]


def _plan(targets: Sequence[Target], settings: Settings, has_gpu: bool) -> list[_Plan]:
    devices: tuple[Device, ...] = settings.devices or (("cpu", "gpu") if has_gpu else ("cpu",))
    plans = []
    for target in targets:
        for device in devices:
            if device == "cpu":
                plans += [_Plan(target, "cpu", n, target.obstacle) for n in settings.threads or (usable_cores(),)]
            else:
                obstacle = target.obstacle or CPU_ONLY.get(target.runtime, None if has_gpu else NO_GPU)
                # A file that no GPU runs is a line of the table only for one who asked for the GPU.
                if obstacle is None or settings.devices:
                    plans.append(_Plan(target, "gpu", None, obstacle))
    return plans


def _row(plan: _Plan, settings: Settings) -> Row:
    target = plan.target
    row = Row(
        model=target.model,
        runtime=target.runtime,
        bytes=target.bytes,
        sha256=target.sha256(),
        device=plan.device,
        threads=plan.threads,
        batch=settings.batch,
        error=plan.obstacle,
    )
    if plan.obstacle:
        return row
    path = str(target.path.resolve())
    job = Job(path, plan.device, plan.threads, settings.batch, max(settings.warmup, 1), settings.runs)
    found = _work(job.to_json(), plan.device)
    if "error" in found:
        return replace(row, error=str(found["error"]), failed=True)
    times = found["latencies_ms"]
    return replace(
        row,
        input=tuple(found["input"]),
        load_s=found["load_s"],
        first_ms=found["first_ms"],
        peak_rss_mb=found["peak_rss_mb"],
        images_per_s=1000 * settings.batch * len(times) / sum(times),
        latency_ms=Latency.of(times),
    )


def _work(job: str, device: Device) -> dict[str, Any]:
    """Run one job in a fresh process; its result, or ``{"error": reason}``."""
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    # The process must find this kseg, installed or not.
    here = str(Path(kseg.__file__).parent.parent)
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (here, env.get("PYTHONPATH"))))
    if device == "cpu":
        env["CUDA_VISIBLE_DEVICES"] = "-1"
    command = [sys.executable, "-m", "kseg.latency.worker", job]
    done = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace")
    try:
        result = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return {"error": f"the measuring process ended with status {done.returncode}: {last[:300]}"}
    return dict(result)
