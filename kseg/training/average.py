"""Weight averaging: the mean of the last epochs' weights is validated and saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from kseg.config import TrainConfig
from kseg.training.state import CallbackState

__all__ = ["WeightAverage", "average_callbacks"]

Logs = Mapping[str, Any] | None


class WeightAverage(keras.callbacks.Callback):
    """Gives the network the mean of the last epochs' weights, from each validation until the next epoch begins.

    After epoch n the average moves towards the trained weights::

        average += (weights - average) / min(n, epochs)

    For the first ``epochs`` epochs this is the plain mean of stochastic weight averaging (Izmailov et al. 2018,
    https://arxiv.org/abs/1803.05407), then an exponential moving average, so that no first epoch has to be chosen.
    The moving statistics of batch normalisation are averaged likewise, which saves the extra pass over the training
    images that recomputes them in the paper. The training itself continues from the trained weights.

    Put it before the callbacks that read the weights (`keras.callbacks.ModelCheckpoint`).

    Args:
        epochs: The length of the average, at least 2.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs
        self._epochs_done = 0
        self._mean: list[Any] = []
        self._trained: list[Any] | None = None

    def on_test_begin(self, logs: Logs = None) -> None:
        """Add the epoch that was just trained to the average, and give it to the network."""
        del logs
        self._trained = self.model.get_weights()
        self._epochs_done += 1
        share = 1 / min(self._epochs_done, self._epochs)
        pairs = zip(self._mean or self._trained, self._trained, strict=True)
        self._mean = [mean + (weights - mean) * share for mean, weights in pairs]
        self.model.set_weights(self._mean)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Give the network back the trained weights."""
        del epoch, logs
        if self._trained is not None:
            self._mean = self._mean or self.model.get_weights()
            self.model.set_weights(self._trained)
            self._trained = None

    def state_dict(self) -> CallbackState:
        """The trained weights, and the number of epochs averaged; the network holds the average between epochs."""
        return {"epochs_done": self._epochs_done, "trained": self._trained or []}

    def load_state_dict(self, state: CallbackState) -> None:
        """Restores the state saved by `state_dict`; the network holds the average."""
        self._epochs_done = int(state["epochs_done"])
        self._trained = list(state["trained"])


def average_callbacks(train: TrainConfig) -> list[keras.callbacks.Callback]:
    """A `WeightAverage` if ``train.average`` asks for one; else nothing."""
    return [WeightAverage(train.average)] if train.average > 1 else []
