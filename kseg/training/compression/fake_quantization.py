"""Rounding to the values that int8 has, with a gradient as if nothing were rounded; functions of tensors.

"Fake" since the results are float32: a network trained with them learns weights that lose little when an exporter
rounds in earnest (Jacob et al. 2018, https://arxiv.org/abs/1712.05877).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import keras
from keras import ops

__all__ = ["fake_quantize", "fake_quantize_kernel"]

_LEVELS: Final = 255
"""Steps between the 256 values of an activation."""
_KERNEL_MAXIMUM: Final = 127
"""The largest weight in int8; the smallest is its negative, so that zero is in the middle."""


def fake_quantize(x: Any, low: Any, high: Any) -> Any:
    """Round activations to 256 values from about ``low`` to ``high``, one of which is exactly zero.

    ::

        scale = (high - low) / 255,  zero = round(-low / scale)
        y = scale * (clip(round(x / scale) + zero, 0, 255) - zero)

    The gradient is 1 where ``x`` is in the range and 0 elsewhere; ``low`` and ``high`` have none.

    Args:
        x: Any shape.
        low, high: Scalars, ``low <= 0 <= high`` and ``low < high``.
    """
    low, high = ops.stop_gradient(low), ops.stop_gradient(high)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # One operation instead of eight; its gradient is another one.
        return tf.quantization.fake_quant_with_min_max_vars(x, low, high)
    scale = (high - low) / _LEVELS
    zero = ops.round(-low / scale)
    clipped = ops.clip(x, -zero * scale, (_LEVELS - zero) * scale)
    return clipped + ops.stop_gradient(ops.round(clipped / scale) * scale - clipped)


def fake_quantize_kernel(kernel: Any, axes: Sequence[int]) -> Any:
    """Round weights to the 255 values of a symmetric int8 for each output channel; the gradient is 1.

    A factor on an output channel, as folding a batch normalisation into the kernel has, scales its 255 values, too, so
    that rounding before or after folding is the same.

    Args:
        kernel: The weights.
        axes: The axes of ``kernel`` that belong to one output channel: all but that of the channels.
    """
    largest = ops.max(ops.abs(kernel), axis=tuple(axes), keepdims=True)
    scale = ops.stop_gradient(ops.maximum(largest, 1e-12) / _KERNEL_MAXIMUM)
    return kernel + ops.stop_gradient(ops.round(kernel / scale) * scale - kernel)
