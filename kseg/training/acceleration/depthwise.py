"""Depthwise convolution with gradients that a CPU computes fast, for training.

TensorFlow's CPU kernels (oneDNN) are slow for two gradients of a depthwise convolution: that of a filter larger than
3×3, and in half precision that of the input where the stride is 2. Here the filter's gradient is computed by 3×3 parts
of the filter, and the input's in float32, both of which are fast. The numbers are the same.
Only networks under training contain this layer; saved and exported ones have Keras' own.
"""

from __future__ import annotations

from typing import Any, Final

import keras

__all__ = ["FastGradientDepthwiseConv2D"]

_PART: Final = 3
"""The side of the largest filters whose gradient is fast."""


class FastGradientDepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras' layer, weight for weight, on ``[B, H, W, C]`` of a static H and W, undilated; on TensorFlow only."""

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
    """The filter's gradient by 3×3 parts: weight ``(i, j)`` multiplies the pixels shifted by i rows and j columns.

    ``∂L/∂w[i, j] = Σ upstream[y, x] · inputs[stride·y + i, stride·x + j]`` does not depend on the rest of the filter,
    so the gradient of a part at ``(top, left)`` is that of a small filter on the inputs shifted by so much.
    """
    import tensorflow as tf

    (height, width), counts = kernel.shape[:2], upstream.shape[1:3]
    if padding == "same":
        sides = [_padding(*sizes, stride) for sizes in zip(inputs.shape[1:3], counts, kernel.shape[:2], strict=True)]
        inputs = tf.pad(inputs, [(0, 0), *sides, (0, 0)])

    def part(top: int, left: int) -> Any:
        size = min(height, _PART), min(width, _PART)
        rows, columns = (stride * (count - 1) + side for count, side in zip(counts, size, strict=True))
        return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
            input=inputs[:, top : top + rows, left : left + columns],
            filter_sizes=[*size, *kernel.shape[2:]],
            out_backprop=upstream,
            strides=[1, stride, stride, 1],
            padding="VALID",
        )

    rows = [_join([part(top, left) for left in _starts(width)], width, axis=1) for top in _starts(height)]
    return _join(rows, height, axis=0)


def _padding(size: int, count: int, kernel: int, stride: int) -> tuple[int, int]:
    """The zeros that TensorFlow's ``SAME`` adds before and after ``size`` pixels, for ``count`` outputs."""
    missing = max((count - 1) * stride + kernel - size, 0)
    return missing // 2, missing - missing // 2


def _starts(size: int) -> list[int]:
    """Where the parts of a filter begin: side by side, the last one flush with the end, which may overlap."""
    return [*range(0, max(size - _PART, 0), _PART), max(size - _PART, 0)]


def _join(parts: list[Any], size: int, axis: int) -> Any:
    """Concatenate the parts of `_starts`, leaving out where the last one overlaps."""
    import tensorflow as tf

    *firsts, last = parts
    overlap = len(firsts) * min(size, _PART) - _starts(size)[-1]
    return tf.concat([*firsts, last[overlap:] if axis == 0 else last[:, overlap:]], axis)
