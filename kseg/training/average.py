"""Averaged weights: what is validated and saved is the mean of the last epochs' networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from kseg.config import TrainConfig
from kseg.training.state import CallbackState

__all__ = ["WeightAverage", "average_callbacks"]

Logs = Mapping[str, Any] | None


class WeightAverage(keras.callbacks.Callback):
    """Puts the mean of the last epochs' weights in the network's place, from each validation to the next epoch.

    Each epoch's weights move the average by 1 / min(epochs so far, `epochs`): at first the plain mean of stochastic
    weight averaging (Izmailov et al. 2018, https://arxiv.org/abs/1803.05407), then one that forgets, so that no epoch
    has to be named from which on the weights are worth it. The statistics of batch normalisation are averaged alike,
    which saves the pass over the training images that would find those of the average. It comes before the callbacks
    that read the weights, and takes no part in the training itself.

    Args:
        epochs: The average's length, at least 2.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs
        self._seen = 0
        self._mean: list[Any] = []
        self._trained: list[Any] | None = None

    def on_test_begin(self, logs: Logs = None) -> None:
        """Put the average in, the epoch just trained being part of it."""
        del logs
        self._trained = self.model.get_weights()
        self._seen += 1
        share = 1 / min(self._seen, self._epochs)
        pairs = zip(self._mean or self._trained, self._trained, strict=True)
        self._mean = [mean + (now - mean) * share for mean, now in pairs]
        self.model.set_weights(self._mean)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Go on from where the training was."""
        del epoch, logs
        if self._trained is not None:
            self._mean = self._mean or self.model.get_weights()
            self.model.set_weights(self._trained)
            self._trained = None

    def state_dict(self) -> CallbackState:
        """The trained weights, and the number of epochs averaged; the network holds the average between epochs."""
        return {"seen": self._seen, "trained": self._trained or []}

    def load_state_dict(self, state: CallbackState) -> None:
        """Restores the state saved by `state_dict`; the network holds the average."""
        self._seen = int(state["seen"])
        self._trained = list(state["trained"])


def average_callbacks(train: TrainConfig) -> list[keras.callbacks.Callback]:
    """The callback that the settings need, if any."""
    return [WeightAverage(train.average)] if train.average > 1 else []
