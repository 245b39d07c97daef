"""Checkpoints: last.keras, best.keras and those of ``run.save_every``, written by a thread during the next epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras

from kseg.card import ModelCard
from kseg.files import link_or_copy
from kseg.models import save_model
from kseg.run_folder import RunFolder
from kseg.training.state import CallbackState
from kseg.training.trained import Trained
from kseg.training.writer import Writer

__all__ = ["Checkpoints", "mode_of"]

Logs = Mapping[str, Any] | None
Draw = Callable[[Path, keras.Model, ModelCard], object]


def mode_of(monitor: str) -> str:
    """``min`` if a lower value of the monitored score is better (a loss), else ``max``; as Keras' callbacks take it."""
    return "min" if monitor.endswith("loss") else "max"


class Checkpoints(keras.callbacks.Callback):
    """Writes last.keras after each epoch, best.keras after each best one, and those of ``run.save_every``.

    Keras takes a quarter of a second of Python to write even a small network, so it is done during the next epoch,
    from a copy of the weights; a failed write ends the training at the next epoch's end.

    Args:
        folder: The run folder.
        trained: The network under training, whose weights are copied.
        network: The network that is saved: of the same structure, in float32, ending in the activation.
        card: The model card; the epoch and its scores are added.
        monitor: The log entry that says which epoch is the best.
        every: Epochs between checkpoints that are kept, with a picture of predictions; 0 keeps none.
        draw: Draws the predictions of a network into a file; called in the writer's thread.
        writer: The thread that writes.
    """

    def __init__(
        self,
        folder: RunFolder,
        trained: Trained,
        network: keras.Model,
        card: ModelCard,
        *,
        monitor: str,
        every: int,
        draw: Draw,
        writer: Writer,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.trained = trained
        self.network = network
        self.card = card
        self.monitor = monitor
        self.every = every
        self.draw = draw
        self.sign = -1.0 if mode_of(monitor) == "min" else 1.0
        self.best_value = -math.inf
        self.best_epoch = 0
        self.epochs = 0
        self.last_epoch = 0
        self.writer = writer
        self._settled = trained.settled

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Queue the checkpoint. A NaN score is never the best, except in the first epoch, so that best.keras exists.

        The first epoch whose network is settled is better than all before it.
        """
        scores = {key: float(value) for key, value in (logs or {}).items()}
        value = self.sign * scores[self.monitor]
        self.epochs = epoch + 1
        if self.trained.settled and not self._settled:
            self._settled, self.best_value, self.best_epoch = True, -math.inf, 0
        better = value > self.best_value or self.best_epoch == 0
        if better:
            self.best_value = value if not math.isnan(value) else -math.inf
            self.best_epoch = epoch + 1
        card = self.card.with_provenance(epoch=epoch + 1, scores=_finite(scores), **self.trained.facts())
        permanent = self.every > 0 and (epoch + 1) % self.every == 0
        self.writer.wait()
        self.writer.submit(partial(self._save, self.trained.weights(), card, better=better, permanent=permanent))

    def _save(self, weights: list[Any], card: ModelCard, *, better: bool, permanent: bool) -> None:
        epoch = int(card.provenance["epoch"])
        self._write(weights, card, [self.folder.best] * better + [self.folder.weights_of(epoch)] * permanent)
        if permanent:
            self.draw(self.folder.val_predictions_of(epoch), self.network, card)

    def _write(self, weights: list[Any], card: ModelCard, copies: Sequence[Path] = ()) -> None:
        self.network.set_weights(weights)
        save_model(self.network, self.folder.last, card)
        for path in copies:
            # The same bytes under another name: writing them twice would take as long again.
            link_or_copy(self.folder.last, path)
        self.last_epoch = int(card.provenance["epoch"])

    def state_dict(self) -> CallbackState:
        """The best score, its epoch, and the number of finished epochs."""
        return {"epochs": self.epochs, "best_value": self.best_value, "best_epoch": self.best_epoch}

    def load_state_dict(self, state: CallbackState) -> None:
        """Restores the state saved by `state_dict`, so that best.keras is replaced only by a better network."""
        self.best_value, self.best_epoch = float(state["best_value"]), int(state["best_epoch"])
        self.epochs = self.last_epoch = int(state["epochs"])

    def save_last(self) -> None:
        """Write the current weights to last.keras. Raises OutputError, in which case the earlier file stays."""
        self.writer.wait()
        card = self.card.with_provenance(epoch=self.last_epoch, **self.trained.facts())
        self._write(self.trained.weights(), card)

    def on_train_end(self, logs: Logs = None) -> None:
        """Wait until the last checkpoint is written. Raises what the write raised."""
        self.writer.wait()

    def last_good(self) -> str:
        """A text for error messages: which file has the weights of the last finished epoch."""
        self.writer.wait()
        if not self.last_epoch:
            return "no epoch was finished, so there are no weights to keep"
        return f"the weights of epoch {self.last_epoch} are in {self.folder.last}"


def _finite(scores: Mapping[str, float]) -> dict[str, float | None]:
    # JSON has no NaN.
    return {key: round(value, 6) if math.isfinite(value) else None for key, value in scores.items()}
