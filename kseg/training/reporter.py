"""`Reporter`: receives the progress of a training. Subclass it to show the progress in another way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kseg.run_folder import EpochRow

__all__ = ["Reporter"]


class Reporter:
    """Reporter that does nothing; base class."""

    def reading(self, done: int, total: int) -> None:
        """Called while the data are read: ``done`` of ``total`` files are checked or decoded."""

    def started(self, folder: Path, facts: Mapping[str, str]) -> None:
        """Called before the first step; ``facts``: heading → text, in the order in which to show them."""

    def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
        """Called after each step; ``epoch`` and ``step`` count from 1, ``loss`` is the mean of the epoch so far."""

    def epoch(self, row: EpochRow, epochs: int, *, best: bool) -> None:
        """Called after each epoch and its validation; ``best`` if it is the best so far."""

    def finished(self) -> None:
        """Called once, when the training has ended or failed."""
