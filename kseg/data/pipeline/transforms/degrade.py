"""Image degradations: blur, noise, JPEG compression. The mask is unchanged."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from kseg.augment.settings import Blur, Jpeg, Noise
from kseg.data.pipeline.transforms.draws import NOISE, Draws, stateless_key

__all__ = ["blur_step", "jpeg_step", "noise_step"]


def _on_image(packed: tf.Tensor, change: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    return tf.concat([change(packed[..., :3]), packed[..., 3:]], axis=-1)


def _bytes(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.clip_by_value(values + 0.5, 0.0, 255.0), tf.uint8)


def blur_step(transform: Blur, draws: tf.Tensor, packed: tf.Tensor) -> tf.Tensor:
    """Blur with a separable Gaussian of radius 3 σ; the borders are reflected."""
    # Reflection needs a radius smaller than the image.
    radius = min(math.ceil(3 * transform.sigma[1]), int(packed.shape[0]) - 1, int(packed.shape[1]) - 1)

    def blur(image: tf.Tensor) -> tf.Tensor:
        sigma = transform.sigma[0] + (transform.sigma[1] - transform.sigma[0]) * draws[1]
        kernel = tf.exp(-(tf.range(-radius, radius + 1, dtype=tf.float32) ** 2) / (2 * sigma**2))
        kernel = tf.tile((kernel / tf.reduce_sum(kernel))[:, tf.newaxis], (1, 3))
        pixels = tf.cast(image, tf.float32)[tf.newaxis]
        pixels = tf.pad(pixels, [[0, 0], [radius, radius], [radius, radius], [0, 0]], "REFLECT")
        for shape in ((-1, 1, 3, 1), (1, -1, 3, 1)):
            pixels = tf.nn.depthwise_conv2d(pixels, tf.reshape(kernel, shape), [1, 1, 1, 1], "VALID")
        return _bytes(pixels[0])

    return tf.cond(draws[0] < transform.probability, lambda: _on_image(packed, blur), lambda: packed)


def noise_step(transform: Noise, draws: tf.Tensor, packed: tf.Tensor, source: Draws) -> tf.Tensor:
    """Add independent Gaussian noise to each channel of each pixel."""

    def disturb(image: tf.Tensor) -> tf.Tensor:
        deviation = 255.0 * (transform.by[0] + (transform.by[1] - transform.by[0]) * draws[1])
        # The transform's own draw is part of the key, so that two noise transforms in one list differ.
        key = stateless_key(source.seed, NOISE, source.number) + tf.cast(draws[2] * 2.0**20, tf.int64)
        grain = tf.random.stateless_normal(tf.shape(image), key, alg="philox")
        return _bytes(tf.cast(image, tf.float32) + deviation * grain)

    return tf.cond(draws[0] < transform.probability, lambda: _on_image(packed, disturb), lambda: packed)


def jpeg_step(transform: Jpeg, draws: tf.Tensor, packed: tf.Tensor) -> tf.Tensor:
    """Encode as JPEG with a random quality, and decode."""
    low, high = transform.quality

    def squeeze(image: tf.Tensor) -> tf.Tensor:
        quality = tf.minimum(low + tf.cast(draws[1] * (high - low + 1), tf.int32), high)
        data = tf.raw_ops.EncodeJpegVariableQuality(images=image, quality=quality)
        return tf.ensure_shape(tf.io.decode_jpeg(data, channels=3), image.shape)

    return tf.cond(draws[0] < transform.probability, lambda: _on_image(packed, squeeze), lambda: packed)
