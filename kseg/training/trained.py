"""What is saved of the network under training: weights in the order of the plain network, and facts for the card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Protocol

import keras

from kseg.config import TrainConfig
from kseg.errors import UsageError, abbreviate
from kseg.models.supervision import plain_network
from kseg.training.acceleration.accelerate import accelerate
from kseg.training.compression.quantization import FixRanges, quantization_aware

__all__ = [
    "Trained", "compression_callbacks", "describe_method", "trained_of", "training_network", "variables_of",
]  # fmt: skip

_FIXED_SHARE: Final = 1 / 3
"""Share of the epochs, the last ones, in which the ranges of int8 no longer move."""


class Trained(Protocol):
    """What is saved of a network under training."""

    @property
    def settled(self) -> bool:
        """Whether the network may be the best one: a pruned one is as sparse as it should be."""

    def weights(self) -> list[Any]:
        """Copies of the weights, in the order of the network that is saved."""

    def facts(self) -> Mapping[str, Any]:
        """What the card of the saved network says about these weights."""


def training_network(network: keras.Model, train: TrainConfig, steps: int) -> keras.Model:
    """The network that is trained in the place of ``network``, as ``train.compress`` says; else an accelerated one.

    Args:
        network: The network with its initial weights.
        train: The settings of the training.
        steps: Training steps in all.

    Raises:
        UsageError: Pruning or clustering, and Keras' backend is not TensorFlow.
    """
    if train.compress is None:
        return accelerate(network)
    if train.compress == "qat":
        return quantization_aware(network)
    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            "tensorflow-model-optimization needs Keras' TensorFlow backend", where="train.compress",
            found=f"{train.compress} on {keras.backend.backend()}",
            remedy="set the environment variable KERAS_BACKEND=tensorflow",
        )  # fmt: skip
    # Imported here, since they need the extra `qat`.
    from kseg.training.compression.twin_network import twin_network

    if train.compress == "prune":
        from kseg.training.compression.pruning import Pruning

        return twin_network(network, Pruning(network, sparsity=train.sparsity, steps=steps))
    from kseg.training.compression.clustering import Clustering

    return twin_network(network, Clustering(network, clusters=train.clusters))


def describe_method(network: keras.Model, train: TrainConfig) -> dict[str, str]:
    """Heading → text that is shown before the first epoch, with the layers that stay as they are; empty without one."""
    if train.compress is None:
        return {}
    if train.compress == "qat":
        return {"compress": "quantisation-aware training, for int8"}
    pruned = train.compress == "prune"
    text = f"{train.sparsity:.0%} of the weights become zero" if pruned else f"{train.clusters} values a layer"
    untouched = network.method.twin.skipped
    return {"compress": text + (f", but not in {abbreviate(untouched, 4)}" if untouched else "")}


def variables_of(network: keras.Model) -> list[Any]:
    """The variables that the optimiser changes."""
    return list(getattr(network, "trained_variables", network.trainable_variables))


class _Plain:
    """A network of the same weights as the saved one, but for auxiliary heads."""

    settled = True

    def __init__(self, network: keras.Model) -> None:
        self._network = plain_network(network)

    def weights(self) -> list[Any]:
        return list(self._network.get_weights())

    def facts(self) -> Mapping[str, Any]:
        return {}


class _Quantized:
    """A network of `kseg.training.compression.quantization`, which has ranges beside the weights."""

    settled = True

    def __init__(self, network: keras.Model, saved: keras.Model, facts: Mapping[str, Any]) -> None:
        variables = {variable.path: variable for variable in network.variables}
        self._variables = [variables[weight.path] for weight in saved.weights]
        self._facts = facts

    def weights(self) -> list[Any]:
        return [keras.ops.convert_to_numpy(variable) for variable in self._variables]

    def facts(self) -> Mapping[str, Any]:
        return {"compression": dict(self._facts)}


class _Twin:
    """A `TwinNetwork`, whose weights are those of its twin, pruned or clustered."""

    def __init__(self, network: Any, facts: Mapping[str, Any]) -> None:
        self._network = network
        self._facts = facts

    @property
    def settled(self) -> bool:
        return bool(self._network.method.settled)

    def weights(self) -> list[Any]:
        self._network.settle()
        return list(self._network.get_weights())

    def facts(self) -> Mapping[str, Any]:
        return {"compression": {**self._facts, **self._network.method.facts()}}


def trained_of(network: keras.Model, saved: keras.Model, train: TrainConfig, facts: Mapping[str, Any]) -> Trained:
    """What is saved of a network under training.

    Args:
        network: As `kseg.training.network.compile_network` returns it.
        saved: The network that is saved.
        train: The settings of the training.
        facts: As `kseg.training.compress.describe_start` returns them.
    """
    if train.compress is None:
        return _Plain(network)
    return _Quantized(network, saved, facts) if train.compress == "qat" else _Twin(network, facts)


def compression_callbacks(train: TrainConfig) -> list[keras.callbacks.Callback]:
    """What ``train.compress`` does between epochs; before the callbacks that read the weights."""
    if train.compress is None:
        return []
    if train.compress == "qat":
        return [FixRanges(train.epochs - math.ceil(train.epochs * _FIXED_SHARE))]
    from kseg.training.compression.twin_network import SettleTwin

    return [SettleTwin()]
