"""Replace layers of Keras by layers of the same weights and results that train faster on TensorFlow."""

from __future__ import annotations

from typing import Any, Final

import keras

from kseg.processor import cpu_flags
from kseg.tensorflow_runtime import uses_onednn
from kseg.training.acceleration.activations import CompiledActivation
from kseg.training.acceleration.batch_norm import FusedBatchNormalization
from kseg.training.acceleration.depthwise import FastGradientDepthwiseConv2D
from kseg.training.acceleration.winograd import WinogradConv2D

__all__ = ["accelerate", "fastest_class"]

_FEWEST_CHANNELS: Final = 16
_FEWEST_PAIRS: Final = 32 * 32
"""The least channels · filters, and the least of either, with which Winograd's algorithm saves time."""


def accelerate(model: keras.Model) -> keras.Model:
    """A copy of a network for training, with the accelerated layers of `_ACCELERATED` where they save time.

    The weights come in the same order, so ``set_weights(get_weights())`` carries them over and back; what is saved and
    exported is the network of Keras' own layers.

    Args:
        model: A functional model; it is not changed.

    Returns:
        The copy; on other backends than TensorFlow, and where no layer can be accelerated, the model itself.

    Example:

    ::

        model = accelerate(build_model(spec, logits=True))
    """
    if all(fastest_class(layer) is type(layer) for layer in model._flatten_layers()):
        return model
    copy = keras.models.clone_model(
        model, clone_function=lambda layer: fastest_class(layer).from_config(layer.get_config()), recursive=True
    )
    copy.set_weights(model.get_weights())
    for layer, accelerated in zip(model._flatten_layers(), copy._flatten_layers(), strict=True):
        accelerated.trainable = layer.trainable
    return copy


def fastest_class(layer: keras.Layer) -> Any:
    """The class that trains a layer fastest: an accelerated one, or its own, as on other backends than TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return type(layer)
    accelerated, saves_time = _ACCELERATED.get(type(layer), (None, None))
    return accelerated if saves_time and saves_time(layer) else type(layer)


def _can_fuse(layer: keras.Layer) -> bool:
    """Whether TensorFlow's fused operation computes what a batch normalisation does."""
    return not (layer.renorm or layer.synchronized) and layer.input_spec.ndim == 4 and layer.axis in (-1, 3)


def _on_cpu() -> bool:
    """Whether TensorFlow computes on the CPU; its kernels for GPUs have no such gaps."""
    import tensorflow as tf

    return not tf.config.get_visible_devices("GPU")


def _can_compile(layer: keras.Layer) -> bool:
    """Whether `kseg.training.acceleration.activations` has the activation."""
    return _on_cpu() and layer.activation in CompiledActivation.SUPPORTED


def _has_slow_gradient(layer: keras.Layer) -> bool:
    """Whether `kseg.training.acceleration.depthwise` has a faster gradient for a depthwise convolution."""
    if not _on_cpu() or layer.data_format != "channels_last":
        return False
    if layer.strides[0] != layer.strides[1] or set(layer.dilation_rate) != {1} or None in layer.input.shape[1:3]:
        return False
    half = layer.compute_dtype in ("bfloat16", "float16")
    return max(layer.kernel_size) > 3 or (half and layer.strides[0] > 1)


def _gains_by_winograd(layer: keras.Layer) -> bool:
    """Whether `kseg.training.acceleration.winograd` trains a convolution faster, as measured on a Zen 3."""
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
    """Whether TensorFlow computes by oneDNN on a CPU that has AVX2, but not AVX-512 with its faster kernels."""
    flags = cpu_flags()
    return "avx2" in flags and "avx512f" not in flags and uses_onednn()


_ACCELERATED: Final[dict[Any, Any]] = {
    # Class → the accelerated class, and whether it saves time for a layer
    keras.layers.Activation: (CompiledActivation, _can_compile),
    keras.layers.Conv2D: (WinogradConv2D, _gains_by_winograd),
    keras.layers.BatchNormalization: (FusedBatchNormalization, _can_fuse),
    keras.layers.DepthwiseConv2D: (FastGradientDepthwiseConv2D, _has_slow_gradient),
}
