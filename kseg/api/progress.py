"""Show progress on stderr: bars and status lines on a terminal, and a line for each epoch of a training anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from kseg.run_folder import EpochRow
from kseg.training import Reporter

__all__ = ["TerminalReporter", "progress_bar", "status_line"]

SHOWN = ("loss", "iou", "dice", "accuracy")


class TerminalReporter(Reporter):
    """Shows the progress of a training on stderr: a bar on a terminal, and a line for each epoch."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task: TaskID | None = None

    def _bar(self, description: str, done: int, total: int, note: str = "") -> None:
        if self.task is None:
            self.progress.start()
            self.task = self.progress.add_task(description, total=total, note=note)
        self.progress.update(self.task, description=description, completed=done, total=total, note=note)

    def reading(self, done: int, total: int) -> None:
        """Update the bar of files that are checked or decoded."""
        self._bar("reading", done, total)

    def started(self, folder: Path, facts: Mapping[str, str]) -> None:
        """Print the run folder and the facts."""
        self.console.print(f"[bold]{folder}[/]")
        width = max(map(len, facts))
        for key, value in facts.items():
            self.console.print(f"  {key:<{width}}  {value}", markup=False, soft_wrap=True)

    def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
        """Update the bar of the epoch's steps, with loss and images/s."""
        self._bar(f"epoch {epoch}", step, steps, f"loss {loss:.4f}  {images_per_s:.1f} images/s")

    def epoch(self, row: EpochRow, epochs: int, *, best: bool) -> None:
        """Print a line with the scores, training → validation."""
        scores = "  ".join(f"{key} {row[key]:.3f}→{row[f'val_{key}']:.3f}" for key in SHOWN)
        self.console.print(
            f"epoch {row['epoch']:3.0f}/{epochs}  {scores}  {row['images_per_s']:.1f} images/s  "
            f"{row['seconds']:.1f} s{'  best' if best else ''}",
            markup=False,
            soft_wrap=True,
        )

    def finished(self) -> None:
        """Remove the bar."""
        self.progress.stop()


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar, on a terminal only; yields a function to call with (done, total)."""
    console = Console(stderr=True)
    columns = (TextColumn(description), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def status_line(description: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a status line, on a terminal only; yields a function to call with (current step, done, total)."""
    with Console(stderr=True).status(description) as status:
        yield lambda step, done, total: status.update(f"{step} {done}/{total}" if total > 1 else step)
