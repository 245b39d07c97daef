"""The epochs of a training, and the callbacks around them."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from kseg.card import ModelCard
from kseg.config import RunConfig, TrainConfig
from kseg.data.pipeline.batches import data_errors, no_automatic_gc
from kseg.errors import Interrupted, TrainingError, shell_command
from kseg.models import NetworkSpec, build_model, load_model
from kseg.run_folder import RunFolder
from kseg.signals import StopSignal
from kseg.sizes import format_size
from kseg.training.average import average_callbacks
from kseg.training.callbacks import EarlyStopping, ResultsLogger, StopAtStep, StopOnNan, StopRequest
from kseg.training.checkpoints import Checkpoints, mode_of
from kseg.training.compress import needs_own_process, settling_epochs
from kseg.training.data import TrainingData
from kseg.training.finetune import unfreeze_callbacks
from kseg.training.pictures import ValidationPanel, draw_results
from kseg.training.reporter import Reporter
from kseg.training.state import StateKeeper
from kseg.training.trained import compression_callbacks, trained_of
from kseg.training.writer import Writer

__all__ = ["Callbacks", "run_epochs"]

_log = logging.getLogger("kseg")


class Callbacks:
    """The callbacks of a training, in the order in which Keras calls them.

    Args:
        network: The compiled network.
        folder: The run folder.
        card: The model card of the checkpoints.
        spec: The network's structure.
        train: The settings of the training.
        run: The settings of the run folder.
        data: The data of the training.
        reporter: Receives the progress.
        stop: Set when a signal asks to stop.
        facts: What the card says of ``train.compress``, but for what is reached in the training.
    """

    def __init__(
        self,
        network: keras.Model,
        folder: RunFolder,
        card: ModelCard,
        spec: NetworkSpec,
        train: TrainConfig,
        run: RunConfig,
        data: TrainingData,
        reporter: Reporter,
        stop: StopRequest,
        facts: Mapping[str, Any],
    ) -> None:
        self.folder = folder
        self.panel = ValidationPanel.of(data.dataset.splits["val"], data.dataset.labels, spec.size)
        writer = Writer()
        saved = build_model(spec)
        self.checkpoints = Checkpoints(
            folder, trained_of(network, saved, train, facts), saved, card,
            monitor=train.monitor, every=run.save_every, draw=self.panel.draw, writer=writer,
        )  # fmt: skip
        self.results = ResultsLogger(folder, self.checkpoints, reporter, batch=data.batch)
        tensorboard = [keras.callbacks.TensorBoard(folder.tensorboard, write_graph=False)] if run.tensorboard else []
        callbacks = [
            *unfreeze_callbacks(train),
            *compression_callbacks(train),
            StopOnNan(data.files_of, self.checkpoints.last_good),
            StopAtStep(stop),
            *average_callbacks(train),
            self.checkpoints,
            self.results,
            *tensorboard,
            *_early_stopping(train),
        ]
        keeper = StateKeeper(folder.state, data.dataset.fingerprint(), writer, callbacks)
        # Of a twin there is no state to resume from.
        self.all = callbacks if needs_own_process(train) else [*callbacks, keeper]

    def save_interrupted(self, number: int) -> Interrupted:
        """Save the current weights to last.keras; returns the error to raise, which says where they are.

        Args:
            number: The signal that stopped the training.
        """
        self.checkpoints.save_last()
        if self.results.rows:
            draw_results(self.folder.curves, self.results.rows)
        resume = shell_command("kseg", "fit", "--resume", self.folder.path)
        return Interrupted(
            "stopped", where=str(self.folder.path), found=f"{len(self.results.rows)} finished epochs",
            remedy=f"the current weights are in {self.folder.last}"
            + (f"; continue with {resume}" if self.folder.state.is_file() else ""), number=number,
        )  # fmt: skip

    def draw_outcome(self) -> None:
        """Draw the scores over the epochs, and the best network's predictions for some validation images."""
        draw_results(self.folder.curves, self.results.rows)
        # Loaded from its file, so that the picture shows what `kseg predict` will return.
        network, card = load_model(self.folder.best)
        if not self.panel.draw(self.folder.val_predictions, network, card):
            picture = self.folder.val_predictions
            _log.warning("the best network predicts background only for the validation images: see %s", picture)


def _early_stopping(train: TrainConfig) -> list[keras.callbacks.Callback]:
    if not train.patience:
        return []
    first = settling_epochs(train)
    mode = mode_of(train.monitor)
    return [EarlyStopping(monitor=train.monitor, mode=mode, patience=train.patience, start_from_epoch=first)]


def run_epochs(
    network: keras.Model, train: TrainConfig, data: TrainingData, callbacks: Callbacks, *, epochs_done: int
) -> float:
    """Train until the last epoch, or until early stopping ends it.

    Args:
        network: The compiled network.
        train: The settings of the training.
        data: The data of the training.
        callbacks: Their effects are files in the run folder, and reports.
        epochs_done: The number of epochs that an interrupted run has finished.

    Returns:
        The wall time in seconds.

    Raises:
        Interrupted: The user, or a signal, stopped it.
        TrainingError: The loss became NaN, or memory ran out.
        DataError: A file can no longer be read.
        OutputError: A checkpoint cannot be written.
    """
    begin = time.perf_counter()
    try:
        with data_errors(), _memory_errors(train), no_automatic_gc():
            network.fit(
                data.train_batches(start=epochs_done * data.steps),
                initial_epoch=epochs_done,
                epochs=train.epochs,
                steps_per_epoch=data.steps,
                validation_data=data.val_batches(),
                validation_steps=data.val_steps,
                callbacks=callbacks.all,
                shuffle=False,  # the input pipeline shuffles; Keras would warn
                verbose=0,
            )
    except KeyboardInterrupt as stop:
        number = stop.number if isinstance(stop, StopSignal) else signal.SIGINT
        raise callbacks.save_interrupted(number) from stop
    return time.perf_counter() - begin


@contextmanager
def _memory_errors(train: TrainConfig) -> Iterator[None]:
    """Turn a backend's out-of-memory error into a TrainingError that names the settings to lower."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, RuntimeError) as error:
        # JAX raises RuntimeError for every failure on the device; only the text says which one.
        if isinstance(error, RuntimeError) and not str(error).startswith("RESOURCE_EXHAUSTED"):
            raise
        raise TrainingError(
            "out of memory in a training step", where="train.batch",
            found=f"batch {train.batch} at {format_size(train.imgsz)}",
            remedy="use a smaller --batch, --imgsz or model.widths",
        ) from error  # fmt: skip
