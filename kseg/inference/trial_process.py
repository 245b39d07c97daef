"""The process of one trial: a model in one runtime, its scores of the probe images, and its latency.

The job is a line of JSON on stdin. The process loads the model, prints ``{"load_s": …}``, waits for a line on stdin,
since others are timed meanwhile, and prints ``{"latency_ms": …, "scores": …}``; a failure is ``{"error": …}``.
"""

from __future__ import annotations

import base64
import json
import os
import statistics
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.inference.runtime_table import RUNTIMES

__all__ = ["main", "probe_images"]

_PROBES: Final = 2
_LONGEST_S: Final = 0.05
"""Seconds of timed calls: several of a small network, or the first of a large one."""
_MOST_CALLS: Final = 20
_MOST_SCORES: Final = 1 << 17
"""The scores to compare: a regular sample of the pixels where there are more."""


def probe_images(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Two images uint8 ``[2, h, w, 3]``: smooth colours as in photographs, and hard edges between extreme colours.

    Extreme colours are what saturates the sums of int8 networks.
    """
    rng = np.random.default_rng(0)
    rows, columns = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[None, :, None]
    waves = np.sin(2 * np.pi * (rows * rng.uniform(0, 3, 3) + columns * rng.uniform(0, 3, 3) + rng.uniform(0, 1, 3)))
    smooth = np.rint(127.5 + 127.5 * waves)
    blocks = 255 * rng.integers(0, 2, (-(-height // 8), -(-width // 8), 3))
    hard = np.kron(blocks, np.ones((8, 8, 1)))[:height, :width]
    return np.stack([smooth, hard]).astype(np.uint8)


def main() -> int:
    """Run the trial that stdin describes; returns the exit code."""
    # What libraries print on stdout goes to stderr, so that it does not mix with the JSON.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(result: dict[str, Any]) -> None:
        out.write(json.dumps(result) + "\n")
        out.flush()

    # OpenVINO imports its converter of models, in half of the time of its import, unless it is not there.
    sys.modules["openvino.tools.ovc"] = None  # type: ignore[assignment]
    try:
        job = json.loads(sys.stdin.readline())
        card = ModelCard.from_json(job["card"], where=job["path"])
        start = time.monotonic()
        run = import_module(RUNTIMES[job["runtime"]]).load(
            Path(job["path"]), card, device="cpu", threads=job["threads"]
        )
        answer({"load_s": time.monotonic() - start})
        if sys.stdin.readline():
            answer(_measure(run, probe_images(card.height, card.width)))
    except Exception as error:  # a runtime may raise anything for a file of another one
        answer({"error": (str(error).strip().splitlines() or [type(error).__name__])[0][:300]})
        return 1
    return 0


def _measure(run: Any, images: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """The scores of the images, and the median latency of the calls after the first, which allocates."""
    batches = [image[None] for image in images]
    scores = [run(batches[0])]
    times: list[float] = []
    while not times or (len(times) < _MOST_CALLS and sum(times) < _LONGEST_S):
        start = time.perf_counter()
        result = run(batches[(len(times) + 1) % _PROBES])
        times.append(time.perf_counter() - start)
        if len(scores) < _PROBES:
            scores.append(result)
    sample = _sample(np.concatenate(scores))
    encoded = base64.b64encode(np.ascontiguousarray(sample, "<f4").tobytes()).decode()
    return {"latency_ms": 1000 * statistics.median(times), "scores": encoded, "shape": sample.shape}


def _sample(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    step = int(np.ceil(np.sqrt(max(1.0, scores.size / _MOST_SCORES))))
    return scores[:, ::step, ::step]
