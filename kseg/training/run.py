"""`Run`: the result of a training, returned by `kseg.fit`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kseg.html import rich_html
from kseg.run_folder import EpochRow

__all__ = ["Run"]


@dataclass(frozen=True, repr=False)
class Run:
    """A finished training. It is shown as a table in a notebook, and is path-like: usable wherever a run folder is.

    Args:
        folder: The run folder.
        rows: One row an epoch, as in results.csv.
        best_epoch: The epoch, counted from 1, whose weights are in best.keras.
        seconds: Wall time of the training loop, validations and checkpoints included.
        stopped_early: Whether early stopping ended the training.
    """

    folder: Path
    rows: Sequence[EpochRow]
    best_epoch: int
    seconds: float
    stopped_early: bool

    @property
    def best(self) -> EpochRow:
        """The scores of the best epoch, by name: ``run.best["val_iou"]``."""
        return self.rows[self.best_epoch - 1]

    @property
    def history(self) -> dict[str, list[float]]:
        """Name of a score → its values, one an epoch, as Keras' ``History.history``: ``run.history["val_loss"]``."""
        return {name: [row[name] for row in self.rows] for name in self.rows[0]}

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        scores = ", ".join(f"{name}={value:.4g}" for name, value in self.best.items() if name.startswith("val_"))
        return f"Run({str(self.folder)!r}, best epoch {self.best_epoch} of {len(self.rows)}: {scores})"

    def _repr_html_(self) -> str:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table("score", "training", "validation", box=box.SIMPLE_HEAD)
        for name in self.best:
            if f"val_{name}" in self.best:
                table.add_row(name, f"{self.best[name]:.4f}", f"{self.best[f'val_{name}']:.4f}")
        return rich_html(Text(f"{self.folder}: best epoch {self.best_epoch} of {len(self.rows)}"), table)
