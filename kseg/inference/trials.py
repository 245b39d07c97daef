"""Try a model in several runtimes, each in a fresh process, within a given time.

Each in a process of its own: runtimes in one process disturb one another by threads that wait actively and by memory
that is never returned, only a process can be stopped when the time is over, and a runtime that crashes on a file of
another one takes nothing with it. The processes load the model at the same time and are timed one after another.
"""

from __future__ import annotations

import base64
import json
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.child_process import python_command
from kseg.inference.runtime_table import RuntimeName

__all__ = ["NOT_READY", "Trial", "try_runtimes"]

NOT_READY: Final = "not ready within a second"

_FOR_TIMING: Final = 0.15
"""The share of the time that is kept for the timed calls: a runtime that is not loaded before is stopped."""


@dataclass(frozen=True)
class Trial:
    """A model in one runtime.

    Args:
        failure: Why there is no measurement; None if there is one.
        load_s: Seconds to import the runtime and load the model.
        latency_ms: The median latency of an image in milliseconds.
        scores: The scores of the probe images: float32 ``[2, h, w, C]``, or of a regular sample of their pixels.
    """

    failure: str | None = None
    load_s: float = 0.0
    latency_ms: float = 0.0
    scores: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))


def try_runtimes(
    model: Path, card: ModelCard, runtimes: Sequence[RuntimeName], *, threads: int | None, seconds: float
) -> dict[RuntimeName, Trial]:
    """Load the model into each runtime, and measure those that are ready in time.

    Args:
        model: The file or folder.
        card: Its card.
        runtimes: The runtimes, in the order of their turns.
        threads: The number of CPU threads; None as in the runtimes' ``load``.
        seconds: The time for all.
    """
    start = time.monotonic()
    processes = {runtime: _start(model, card, runtime, threads) for runtime in runtimes}
    try:
        loaded = _await_loading(processes, start + (1 - _FOR_TIMING) * seconds)
        return {runtime: _take_turn(processes[runtime], answer, start + seconds) for runtime, answer in loaded.items()}
    finally:
        for process in processes.values():
            _stop(process)


def _start(model: Path, card: ModelCard, runtime: str, threads: int | None) -> subprocess.Popen[bytes]:
    job = {"path": str(model.resolve()), "runtime": runtime, "threads": threads, "card": _contract(card).to_json()}
    process = subprocess.Popen(
        python_command("kseg.inference.trial_process"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _tell(process, json.dumps(job))
    return process


def _contract(card: ModelCard) -> ModelCard:
    """The card without its long parts, which no runtime reads."""
    return replace(card, network={}, provenance={})


def _await_loading(
    processes: Mapping[RuntimeName, subprocess.Popen[bytes]], deadline: float
) -> dict[RuntimeName, Mapping[str, Any]]:
    answers = {runtime: _answer(process, deadline) for runtime, process in processes.items()}
    for runtime, answer in answers.items():
        if answer.get("error"):
            _stop(processes[runtime])  # it would disturb those that are timed
    return answers


def _take_turn(process: subprocess.Popen[bytes], loaded: Mapping[str, Any], deadline: float) -> Trial:
    if loaded.get("error"):
        return Trial(str(loaded["error"]))
    _tell(process, "measure")
    answer = _answer(process, deadline)
    _stop(process)
    if answer.get("error"):
        return Trial(str(answer["error"]))
    scores = np.frombuffer(base64.b64decode(answer["scores"]), "<f4").reshape(answer["shape"])
    return Trial(None, float(loaded["load_s"]), float(answer["latency_ms"]), scores)


def _tell(process: subprocess.Popen[bytes], line: str) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has ended; reading its answer says so
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()


def _answer(process: subprocess.Popen[bytes], deadline: float) -> Mapping[str, Any]:
    """The next line of a process, or ``{"error": reason}``."""
    assert process.stdout is not None
    data = b""
    while not data.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return {"error": NOT_READY}
        part = process.stdout.read1(1 << 20)  # type: ignore[attr-defined]
        if not part:
            return {"error": f"its process ended with status {process.wait()}"}
        data += part
    return dict(json.loads(data))


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()
