"""Keras callbacks that watch a training. Early stopping is Keras' own, with a state."""

from __future__ import annotations

import gc
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import keras

from kseg.errors import TrainingError, abbreviate
from kseg.run_folder import EpochRow, RunFolder
from kseg.training.checkpoints import Checkpoints
from kseg.training.reporter import Reporter
from kseg.training.state import CallbackState

__all__ = ["EarlyStopping", "Journal", "StopAtStep", "StopOnNan", "StopRequested", "stop_signals"]

Logs = Mapping[str, Any] | None


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
        """As `on_train_batch_end`, during a validation."""
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


class StopOnNan(keras.callbacks.Callback):
    """Raises `TrainingError` at the first step whose loss is not a number.

    Args:
        files_of: The names of the files in training batch ``step``, counted from 0 over all epochs, for the message.
        last_good: Says which weights are still good, for the message.
    """

    def __init__(
        self, files_of: Callable[[int], list[str]] | None = None, last_good: Callable[[], str] | None = None
    ) -> None:
        super().__init__()
        self.files_of = files_of
        self.last_good = last_good
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Look at the running loss: once a step is NaN or infinite, so is the mean."""
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            files = f"the batch {abbreviate(self.files_of(self.steps), 64)}" if self.files_of else None
            good = f"; {self.last_good()}" if self.last_good else ""
            raise TrainingError(
                f"the loss became {loss} at epoch step {batch + 1} (step {self.steps + 1} in all)",
                where="train.loss", found=files,
                remedy=f"lower train.lr, or look at {'these files' if files else 'the images of this batch'}{good}",
            )  # fmt: skip
        self.steps += 1

    def state_dict(self) -> CallbackState:
        """How many steps are done."""
        return {"steps": self.steps}

    def load_state_dict(self, state: CallbackState) -> None:
        """Restores the state saved by `state_dict`."""
        self.steps = int(state["steps"])


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras' early stopping, which a resumed training can continue instead of starting to wait anew.

    Arguments are those of ``keras.callbacks.EarlyStopping``.
    """

    _state: CallbackState | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Begin to wait, or go on with it."""
        super().on_train_begin(logs)
        if self._state is not None:
            self.wait, self.best = int(self._state["wait"]), self._state["best"]

    def state_dict(self) -> CallbackState:
        """The best score, and the epochs since."""
        return {"wait": self.wait, "best": None if self.best is None else float(self.best)}

    def load_state_dict(self, state: CallbackState) -> None:
        """Restores the state saved by `state_dict`, when the training begins."""
        self._state = state


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
        gc.collect(1)  # `no_automatic_gc` leaves it to us; what this epoch left is young
        self.reporter.epoch(row, self.params["epochs"], best=self.checkpoints.best_epoch == epoch + 1)

    def state_dict(self) -> CallbackState:
        """The rows of the epochs so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state: CallbackState) -> None:
        """Restores the state saved by `state_dict`."""
        self.rows = [dict(row) for row in state["rows"]]
