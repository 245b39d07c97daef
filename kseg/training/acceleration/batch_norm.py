"""Batch normalisation by TensorFlow's one fused operation, for training.

On the TensorFlow backend Keras 3 normalises a batch by a dozen operations in float32, which are half of a bfloat16
training step on a CPU. The fused operation takes bfloat16 data with float32 statistics, and has a fused gradient. Only
networks under training hold it; what is saved and exported has Keras' own layer and the same weights.
"""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["FusedBatchNormalization"]


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
