"""A network of Keras 3 that is trained through its twin: Keras' own training loop, metrics and optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import keras
import tensorflow as tf

from kseg.training.compression.twin import Twin

__all__ = ["Method", "SettleTwin", "TwinNetwork", "twin_network"]


class Method(Protocol):
    """Pruning or clustering of a twin."""

    twin: Twin

    @property
    def settled(self) -> bool:
        """Whether the network may be kept: it is as sparse, or has as few values, as it should."""

    def kernels(self) -> Mapping[str, Any]:
        """Name of a layer → its kernel as pruned or clustered."""

    def facts(self) -> Mapping[str, Any]:
        """What was reached, for the model card; plain JSON types."""


class TwinNetwork(keras.Model):
    """The network; its weights are the twin's after `settle`, which a validation needs first (`SettleTwin`)."""

    method: Method

    @property
    def trained_variables(self) -> list[Any]:
        """The variables that the optimiser changes: the twin's."""
        return list(self.method.twin.model.trainable_variables)

    def train_step(self, data: Any) -> Any:
        """One step of the twin, with this network's loss, metrics and optimiser."""
        images, truth = data
        twin = self.method.twin.model
        with tf.GradientTape() as tape:
            outputs = twin(images, training=True)
            loss = self.compute_loss(x=images, y=truth, y_pred=outputs)
        variables = twin.trainable_variables
        self._loss_tracker.update_state(loss, sample_weight=tf.shape(images)[0])
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return self.compute_metrics(images, truth, outputs)

    def settle(self) -> None:
        """Give this network the twin's weights, pruned or clustered."""
        self.method.twin.settle(self.method.kernels())


class SettleTwin(keras.callbacks.Callback):
    """Has a `TwinNetwork` settled before each validation. Before the callbacks that read the weights."""

    def on_test_begin(self, logs: object = None) -> None:
        """Settle the network."""
        del logs
        self.model.settle()


def twin_network(network: keras.Model, method: Method) -> TwinNetwork:
    """The network that trains through the twin of ``method``; it shares the layers of ``network``."""
    trained = TwinNetwork(network.input, network.output, name=network.name)
    trained.method = method
    return trained
