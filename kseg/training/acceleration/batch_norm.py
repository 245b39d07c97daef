"""Batch normalisation by TensorFlow's one fused operation, for training.

On the TensorFlow backend Keras 3 normalises a batch by a dozen operations in float32, which take half of a bfloat16
training step on a CPU. The fused operation takes bfloat16 data with float32 statistics, and has a fused gradient. Only
networks under training contain this layer; saved and exported ones have Keras' own and the same weights.
"""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["FusedBatchNormalization"]


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, weight for weight, over the last axis of ``[B, H, W, C]``; on TensorFlow only."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise by the moving statistics; in training by the batch's, with which it updates the moving ones."""
        import tensorflow as tf

        del mask
        trains = bool(training and self.trainable)
        scale = self.gamma if self.scale else tf.ones_like(self.moving_mean)
        offset = self.beta if self.center else tf.zeros_like(self.moving_mean)
        none = tf.zeros((0,), tf.float32)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(scale),
            offset=tf.convert_to_tensor(offset),
            mean=none if trains else tf.convert_to_tensor(self.moving_mean),
            variance=none if trains else tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            is_training=trains,
        )
        if trains:
            # The operation returns the unbiased variance, Keras averages the biased one: times (n - 1) / n.
            count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
            self._update(self.moving_mean, mean)
            self._update(self.moving_variance, variance * (tf.maximum(count - 1.0, 1.0) / count))
        return outputs

    def _update(self, moving: Any, batch: Any) -> None:
        moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
