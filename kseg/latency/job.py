"""The job of a measuring process."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Literal

__all__ = ["SEED", "Job"]

SEED = 0
"""The seed of the random pixels that all models are measured on."""


@dataclass(frozen=True)
class Job:
    """One model to measure on one device.

    Args:
        path: The model file or folder.
        runtime: What runs it.
        device: The device to run on.
        threads: The number of CPU threads; None leaves it to the runtime.
        batch: Images in a call.
        warmup: The number of calls before the timed ones; the first is reported separately.
        runs: The number of timed calls.
        started: The time of the job's start by ``time.monotonic``, a clock that all processes share.
    """

    path: str
    runtime: str
    device: Literal["cpu", "gpu"]
    threads: int | None
    batch: int
    warmup: int
    runs: int
    started: float = field(default_factory=time.monotonic)

    def to_json(self) -> str:
        """The job as JSON, for the worker's command line."""
        return json.dumps(asdict(self))
