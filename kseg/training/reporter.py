"""What a training tells while it runs and when it ends; who listens decides how to show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kseg.run_folder import EpochRow

__all__ = ["FitResult", "Reporter"]


class Reporter:
    """Hears nothing; override what you want to show."""

    def reading(self, done: int, total: int) -> None:
        """``done`` of ``total`` files are checked or decoded."""

    def started(self, folder: Path, facts: Mapping[str, str]) -> None:
        """The run folder exists and training begins; ``facts`` in the order in which they should be shown."""

    def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
        """``step`` of ``steps`` in ``epoch`` (both from 1) is done."""

    def epoch(self, row: EpochRow, epochs: int, *, best: bool) -> None:
        """An epoch is done and written; ``best`` if it is the best so far."""

    def finished(self) -> None:
        """No more will be told."""


@dataclass(frozen=True)
class FitResult:
    """What a training came to.

    Args:
        folder: The run folder.
        rows: One row an epoch, as in results.csv.
        best_epoch: The epoch, from 1, whose weights are in best.keras.
        seconds: Wall time of the training loop, validations and checkpoints included.
        stopped_early: Early stopping ended it.
    """

    folder: Path
    rows: Sequence[EpochRow]
    best_epoch: int
    seconds: float
    stopped_early: bool

    @property
    def best(self) -> EpochRow:
        """The best epoch's row."""
        return self.rows[self.best_epoch - 1]
