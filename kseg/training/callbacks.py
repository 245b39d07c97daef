"""Keras callbacks of a training: stop it, and log its epochs. Those with `state_dict` continue in a resumed one."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import keras

from kseg.errors import TrainingError, abbreviate
from kseg.run_folder import EpochRow, RunFolder
from kseg.signals import STOP_SIGNALS, StopSignal, handle_signals, raise_stop
from kseg.training.checkpoints import Checkpoints
from kseg.training.reporter import Reporter
from kseg.training.state import CallbackState

__all__ = ["EarlyStopping", "ResultsLogger", "StopAtStep", "StopOnNan", "StopRequest", "stop_signals"]

Logs = Mapping[str, Any] | None


@dataclass
class StopRequest:
    """Whether the training is asked to stop.

    Args:
        number: The signal that asked for it; None before.
    """

    number: int | None = None


class StopAtStep(keras.callbacks.Callback):
    """Raises `StopSignal` after the step during which a stop is requested, when no weight is half updated."""

    def __init__(self, request: StopRequest) -> None:
        super().__init__()
        self.request = request

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Raise `StopSignal` if a stop is requested."""
        if self.request.number is not None:
            raise StopSignal(self.request.number)

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Raise `StopSignal` if a stop is requested: in a validation, too."""
        self.on_train_batch_end(batch, logs)


@contextmanager
def stop_signals() -> Iterator[StopRequest]:
    """Within the block, the first Ctrl-C, SIGTERM or SIGHUP requests a stop; a second one interrupts at once.

    A KeyboardInterrupt in the middle of a step or of a checkpoint could leave either half done.
    """
    request = StopRequest()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if request.number is not None:
            raise_stop(number, frame)
        request.number = number

    with handle_signals(STOP_SIGNALS, on_signal):
        yield request


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
