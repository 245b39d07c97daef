"""The run folder: what a training leaves behind, and where.

::

    runs/fit/<name>/
      args.yaml          every setting, resolved
      env.json           the command, versions, hardware, precision
      data.json          files, hashes and split
      weights/best.keras, weights/last.keras
      weights/epoch_0010.keras, …    with run.save_every
      weights/training.npz           while it trains, and after a stop: what `kseg fit --resume` goes on from
      results.csv, results.png
      tensorboard/train/, tensorboard/validation/    with run.tensorboard
      labels.png         class frequencies
      train_batch.jpg    what the network really saw
      val_pred.jpg       image, truth, prediction of the best epoch
      val_pred_0010.jpg, …           the same of others, with run.save_every
"""

from __future__ import annotations

import csv
import fcntl
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kseg.errors import UsageError
from kseg.files import make_folder, new_folder, write_text
from kseg.training.reporter import EpochRow

__all__ = ["RunFolder"]


@dataclass(frozen=True)
class RunFolder:
    """Where each file of a run lies."""

    path: Path

    @classmethod
    def create(cls, project: Path, name: str) -> RunFolder:
        """Make ``project/fit/name``, numbered if it exists. Raises OutputError."""
        folder = cls(new_folder(project / "fit", name))
        make_folder(folder.best.parent)
        return folder

    @classmethod
    def stopped(cls, path: Path) -> RunFolder:
        """The folder of a run that was stopped, can go on, and is no longer trained. Raises UsageError."""
        folder = cls(path)
        if not (folder / "args.yaml").is_file():
            raise UsageError(
                "no run folder", where=str(path), expected="a folder that kseg fit made, as runs/fit/NAME",
                found="no args.yaml in it" if path.is_dir() else "no such folder",
            )  # fmt: skip
        with folder.claimed():
            pass  # told before the data are looked at; `train` claims it for as long as it works
        if not folder.state.is_file():
            ended = folder.best.is_file()
            raise UsageError(
                "the run has ended" if ended else "the run was stopped in its first epoch", where=str(path),
                expected=f"{folder.state.relative_to(path)}, which is there after each epoch until the last one",
                remedy=f"train on in a new run: kseg fit {folder / 'args.yaml'} --set model.start={path}"
                if ended else f"begin anew: kseg fit {folder / 'args.yaml'}",
            )  # fmt: skip
        return folder

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Within the block no other training writes here; the system ends the claim of a process that is killed.

        Raises:
            UsageError: Another training is at work here.
        """
        lock = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(
                    "the run is still being trained", where=str(self.path),
                    expected="a run that was stopped, killed or cut", found="another kseg fit at work in it",
                    remedy="let it end, or stop it first (Ctrl-C)",
                ) from error  # fmt: skip
            except OSError:
                pass  # Some network file systems cannot lock a folder.
            yield
        finally:
            os.close(lock)

    @property
    def state(self) -> Path:
        """What a stopped training needs to go on."""
        return self.path / "weights" / "training.npz"

    @property
    def best(self) -> Path:
        """The weights of the best epoch."""
        return self.path / "weights" / "best.keras"

    @property
    def last(self) -> Path:
        """The weights of the last finished step or epoch."""
        return self.path / "weights" / "last.keras"

    def weights_of(self, epoch: int) -> Path:
        """The weights of an epoch that are to stay."""
        return self.path / "weights" / f"epoch_{epoch:04}.keras"

    @property
    def picture(self) -> Path:
        """What the best network finds in some validation images."""
        return self.path / "val_pred.jpg"

    def picture_of(self, epoch: int) -> Path:
        """What the network of that epoch finds in the same."""
        return self.path / f"val_pred_{epoch:04}.jpg"

    @property
    def tensorboard(self) -> Path:
        """The scores for TensorBoard."""
        return self.path / "tensorboard"

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write_results(self, rows: Sequence[EpochRow]) -> None:
        """Write results.csv whole. Raises OutputError."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: f"{value:.6g}" for key, value in row.items()} for row in rows)
        write_text(self / "results.csv", text.getvalue())
