"""The network as it trains fastest on TensorFlow: weight for weight the same, with other layers in some places."""

from __future__ import annotations

from typing import Any, Final

import keras

from kseg.processor import cpu_flags
from kseg.tensorflow_runtime import uses_onednn
from kseg.training.acceleration.activations import CompiledActivation
from kseg.training.acceleration.batch_norm import FusedBatchNormalization
from kseg.training.acceleration.depthwise import FastGradientDepthwiseConv2D
from kseg.training.acceleration.winograd import WinogradConv2D

__all__ = ["accelerate"]

_FEWEST_CHANNELS: Final = 16
_FEWEST_PAIRS: Final = 32 * 32
"""Of channels and filters: from here on Winograd's algorithm saves more than its transforms take."""


def accelerate(model: keras.Model) -> keras.Model:
    """The same network with the layers of `_ACCELERATED`, for training; what is saved and exported is the plain one.

    The weights come in the same order, so ``set_weights(get_weights())`` carries them over and back. On other backends
    than TensorFlow, and where nothing can be gained, it is the model itself.

    Args:
        model: A functional model; it is left as it is.
    """
    if keras.backend.backend() != "tensorflow" or all(
        _accelerated(one) is type(one) for one in model._flatten_layers()
    ):
        return model
    twin = keras.models.clone_model(
        model, clone_function=lambda layer: _accelerated(layer).from_config(layer.get_config()), recursive=True
    )
    twin.set_weights(model.get_weights())
    for layer, other in zip(model._flatten_layers(), twin._flatten_layers(), strict=True):
        other.trainable = layer.trainable
    return twin


def _accelerated(layer: keras.Layer) -> Any:
    twin, fits = _ACCELERATED.get(type(layer), (None, None))
    return twin if fits and fits(layer) else type(layer)


def _can_fuse(layer: keras.Layer) -> bool:
    return not (layer.renorm or layer.synchronized) and layer.input_spec.ndim == 4 and layer.axis in (-1, 3)


def _on_cpu() -> bool:
    """Where TensorFlow's kernels have the gaps that are filled here; a GPU's have not."""
    import tensorflow as tf

    return not tf.config.get_visible_devices("GPU")


def _can_compile(layer: keras.Layer) -> bool:
    return _on_cpu() and layer.activation in CompiledActivation.KNOWN


def _has_slow_gradient(layer: keras.Layer) -> bool:
    """See `kseg.training.acceleration.depthwise`."""
    if not _on_cpu() or layer.data_format != "channels_last":
        return False
    if layer.strides[0] != layer.strides[1] or set(layer.dilation_rate) != {1} or None in layer.input.shape[1:3]:
        return False
    half = layer.compute_dtype in ("bfloat16", "float16")
    return max(layer.kernel_size) > 3 or (half and layer.strides[0] > 1)


def _gains_by_winograd(layer: keras.Layer) -> bool:
    """See `kseg.training.acceleration.winograd`; measured on a Zen 3."""
    if not (_on_cpu() and _by_onednn_on_avx2() and layer.compute_dtype == "float32"):
        return False
    if layer.data_format != "channels_last" or layer.padding != "same" or layer.groups > 1:
        return False
    if {*layer.strides, *layer.dilation_rate} != {1} or None in layer.input.shape[1:3]:
        return False
    channels, filters = layer.input.shape[3], layer.filters
    enough = min(channels, filters) >= _FEWEST_CHANNELS and channels * filters >= _FEWEST_PAIRS
    return enough and tuple(layer.kernel_size) == (3, 3)


def _by_onednn_on_avx2() -> bool:
    flags = cpu_flags()
    return "avx2" in flags and "avx512f" not in flags and uses_onednn()


_ACCELERATED: Final[dict[Any, Any]] = {
    keras.layers.Activation: (CompiledActivation, _can_compile),
    keras.layers.Conv2D: (WinogradConv2D, _gains_by_winograd),
    keras.layers.BatchNormalization: (FusedBatchNormalization, _can_fuse),
    keras.layers.DepthwiseConv2D: (FastGradientDepthwiseConv2D, _has_slow_gradient),
}
