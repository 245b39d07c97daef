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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kseg.errors import UsageError
from kseg.files import make_folder, new_folder, write_text

__all__ = ["EpochRow", "RunFolder"]

EpochRow = Mapping[str, float]
"""One line of results.csv: epoch, seconds, images_per_s, learning_rate, and each score of training and validation."""


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
    def containing(cls, path: str | Path) -> RunFolder | None:
        """The run that a path is, or that a model lies in: a run's weights are two levels below it; else None."""
        place = Path(path)
        parents = (place, place.absolute().parent, place.absolute().parent.parent)
        return next((cls(p) for p in parents if cls(p).is_run and cls(p).data.is_file()), None)

    @classmethod
    def open_interrupted(cls, path: Path) -> RunFolder:
        """The folder of a run that was interrupted, can go on, and is no longer trained. Raises UsageError."""
        folder = cls(path)
        if not folder.is_run:
            raise UsageError(
                "no run folder", where=str(path), expected="a folder that kseg fit made, as runs/fit/NAME",
                found="no args.yaml in it" if path.is_dir() else "no such folder",
            )  # fmt: skip
        with folder.claimed():
            pass  # told before the data are looked at; the training claims it for as long as it works
        if not folder.state.is_file():
            ended = folder.best.is_file()
            raise UsageError(
                "the run has ended" if ended else "the run was stopped in its first epoch", where=str(path),
                expected=f"{folder.state.relative_to(path)}, which is there after each epoch until the last one",
                remedy=f"train on in a new run: kseg fit {folder.args} --set model.start={path}"
                if ended else f"begin anew: kseg fit {folder.args}",
            )  # fmt: skip
        return folder

    @property
    def is_run(self) -> bool:
        """Whether a training has made this folder."""
        return self.args.is_file()

    @property
    def args(self) -> Path:
        """Every setting, resolved, as YAML."""
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
        """The scores over the epochs, as a picture."""
        return self.path / "results.png"

    @property
    def class_frequencies(self) -> Path:
        """How frequent the classes are, as a picture."""
        return self.path / "labels.png"

    @property
    def train_batch(self) -> Path:
        """The first training batch as the network sees it, as a picture."""
        return self.path / "train_batch.jpg"

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
        """What an interrupted training needs to go on."""
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
        """The weights of an epoch that are to be kept, with ``run.save_every``."""
        return self.path / "weights" / f"epoch_{epoch:04}.keras"

    @property
    def val_predictions(self) -> Path:
        """What the best network finds in some validation images, as a picture."""
        return self.path / "val_pred.jpg"

    def val_predictions_of(self, epoch: int) -> Path:
        """What the network of that epoch finds in the same images."""
        return self.path / f"val_pred_{epoch:04}.jpg"

    @property
    def tensorboard(self) -> Path:
        """The scores for TensorBoard."""
        return self.path / "tensorboard"

    def write_results(self, rows: Sequence[EpochRow]) -> None:
        """Write results.csv whole. Raises OutputError."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: f"{value:.6g}" for key, value in row.items()} for row in rows)
        write_text(self.results, text.getvalue())

    def read_results(self) -> list[EpochRow]:
        """The rows of results.csv; none where it is not there."""
        if not self.results.is_file():
            return []
        with self.results.open(encoding="utf-8", newline="") as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
