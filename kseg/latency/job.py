"""What one measuring process is asked to do."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Literal

__all__ = ["SEED", "Job"]

SEED = 0
"""Of the random pixels that every row is measured on."""


@dataclass(frozen=True)
class Job:
    """One model on one device.

    Args:
        path: The model file or SavedModel folder.
        device: Where it runs.
        threads: CPU threads, or None for the runtime's own choice.
        batch: Images a call.
        warmup: Calls before the clock starts, the first of which is timed apart.
        runs: Calls on the clock.
        started: When, on the clock that all processes of the machine share.
    """

    path: str
    device: Literal["cpu", "gpu"]
    threads: int | None
    batch: int
    warmup: int
    runs: int
    started: float = field(default_factory=time.monotonic)

    def to_json(self) -> str:
        """For the worker's command line."""
        return json.dumps(asdict(self))
