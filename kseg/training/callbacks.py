"""Keras callbacks of a training: stop it, and log its epochs. Those with `state_dict` continue in a resumed one."""

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

__all__ = ["EarlyStopping", "ResultsLogger", "StopAtStep", "StopOnNan", "StopRequested", "stop_signals"]

Logs = Mapping[str, Any] | None


class StopRequested(Exception):
    """The user asked to stop; raised between two steps, when no weight is half updated."""


class StopAtStep(keras.callbacks.Callback):
    """Raises `StopRequested` after the step during which ``requested`` is set."""

    def __init__(self, requested: threading.Event) -> None:
        super().__init__()
        self.requested = requested

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Raise `StopRequested` if it is set."""
        if self.requested.is_set():
            raise StopRequested

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Raise `StopRequested` if it is set: in a validation, too."""
        self.on_train_batch_end(batch, logs)


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Within the block, the first Ctrl-C (or SIGTERM) sets the event; a second one interrupts at once.

    A KeyboardInterrupt in the middle of a step or of a checkpoint could leave either half done.

    Yields:
        The event. In another thread than the main one, which receives no signals, it is never set.
    """
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, handlers[signal.Signals(number)])
        requested.set()

    for number in handlers:
        signal.signal(number, on_signal)
    try:
        yield requested
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


class StopOnNan(keras.callbacks.Callback):
    """Raises `TrainingError` after the first step whose loss is NaN or infinite.

    Args:
        files_of: Step, counted from 0 over all epochs → the files of its batch, for the message. Defaults to none.
        last_good: Returns a text that says which weights are still good, for the message. Defaults to none.
    """

    def __init__(
        self, files_of: Callable[[int], list[str]] | None = None, last_good: Callable[[], str] | None = None
    ) -> None:
        super().__init__()
        self.files_of = files_of
        self.last_good = last_good
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Check the running mean of the loss, which is NaN or infinite as soon as one step's loss is."""
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
        """The number of finished steps."""
        return {"steps": self.steps}

    def load_state_dict(self, state: CallbackState) -> None:
        """Restores the state saved by `state_dict`."""
        self.steps = int(state["steps"])


class EarlyStopping(keras.callbacks.EarlyStopping):
    """`keras.callbacks.EarlyStopping`, with the same arguments, whose best score and patience survive a resumption."""

    _state: CallbackState | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Reset the patience, or restore it in a resumed training."""
        super().on_train_begin(logs)
        if self._state is not None:
            self.wait, self.best = int(self._state["wait"]), self._state["best"]

    def state_dict(self) -> CallbackState:
        """The best score, and the number of epochs since then."""
        return {"wait": self.wait, "best": None if self.best is None else float(self.best)}

    def load_state_dict(self, state: CallbackState) -> None:
        """Restores the state saved by `state_dict`; it takes effect when the training begins."""
        self._state = state


class ResultsLogger(keras.callbacks.Callback):
    """Times the epochs, writes results.csv after each, and calls the reporter.

    It comes after `Checkpoints` in the list of callbacks, since it reports whether the epoch is the best one.

    Args:
        folder: The run folder.
        checkpoints: Knows which epoch is the best.
        reporter: Receives each step and each epoch.
        batch: Images in a step.
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
        """Start to measure the time of the epoch."""
        self._epoch = epoch + 1
        self._begin = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Report the step, with the images/s of the epoch so far, which do not include the validation."""
        self._end = time.perf_counter()
        rate = (batch + 1) * self.batch / max(self._end - self._begin, 1e-9)
        self._rate = rate
        self.reporter.step(self._epoch, batch + 1, self.params["steps"], rate, float((logs or {})["loss"]))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Add the epoch to results.csv, and report it."""
        row = {
            "epoch": float(epoch + 1),
            "seconds": time.perf_counter() - self._begin,
            "images_per_s": self._rate,
            "learning_rate": float(self.model.optimizer.learning_rate),
            **{key: float(value) for key, value in (logs or {}).items()},
        }
        self.rows.append(row)
        self.folder.write_results(self.rows)
        gc.collect(1)  # `no_automatic_gc` turned the collector off; garbage of this epoch is in a young generation
        self.reporter.epoch(row, self.params["epochs"], best=self.checkpoints.best_epoch == epoch + 1)

    def state_dict(self) -> CallbackState:
        """The rows of the epochs so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state: CallbackState) -> None:
        """Restores the state saved by `state_dict`."""
        self.rows = [dict(row) for row in state["rows"]]
