"""Batch normalisation by TensorFlow's one fused operation, for training.

On the TensorFlow backend Keras 3 normalises a batch by a dozen operations in float32, which are half of a bfloat16
training step on a CPU. The fused operation takes bfloat16 data with float32 statistics, and has a fused gradient. Only
networks under training hold it; what is saved and exported has Keras' own layer and the same weights.
"""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["FusedBatchNormalization", "fuse_batch_norm"]


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, weight for weight, over the last axis of ``[B, H, W, C]``; TensorFlow alone."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise; in training with the batch's statistics, of which it keeps the moving means."""
        import tensorflow as tf

        del mask
        learns = bool(training and self.trainable)
        scale = self.gamma if self.scale else tf.ones_like(self.moving_mean)
        offset = self.beta if self.center else tf.zeros_like(self.moving_mean)
        none = tf.zeros((0,), tf.float32)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(scale),
            offset=tf.convert_to_tensor(offset),
            mean=none if learns else tf.convert_to_tensor(self.moving_mean),
            variance=none if learns else tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            is_training=learns,
        )
        if learns:
            # The operation tells the unbiased variance, Keras keeps the biased one.
            count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
            self._keep(self.moving_mean, mean)
            self._keep(self.moving_variance, variance * (tf.maximum(count - 1.0, 1.0) / count))
        return outputs

    def _keep(self, moving: Any, now: Any) -> None:
        moving.assign(moving * self.momentum + now * (1.0 - self.momentum))


def fuse_batch_norm(model: keras.Model) -> keras.Model:
    """The same network with fused layers in place of `keras.layers.BatchNormalization`, for training.

    The weights come in the same order, so ``set_weights(get_weights())`` carries them over and back. On other backends
    than TensorFlow, which fuse by themselves, it is the model itself.

    Args:
        model: A functional model; it is left as it is.
    """
    if keras.backend.backend() != "tensorflow" or not any(_can_fuse(layer) for layer in model._flatten_layers()):
        return model
    fused = keras.models.clone_model(model, clone_function=_fused, recursive=True)
    fused.set_weights(model.get_weights())
    for layer, twin in zip(model._flatten_layers(), fused._flatten_layers(), strict=True):
        twin.trainable = layer.trainable
    return fused


def _fused(layer: keras.Layer) -> keras.Layer:
    kind = FusedBatchNormalization if _can_fuse(layer) else type(layer)
    return kind.from_config(layer.get_config())


def _can_fuse(layer: keras.Layer) -> bool:
    return (
        type(layer) is keras.layers.BatchNormalization
        and not (layer.renorm or layer.synchronized)
        and layer.input_spec.ndim == 4
        and layer.axis in (-1, 3)
    )
