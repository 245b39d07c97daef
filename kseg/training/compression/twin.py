"""A `tf_keras` twin of a Keras 3 network, for tensorflow-model-optimization, which knows the layers of Keras 2 only.

Layers with a counterpart in `tf_keras` become it, and those with a kernel are wrapped for pruning or clustering. Any
other layer is called as it is, and shares its variables with the network. `tf_keras` is Keras 2 to TensorFlow only in a
process with ``TF_USE_LEGACY_KERAS=1``: see `kseg.training.process`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tf_keras

__all__ = ["Twin", "Wrap", "make_twin"]

Wrap = Callable[[Any], Any]
"""A built layer of `tf_keras` → the same layer under pruning or clustering; None if it has too few weights for it."""
Arrays = list[npt.NDArray[Any]]

_CONVOLUTION: Final = ("strides", "padding", "dilation_rate", "activation", "use_bias")
_COUNTERPARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "Activation": ("activation",),
    "Add": (),
    "AveragePooling2D": ("pool_size", "strides", "padding"),
    "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale"),
    "Concatenate": ("axis",),
    "Conv2D": ("filters", "kernel_size", "groups", *_CONVOLUTION),
    "Conv2DTranspose": ("filters", "kernel_size", *_CONVOLUTION),
    "Dense": ("units", "activation", "use_bias"),
    "DepthwiseConv2D": ("kernel_size", "depth_multiplier", *_CONVOLUTION),
    "Dropout": ("rate",),
    "GlobalAveragePooling2D": ("keepdims",),
    "MaxPooling2D": ("pool_size", "strides", "padding"),
    "Multiply": (),
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "Reshape": ("target_shape",),
    "SeparableConv2D": ("filters", "kernel_size", "depth_multiplier", *_CONVOLUTION),
    "UpSampling2D": ("size", "interpolation"),
    "ZeroPadding2D": ("padding",),
}
"""Layer of both Keras versions → its arguments, which are attributes of the layer of Keras 3."""
_WRAPPED: Final = ("Conv2D", "Conv2DTranspose", "Dense", "SeparableConv2D")
"""Layers that tensorflow-model-optimization prunes and clusters; a depthwise convolution is not among them."""


class Twin:
    """The twin, and the way back.

    Args:
        network: The network of Keras 3.
        model: Its twin, float32 images → the same outputs, with the wrapped layers.
        layers: Name of a layer of the network with weights → its counterpart, inside its wrapper if it has one.
        wrappers: Name of a layer → its wrapper.
        skipped: Names of the layers with weights of more than one dimension that are not wrapped.
    """

    def __init__(
        self,
        network: keras.Model,
        model: Any,
        layers: Mapping[str, Any],
        wrappers: Mapping[str, Any],
        skipped: tuple[str, ...],
    ) -> None:
        self.network = network
        self.model = model
        self.layers = layers
        self.wrappers = wrappers
        self.skipped = skipped

    def settle(self, kernels: Mapping[str, npt.NDArray[Any]]) -> None:
        """Give the network the twin's weights.

        Args:
            kernels: Name of a wrapped layer → its kernel as pruned or clustered.
        """
        for name, layer in self.layers.items():
            weights = self._weights(layer)
            if name in kernels:
                weights[0] = kernels[name]
            self.network.get_layer(name).set_weights(weights)

    def _weights(self, layer: Any) -> Arrays:
        return [np.asarray(weight) for weight in layer.kseg_variables]


class _Foreign(tf_keras.layers.Layer):
    """A layer or operation of Keras 3, called as it is, with its own variables."""

    def __init__(self, operation: Any) -> None:
        super().__init__(name=operation.name, trainable=getattr(operation, "trainable", True))
        self._operation = operation
        # Listed, so that they are among the model's variables.
        self.kseg_variables = [variable.value for variable in getattr(operation, "variables", ())]
        self._takes_training = bool(getattr(operation, "_call_has_training_arg", False))

    def call(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Call the operation."""
        if self._takes_training:
            kwargs["training"] = training
        return self._operation(*args, **kwargs)


def make_twin(network: keras.Model, wrap: Wrap | None = None) -> Twin:
    """Make the twin of a network, with the same weights.

    Args:
        network: A functional network in float32, on the TensorFlow backend. Its weights stay; layers without a
            counterpart are trained in place.
        wrap: Wraps convolutions and dense layers. Defaults to none.
    """
    layers: dict[str, Any] = {}
    wrappers: dict[str, Any] = {}
    skipped: list[str] = []

    def counterpart(operation: Any) -> Any:
        layer = _counterpart(operation) if _has_counterpart(operation) else _Foreign(operation)
        if _has_counterpart(operation) and operation.weights:
            layers[operation.name] = layer
        wrapper = wrap(layer) if wrap is not None and operation.name in layers and _is_wrapped(operation) else None
        if wrapper is not None:
            wrappers[operation.name] = wrapper
        elif any(len(weight.shape) > 1 for weight in getattr(operation, "weights", ())):
            skipped.append(operation.name)
        return wrapper or layer

    image = tf_keras.Input(network.input_shape[1:], dtype="float32")
    outputs = network._run_through_graph(
        image, operation_fn=counterpart, call_fn=lambda operation, *args, **kwargs: operation(*args, **kwargs)
    )
    return Twin(network, tf_keras.Model(image, outputs), layers, wrappers, tuple(skipped))


def _has_counterpart(operation: Any) -> bool:
    """Whether it is a layer of `_COUNTERPARTS`, and not an operation of the same name, or a class derived from it."""
    name = type(operation).__name__
    return name in _COUNTERPARTS and type(operation) is getattr(keras.layers, name)


def _is_wrapped(operation: Any) -> bool:
    return type(operation).__name__ in _WRAPPED


def _counterpart(layer: keras.Layer) -> Any:
    arguments = {name: getattr(layer, name) for name in _COUNTERPARTS[type(layer).__name__]}
    twin = getattr(tf_keras.layers, type(layer).__name__)(name=layer.name, trainable=layer.trainable, **arguments)
    if layer.weights:
        twin.build(layer.input.shape)
        twin.set_weights(layer.get_weights())
    # Kept here, since clustering replaces the layer's kernel by a tensor.
    twin.kseg_variables = list(twin.weights)
    return twin
