"""`Reporter`: receives the progress of a training, and decides how to show it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kseg.run_folder import EpochRow

__all__ = ["Reporter"]


class Reporter:
    """Reporter that does nothing; base class."""

    def reading(self, done: int, total: int) -> None:
        """``done`` of ``total`` files are checked or decoded."""

    def started(self, folder: Path, facts: Mapping[str, str]) -> None:
        """The run folder exists and training begins; ``facts`` in the order in which they should be shown."""

    def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
        """``step`` of ``steps`` in ``epoch`` (both from 1) is done."""

    def epoch(self, row: EpochRow, epochs: int, *, best: bool) -> None:
        """An epoch is done and written; ``best`` if it is the best so far."""

    def finished(self) -> None:
        """The training has ended, or failed; nothing more will be reported."""
