"""Keras callbacks of a training. Early stopping is Keras' own."""

from __future__ import annotations

import gc
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any

import keras

from kseg.card import ModelCard
from kseg.errors import TrainingError, some
from kseg.files import same_file
from kseg.models import save_model
from kseg.training.folder import RunFolder
from kseg.training.reporter import EpochRow, Reporter

__all__ = ["Checkpoints", "Journal", "NanGuard", "StopAtStep", "StopRequested", "mode_of", "stop_signals"]

Logs = Mapping[str, Any] | None


def mode_of(monitor: str) -> str:
    """Whether the monitored score is better small or large, in Keras' words."""
    return "min" if monitor.endswith("loss") else "max"


class StopRequested(Exception):
    """The user asked to stop; raised between two steps, where the weights are whole."""


class StopAtStep(keras.callbacks.Callback):
    """Ends a training between two steps once `requested` is set."""

    def __init__(self, requested: threading.Event) -> None:
        super().__init__()
        self.requested = requested

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Raise StopRequested if a signal came during this step."""
        if self.requested.is_set():
            raise StopRequested

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """The same during a validation."""
        self.on_train_batch_end(batch, logs)


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C (or SIGTERM) into an event to be looked at between steps; a second one interrupts at once.

    A KeyboardInterrupt in the middle of a step or of a checkpoint could leave either half done.
    """
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested
        return
    earlier = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, earlier[signal.Signals(number)])
        requested.set()

    for number in earlier:
        signal.signal(number, on_signal)
    try:
        yield requested
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


class NanGuard(keras.callbacks.Callback):
    """Stops at the first step whose loss is not a number, and says which files were in its batch.

    Args:
        files_of: The names of the files in training batch ``step``, counted from 0 over all epochs.
        last_good: Says which weights are still good, for the message.
    """

    def __init__(self, files_of: Callable[[int], list[str]], last_good: Callable[[], str]) -> None:
        super().__init__()
        self.files_of = files_of
        self.last_good = last_good
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Look at the running loss: once a step is NaN or infinite, so is the mean."""
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} at epoch step {batch + 1} (step {self.steps + 1} in all)",
                where="train.loss", found=f"the batch {some(self.files_of(self.steps), 64)}",
                remedy=f"lower train.lr, or look at these files; {self.last_good()}",
            )  # fmt: skip
        self.steps += 1


class Checkpoints(keras.callbacks.Callback):
    """Writes last.keras after each epoch, and best.keras after each that is better than all before.

    Keras takes a quarter of a second of Python to write even a small network, so it is done beside the next epoch,
    from a copy of the weights; one write at a time, and a failed one ends the training at the next epoch's end.

    Args:
        folder: The run folder.
        network: The network that is saved (float32, ending in the activation); it takes the trained weights.
        card: The model card; the epoch and its scores are added.
        monitor: The log entry that decides.
    """

    def __init__(self, folder: RunFolder, network: keras.Model, card: ModelCard, monitor: str) -> None:
        super().__init__()
        self.folder = folder
        self.network = network
        self.card = card
        self.monitor = monitor
        self.sign = -1.0 if mode_of(monitor) == "min" else 1.0
        self.best_value = -math.inf
        self.best_epoch = 0
        self.last_epoch = 0
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Save. A score that is NaN (no foreground in the validation) is never better, but a first file is written."""
        scores = {key: float(value) for key, value in (logs or {}).items()}
        value = self.sign * scores[self.monitor]
        better = value > self.best_value or self.best_epoch == 0
        if better:
            self.best_value = value if not math.isnan(value) else -math.inf
            self.best_epoch = epoch + 1
        card = self.card.with_provenance(epoch=epoch + 1, scores=_finite(scores))
        self.wait()
        self._writing = self._writer.submit(self._write, self.model.get_weights(), card, better)

    def _write(self, weights: list[Any], card: ModelCard, better: bool) -> None:
        self.network.set_weights(weights)
        save_model(self.network, self.folder.last, card)
        if better:
            # The same bytes under another name: writing them twice would take as long again.
            same_file(self.folder.last, self.folder.best)
        self.last_epoch = int(card.provenance["epoch"])

    def wait(self) -> None:
        """Return when all is written. Raises OutputError where it cannot be; the earlier files stay."""
        if self._writing:
            writing, self._writing = self._writing, None
            writing.result()

    def save_last(self) -> None:
        """Write last.keras with the weights as they are now. Raises OutputError; the earlier file stays."""
        self.wait()
        self._write(self.model.get_weights(), self.card.with_provenance(epoch=self.last_epoch), better=False)

    def on_train_end(self, logs: Logs = None) -> None:
        """Wait for the last write."""
        self.wait()

    def last_good(self) -> str:
        """Which weights are good, for an error's remedy."""
        self.wait()
        if not self.last_epoch:
            return "no epoch was finished, so there are no weights to keep"
        return f"the weights of epoch {self.last_epoch} are in {self.folder.last}"


def _finite(scores: Mapping[str, float]) -> dict[str, float | None]:
    # JSON has no NaN.
    return {key: round(value, 6) if math.isfinite(value) else None for key, value in scores.items()}


class Journal(keras.callbacks.Callback):
    """Times the epochs, keeps results.csv, and tells the reporter.

    It comes after `Checkpoints` in the list, since it tells which epoch is the best.
    """

    def __init__(self, folder: RunFolder, checkpoints: Checkpoints, reporter: Reporter, *, batch: int) -> None:
        super().__init__()
        self.folder = folder
        self.checkpoints = checkpoints
        self.reporter = reporter
        self.batch = batch
        self.rows: list[EpochRow] = []
        self._epoch = 0
        self._begin = self._end = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Start the clock."""
        self._epoch = epoch + 1
        self._begin = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Tell the rate of this epoch so far. The validation that follows is not in it."""
        self._end = time.perf_counter()
        rate = (batch + 1) * self.batch / max(self._end - self._begin, 1e-9)
        self._rate = rate
        self.reporter.step(self._epoch, batch + 1, self.params["steps"], rate, float((logs or {})["loss"]))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the row."""
        row = {
            "epoch": float(epoch + 1),
            "seconds": time.perf_counter() - self._begin,
            "images_per_s": self._rate,
            "learning_rate": float(self.model.optimizer.learning_rate),
            **{key: float(value) for key, value in (logs or {}).items()},
        }
        self.rows.append(row)
        self.folder.write_results(self.rows)
        gc.collect(1)  # `collect_apart` leaves it to us; what this epoch left is young
        self.reporter.epoch(row, self.params["epochs"], best=self.checkpoints.best_epoch == epoch + 1)
