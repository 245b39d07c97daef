"""Layers that train on values rounded as int8 rounds them; weight for weight Keras' own."""

from __future__ import annotations

import functools
from typing import Any, ClassVar, Final

import keras
from keras import ops

from kseg.training.acceleration.accelerate import fastest_class
from kseg.training.compression.fake_quantization import fake_quantize, fake_quantize_kernel

__all__ = ["FakeQuantization", "has_kernel", "quantized_class"]

_SMALLEST_RANGE: Final = 1e-6


class FakeQuantization(keras.layers.Layer):
    """Rounds activations to int8's values over the range that they had in training; the shape stays.

    The range contains zero, and grows with each batch until `grows` is false: from the smallest to the largest value,
    as the exporters' calibration takes it. A moving average, which cuts off what exceeds it, was measured to be worse.
    Before the first batch nothing is rounded.
    """

    def build(self, input_shape: Any) -> None:
        """Create the range, and whether it still grows."""
        del input_shape
        self.low = self._scalar("low", 0.0)
        self.high = self._scalar("high", 0.0)
        self.grows = self._scalar("grows", 1.0)

    def _scalar(self, name: str, value: float) -> Any:
        return self.add_weight(
            name=name, shape=(), initializer=keras.initializers.Constant(value), trainable=False, dtype="float32"
        )

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> Any:
        """As the input; without this Keras tries a sparse tensor after the multiplication of a hard sigmoid."""
        del training
        return keras.KerasTensor(inputs.shape, inputs.dtype)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Round ``inputs``; in training the range grows first."""
        if training:
            self._grow(ops.stop_gradient(inputs))
        high = ops.maximum(self.high, self.low + _SMALLEST_RANGE)
        return ops.where(self.high > self.low, fake_quantize(inputs, self.low, high), inputs)

    def _grow(self, inputs: Any) -> None:
        self.low.assign(ops.minimum(self.low, ops.min(inputs) * self.grows))
        self.high.assign(ops.maximum(self.high, ops.max(inputs) * self.grows))


class _QuantizedKernel:
    """Mixed into a layer: its kernel is rounded to int8's values wherever the layer uses it."""

    kernel_axes: ClassVar[tuple[int, ...]]
    _kernel: Any

    @property
    def kernel(self) -> Any:
        """The rounded weights."""
        return fake_quantize_kernel(ops.convert_to_tensor(self._kernel), self.kernel_axes)

    @kernel.setter
    def kernel(self, value: Any) -> None:
        self._kernel = value


_KERNEL_AXES: Final[dict[Any, tuple[int, ...]]] = {
    keras.layers.Conv2D: (0, 1, 2),
    keras.layers.DepthwiseConv2D: (0, 1),
    keras.layers.Conv2DTranspose: (0, 1, 3),
    keras.layers.Dense: (0,),
}
"""Class of Keras → the axes of its kernel that belong to one output channel."""


def quantized_class(layer: keras.Layer) -> Any:
    """The class that takes a layer's place in quantisation-aware training; the fastest one of it for training."""
    if type(layer) in _KERNEL_AXES:
        return _with_quantized_kernel(fastest_class(layer), _KERNEL_AXES[type(layer)])
    return fastest_class(layer)


@functools.cache
def _with_quantized_kernel(base: Any, axes: tuple[int, ...]) -> Any:
    return type(f"Quantized{base.__name__}", (_QuantizedKernel, base), {"kernel_axes": axes})


def has_kernel(layer: keras.Layer) -> bool:
    """Whether `quantized_class` rounds the kernel of a layer."""
    return type(layer) in _KERNEL_AXES
