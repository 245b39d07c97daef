"""The process of one measurement: ``python -m kseg.latency.worker JOB [PARENT]``, with JSON as input and output.

`kseg.latency` starts one for each row, since TensorFlow's thread pools are created once a process, its memory is never
returned to the system, and only in a fresh process does loading include the imports. JOB is the JSON of `Job`; PARENT
the id of the process that started this one, which does not outlive it. The only line on stdout is the JSON of
`measure`'s result, or of ``{"gpus": [...]}`` for the job ``"gpus"``.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kseg.child_process import end_with
from kseg.errors import KsegError
from kseg.latency.job import SEED, Job

if TYPE_CHECKING:
    from kseg.inference import Predictor

__all__ = ["main", "measure"]


def measure(job: Job) -> dict[str, Any]:
    """Load the model and time its inference: from raw pixels at the network's size to scores in the host's memory.

    Returns:
        ``load_s`` (from the start of the process until the predictor is ready), ``first_ms`` (the first call, which
        traces and allocates), ``latencies_ms`` (one for each timed call), ``peak_rss_mb`` (of the process, in MiB),
        ``input`` (height, width, channels) and ``name``.

    Raises:
        ArtifactError: The model cannot be loaded.
        UsageError: There is no such device.
    """
    from kseg.inference import load_predictor

    predictor = load_predictor(Path(job.path), runtime=job.runtime, device=job.device, threads=job.threads)
    load_s = time.monotonic() - job.started
    images = _images(predictor, job.batch)
    first_ms = _time(predictor, images)
    for _ in range(job.warmup - 1):
        _time(predictor, images)
    latencies = [_time(predictor, images) for _ in range(job.runs)]
    return {
        "name": predictor.card.name,
        "input": list(images.shape[1:]),
        "load_s": load_s,
        "first_ms": first_ms,
        "latencies_ms": latencies,
        "peak_rss_mb": _peak_rss_mb(),
    }


def _images(predictor: Predictor, batch: int) -> Any:
    shape = (batch, predictor.card.height, predictor.card.width, 3)
    return np.random.default_rng(SEED).integers(0, 256, shape, np.uint8)


def _time(predictor: Predictor, images: Any) -> float:
    start = time.perf_counter()
    predictor.run(images)
    return (time.perf_counter() - start) * 1000


def _peak_rss_mb() -> float:
    """The peak resident memory of this process in MiB.

    On Linux ``ru_maxrss`` includes the parent's peak, since it survives ``exec``; VmHWM does not.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    except (OSError, StopIteration):
        unit = 1024 * 1024 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _gpus() -> dict[str, Any]:
    from kseg.tensorflow_runtime import visible_gpus

    return {"gpus": [gpu.name for gpu in visible_gpus()]}


def main() -> int:
    """Run the job of the command line and print its result as the only line on stdout; returns the exit code."""
    _, job_text, *parent = sys.argv
    if parent:
        end_with(int(parent[0]))
    # What libraries print on stdout goes to stderr, so that it does not mix with the JSON.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job = json.loads(job_text)
    try:
        result = _gpus() if job == "gpus" else measure(Job(**job))
    except KsegError as error:
        result = {"error": str(error)}
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        result = {"error": f"{type(error).__name__}: {first[:300]}"}
    out.write(json.dumps(result) + "\n")
    out.flush()
    return 1 if "error" in result else 0


if __name__ == "__main__":
    sys.exit(main())
