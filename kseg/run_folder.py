"""`RunFolder`: the files that a training writes, and their paths.

::

    runs/fit/<name>/
      args.yaml          every setting, with defaults and absolute paths
      env.json           the command, versions, hardware, precision
      data.json          files, hashes and split
      weights/best.keras, weights/last.keras
      weights/epoch_0010.keras, …    with run.save_every
      weights/training.npz           during training: the state that `kseg fit --resume` continues from
      results.csv, results.png
      tensorboard/train/, tensorboard/validation/    with run.tensorboard
      labels.png         class frequencies
      train_batch.jpg    the first training batch, as the network gets it
      val_pred.jpg       image, ground truth and prediction of the best epoch
      val_pred_0010.jpg, …           the same for other epochs, with run.save_every
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kseg.errors import UsageError, shell_command
from kseg.files import make_folder, new_folder, write_text

__all__ = ["EpochRow", "RunFolder"]

EpochRow = Mapping[str, float]
"""A row of results.csv: epoch, seconds, images_per_s, learning_rate, and each training and validation score."""


@dataclass(frozen=True)
class RunFolder:
    """Paths of the files of a run; its properties do not check that they exist.

    Args:
        path: The run's folder.
    """

    path: Path

    @classmethod
    def create(cls, project: Path, name: str) -> RunFolder:
        """Create ``project/fit/name``, or ``name2``, ``name3`` … where it exists. Raises OutputError."""
        folder = cls(new_folder(project / "fit", name))
        make_folder(folder.best.parent)
        return folder

    @classmethod
    def containing(cls, path: str | Path) -> RunFolder | None:
        """The run folder that ``path`` is, or that contains ``path`` (at most two levels up); None if there is none."""
        place = Path(path)
        parents = (place, place.absolute().parent, place.absolute().parent.parent)
        return next((cls(p) for p in parents if cls(p).is_run and cls(p).data.is_file()), None)

    @classmethod
    def open_interrupted(cls, path: Path) -> RunFolder:
        """The folder of an interrupted run, ready to be resumed.

        Raises:
            UsageError: It is not a run folder, is still being trained, has ended, or saved no state yet.
        """
        folder = cls(path)
        if not folder.is_run:
            raise UsageError(
                "no run folder", where=str(path), expected="a folder that kseg fit made, as runs/fit/NAME",
                found="no args.yaml in it" if path.is_dir() else "no such folder",
            )  # fmt: skip
        with folder.locked():
            pass  # only checked here, before the data are read; the training itself holds the lock
        if not folder.state.is_file():
            ended = folder.best.is_file()
            raise UsageError(
                "the run has ended" if ended else "the run was stopped in its first epoch", where=str(path),
                expected=f"{folder.state.relative_to(path)}, which is there after each epoch until the last one",
                remedy=f"train on in a new run: {folder.new_run_command(path)}"
                if ended else f"begin anew: {folder.new_run_command()}",
            )  # fmt: skip
        return folder

    def new_run_command(self, start: Path | None = None) -> str:
        """The command that trains with the settings of this run in a new one, for messages.

        Args:
            start: The run or model whose weights it starts from.
        """
        if start is None:
            return shell_command("kseg", "fit", self.args)
        # The value of --set is YAML, to which some characters have a meaning, but not between JSON's quotes.
        text = str(start) if re.fullmatch(r"[\w./ -]*/[\w./ -]*", str(start)) else json.dumps(str(start))
        return shell_command("kseg", "fit", self.args, "--set", f"model.start={text}")

    @property
    def is_run(self) -> bool:
        """Whether a training created this folder: it has an args.yaml."""
        return self.args.is_file()

    @property
    def args(self) -> Path:
        """Every setting, with defaults filled in and paths absolute, as YAML."""
        return self.path / "args.yaml"

    @property
    def environment(self) -> Path:
        """The command, versions, hardware and precision, as JSON."""
        return self.path / "env.json"

    @property
    def data(self) -> Path:
        """The files, their hashes and the split, as JSON."""
        return self.path / "data.json"

    @property
    def results(self) -> Path:
        """The scores of each epoch, as CSV."""
        return self.path / "results.csv"

    @property
    def curves(self) -> Path:
        """The curves of the scores over the epochs, as an image."""
        return self.path / "results.png"

    @property
    def class_frequencies(self) -> Path:
        """The class frequencies, as an image."""
        return self.path / "labels.png"

    @property
    def train_batch(self) -> Path:
        """The first training batch as the network gets it, as an image."""
        return self.path / "train_batch.jpg"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold an exclusive lock on the folder within the block; the system releases it if the process is killed.

        Raises:
            UsageError: Another process holds the lock.
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
        """The state of the training (optimiser, step, scores …), from which it can be resumed."""
        return self.path / "weights" / "training.npz"

    @property
    def best(self) -> Path:
        """The weights of the best epoch."""
        return self.path / "weights" / "best.keras"

    @property
    def last(self) -> Path:
        """The weights of the last finished epoch, or of the step at which the training was stopped."""
        return self.path / "weights" / "last.keras"

    def weights_of(self, epoch: int) -> Path:
        """The weights of one epoch, kept with ``run.save_every``."""
        return self.path / "weights" / f"epoch_{epoch:04}.keras"

    @property
    def val_predictions(self) -> Path:
        """Predictions of the best network for some validation images, as an image."""
        return self.path / "val_pred.jpg"

    def val_predictions_of(self, epoch: int) -> Path:
        """Predictions of one epoch's network for the same images, kept with ``run.save_every``."""
        return self.path / f"val_pred_{epoch:04}.jpg"

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard's event files."""
        return self.path / "tensorboard"

    def write_results(self, rows: Sequence[EpochRow]) -> None:
        """Write results.csv, replacing an earlier one. ``rows`` is not empty. Raises OutputError."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: f"{value:.6g}" for key, value in row.items()} for row in rows)
        write_text(self.results, text.getvalue())

    def read_results(self) -> list[EpochRow]:
        """The rows of results.csv; empty if there is no such file."""
        if not self.results.is_file():
            return []
        with self.results.open(encoding="utf-8", newline="") as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
