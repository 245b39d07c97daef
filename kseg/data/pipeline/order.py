"""The order of the samples in each epoch, by TensorFlow's stateless random numbers."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kseg.data.pipeline.transforms.draws import ORDER, PICKS, stateless_key
from kseg.errors import DataError

__all__ = ["batch_samples", "epoch_order", "numbered_samples", "shares"]

Weights = npt.NDArray[np.float64]


def shares(weights: Weights | None, total: int) -> tf.Tensor | None:
    """The cumulative distribution of the sampling weights, float64 ``[N]``; None without weights.

    Raises:
        DataError: There is not one finite weight >= 0 for each sample, or none above 0.
    """
    if weights is None:
        return None
    weights = np.asarray(weights, np.float64)
    if weights.shape != (total,) or not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0:
        raise DataError(
            "the samples cannot be weighted", expected=f"{total} finite weights >= 0, one of them above",
            found=f"{weights.size} with the sum {weights.sum():g}",
        )  # fmt: skip
    return tf.constant(np.cumsum(weights) / weights.sum())


def epoch_order(total: int, *, seed: int, epoch: tf.Tensor | int, cumulative: tf.Tensor | None = None) -> tf.Tensor:
    """The samples of an epoch, int64 ``[N]``.

    Args:
        total: N, the number of samples.
        seed: The training's seed.
        epoch: Number of the epoch, from 0.
        cumulative: From `shares`: N samples are drawn with these weights, with replacement. Defaults to each sample
            once.
    """
    if cumulative is not None:
        draws = tf.random.stateless_uniform((total,), stateless_key(seed, PICKS, epoch), dtype=tf.float64, alg="philox")
        drawn = tf.searchsorted(cumulative, draws, side="right", out_type=tf.int64)
        return tf.minimum(drawn, total - 1)
    numbers = tf.random.stateless_uniform(
        (total,), stateless_key(seed, ORDER, epoch), minval=None, maxval=None, dtype=tf.int64, alg="philox"
    )
    return tf.cast(tf.argsort(numbers, stable=True), tf.int64)


def numbered_samples(
    total: int, *, seed: int, first: int | tf.Tensor, cumulative: tf.Tensor | None = None
) -> tf.data.Dataset:
    """Endless pairs of a position, counted from the beginning of the training, and the index of its sample, both int64.

    Args:
        total: Number of samples.
        seed: The training's seed.
        first: The first position.
        cumulative: From `shares`, or None.
    """

    def epoch_of(epoch: tf.Tensor) -> tf.data.Dataset:
        order = epoch_order(total, seed=seed, epoch=epoch, cumulative=cumulative)
        return tf.data.Dataset.from_tensor_slices((epoch * total + tf.range(total, dtype=tf.int64), order))

    return tf.data.Dataset.counter(first // total, dtype=tf.int64).flat_map(epoch_of).skip(first % total)


def batch_samples(num_samples: int, *, batch: int, seed: int, step: int, weights: Weights | None = None) -> list[int]:
    """The indices of the samples in training batch ``step``, in their order."""
    cumulative = shares(weights, num_samples)

    @cache
    def order(epoch: int) -> npt.NDArray[np.int64]:
        drawn: npt.NDArray[np.int64] = epoch_order(num_samples, seed=seed, epoch=epoch, cumulative=cumulative).numpy()
        return drawn

    positions = (divmod(number, num_samples) for number in range(step * batch, (step + 1) * batch))
    return [int(order(epoch)[position]) for epoch, position in positions]
