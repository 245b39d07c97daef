"""Depthwise convolution with gradients that a CPU computes fast, for training.

TensorFlow's CPU kernels (oneDNN) lack a fast way for two gradients of a depthwise convolution: that of the filter where
it is larger than 3×3, and in half precision that of the input where the stride is 2. Both come from what is fast: the
filter's is put together of those of 3×3 parts of it, the input's is computed in float32. The numbers are the same.
Only networks under training hold this layer; what is saved and exported has Keras' own.
"""

from __future__ import annotations

from typing import Any, Final

import keras

__all__ = ["FastGradientDepthwiseConv2D"]

_PART: Final = 3
"""The size of the filters whose gradient is fast."""


class FastGradientDepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras' layer, weight for weight, on ``[B, H, W, C]`` of a known H and W, undilated; TensorFlow alone."""

    def call(self, inputs: Any) -> Any:
        """Convolve ``[B, H, W, C]`` to ``[B, H', W', C * depth_multiplier]``."""
        outputs = _convolve(inputs, keras.ops.convert_to_tensor(self.kernel), self.strides[0], self.padding)
        if self.use_bias:
            outputs = outputs + keras.ops.convert_to_tensor(self.bias)
        return outputs if self.activation is None else self.activation(outputs)


def _convolve(inputs: Any, kernel: Any, stride: int, padding: str) -> Any:
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(inputs: Any, kernel: Any) -> tuple[Any, Any]:
        strides = [1, stride, stride, 1]
        outputs = tf.nn.depthwise_conv2d(inputs, kernel, strides, padding.upper())

        def gradients(upstream: Any) -> tuple[Any, Any]:
            return (
                _input_gradient(inputs, kernel, upstream, stride, padding),
                _filter_gradient(inputs, kernel, tf.ensure_shape(upstream, outputs.shape), stride, padding),
            )

        return outputs, gradients

    return run(inputs, kernel)


def _input_gradient(inputs: Any, kernel: Any, upstream: Any, stride: int, padding: str) -> Any:
    import tensorflow as tf

    dtype = inputs.dtype if stride == 1 else tf.float32
    gradient = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
        input_sizes=tf.shape(inputs),
        filter=tf.cast(kernel, dtype),
        out_backprop=tf.cast(upstream, dtype),
        strides=[1, stride, stride, 1],
        padding=padding.upper(),
    )
    return tf.cast(gradient, inputs.dtype)


def _filter_gradient(inputs: Any, kernel: Any, upstream: Any, stride: int, padding: str) -> Any:
    """A value of the filter weighs pixels that are so many lower and further right, whatever filter it is part of."""
    import tensorflow as tf

    (height, width), counts = kernel.shape[:2], upstream.shape[1:3]
    if padding == "same":
        around = [_around(*sizes, stride) for sizes in zip(inputs.shape[1:3], counts, kernel.shape[:2], strict=True)]
        inputs = tf.pad(inputs, [(0, 0), *around, (0, 0)])

    def part(top: int, left: int) -> Any:
        size = min(height, _PART), min(width, _PART)
        rows, columns = (stride * (count - 1) + one for count, one in zip(counts, size, strict=True))
        return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
            input=inputs[:, top : top + rows, left : left + columns],
            filter_sizes=[*size, *kernel.shape[2:]],
            out_backprop=upstream,
            strides=[1, stride, stride, 1],
            padding="VALID",
        )

    lines = [_joined([part(top, left) for left in _starts(width)], width, axis=1) for top in _starts(height)]
    return _joined(lines, height, axis=0)


def _around(size: int, count: int, kernel: int, stride: int) -> tuple[int, int]:
    """The zeros that TensorFlow's ``SAME`` puts before and behind."""
    missing = max((count - 1) * stride + kernel - size, 0)
    return missing // 2, missing - missing // 2


def _starts(size: int) -> list[int]:
    """Where the parts of a filter begin: side by side, the last one as far in as it has to."""
    return [*range(0, max(size - _PART, 0), _PART), max(size - _PART, 0)]


def _joined(parts: list[Any], size: int, axis: int) -> Any:
    import tensorflow as tf

    *firsts, last = parts
    known = len(firsts) * min(size, _PART)
    overlap = known - _starts(size)[-1]
    return tf.concat([*firsts, last[overlap:] if axis == 0 else last[:, overlap:]], axis)
