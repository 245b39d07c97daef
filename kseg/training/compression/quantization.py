"""Quantisation-aware training: a copy of a network that computes with int8's rounding, and its weights afterwards.

Rounded are the kernels, for each output channel, and every tensor that an int8 file stores: the results of layers but
those that a converter fuses with the next one (convolution, batch normalisation and ReLU are one), and those of layers
that only move values.
"""

from __future__ import annotations

from typing import Any, Final

import keras

from kseg.training.compression.quantized_layers import FakeQuantization, has_kernel, quantized_class

__all__ = ["FixRanges", "quantization_aware"]

_SUFFIX: Final = "_int8"
"""What follows a layer's name in the name of the layer that rounds its result."""

_MOVES: Final = (
    keras.layers.InputLayer,
    keras.layers.MaxPooling2D,
    keras.layers.ZeroPadding2D,
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.Flatten,
    keras.layers.Dropout,
    keras.layers.Cropping2D,
)
"""Layers whose results are some of their inputs' values."""


def quantization_aware(model: keras.Model) -> keras.Model:
    """A copy of a network for quantisation-aware training, with layers of the same names and weights.

    Args:
        model: A functional model in float32; it is not changed.
    """
    copy = keras.models.clone_model(model, clone_function=_clone, call_function=_call(model))
    weights = {weight.path: weight for weight in copy.weights}
    for weight in model.weights:
        weights[weight.path].assign(weight)
    return copy


def _clone(layer: keras.Layer) -> keras.Layer:
    return quantized_class(layer).from_config(layer.get_config())


def _call(model: keras.Model) -> Any:
    stored = {operation.name for operation in model.operations if not _is_fused(operation)}

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = operation(*args, **kwargs)
        if operation.name not in stored:
            return outputs
        return FakeQuantization(name=f"{operation.name}{_SUFFIX}", dtype="float32")(outputs)

    return call


def _is_fused(operation: Any) -> bool:
    """Whether no int8 tensor of its own follows from an operation's result."""
    if isinstance(operation, _MOVES) or type(operation).__name__ == "ConvertToTensor":
        return True
    nodes = [node for inbound in operation._inbound_nodes for node in _consumers(inbound)]
    if len(nodes) != 1:
        return False
    consumer = nodes[0].operation
    if has_kernel(operation) and _is_linear(operation):
        return isinstance(consumer, keras.layers.BatchNormalization) or _is_relu(consumer)
    return isinstance(operation, (keras.layers.BatchNormalization, keras.layers.Add)) and _is_relu(consumer)


def _consumers(node: Any) -> list[Any]:
    return [consumer for tensor in node.outputs for consumer in tensor._keras_history.operation._outbound_nodes]


def _is_linear(layer: Any) -> bool:
    return layer.activation in (None, keras.activations.linear)


def _is_relu(operation: Any) -> bool:
    if isinstance(operation, keras.layers.ReLU):
        return bool(operation.negative_slope == 0 and operation.threshold == 0)
    return isinstance(operation, keras.layers.Activation) and operation.activation in (
        keras.activations.relu,
        keras.activations.relu6,
    )


def _rounding(model: keras.Model) -> list[FakeQuantization]:
    return [layer for layer in model.layers if isinstance(layer, FakeQuantization)]


class FixRanges(keras.callbacks.Callback):
    """Keeps the ranges as they are from some epoch on, so that the weights settle on them.

    Args:
        epoch: The first epoch with fixed ranges, counted from 0; in the first of all they grow in any case.
    """

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._epoch = max(epoch, 1)

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Fix the ranges."""
        del logs
        if epoch == self._epoch:
            for layer in _rounding(self.model):
                layer.grows.assign(0.0)
