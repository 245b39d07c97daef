"""Batches for training and validation, by tf.data.

Batch ``step`` of a training depends only on the seed and ``step``, so a resumed training gets the same batches as an
uninterrupted one. Samples are made in parallel. tf.data's autotuner is off, since its thread delays the end of every
iterator by seconds.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kseg.augment import Augment
from kseg.data.pipeline.cache import SampleStore
from kseg.data.pipeline.fetch import fetcher
from kseg.data.pipeline.order import batch_samples, numbered_samples, shares
from kseg.data.pipeline.transforms.apply import augment_packed
from kseg.data.pipeline.transforms.graph import compiled, without_autograph
from kseg.data.pipeline.transforms.packed import unpack
from kseg.errors import DataError
from kseg.processor import usable_cores

__all__ = ["batch_samples", "data_errors", "epoch_batches", "eval_batches", "no_automatic_gc", "train_batches"]

_AHEAD = 2
"""Number of finished batches that are prefetched."""


def train_batches(
    data: SampleStore,
    *,
    batch: int,
    seed: int,
    augment: Augment,
    start: int | tf.Tensor = 0,
    weights: npt.NDArray[np.float64] | None = None,
    background: int | None = 0,
    parallel: int | None = None,
) -> tf.data.Dataset:
    """Endless training batches.

    Args:
        data: The training samples.
        batch: Batch size; every batch is full, so one may contain the end of an epoch and the beginning of the next.
        seed: Random seed of the order and the augmentation.
        augment: The augmentation.
        start: Number of the first batch; to resume a training, the number of its finished steps.
        weights: Sampling weights, float64 ``[N]``, with which samples are drawn with replacement. Defaults to each
            sample once per epoch.
        background: The class that is not an object, for crops around objects; None if every class is one.
        parallel: Number of samples made in parallel; does not change the batches. Defaults to one per core.

    Returns:
        Pairs of images float32 ``[B, H, W, 3]`` in 0..255 and class ids uint8 ``[B, H, W]``, 255 = ignore.

    Raises:
        DataError: The weights are not finite, negative, all 0, or not one per sample.
    """
    fetch, total = fetcher(data), len(data)

    @without_autograph
    def augment_numbered(number: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
        return augment_packed(fetch, index, total, augment, seed=seed, number=number, background=background)

    numbered = numbered_samples(total, seed=seed, first=start * batch, cumulative=shares(weights, total))
    augmented = numbered.map(augment_numbered, num_parallel_calls=parallel or usable_cores(), deterministic=True)
    return _finished(augmented.batch(batch, drop_remainder=True))


def epoch_batches(
    data: SampleStore, *, batch: int, seed: int, augment: Augment, background: int | None = 0
) -> tf.data.Dataset:
    """Training batches for ``model.fit`` without ``steps_per_epoch``: one pass over the data set is one epoch.

    Args:
        data: The training samples.
        batch, seed, augment, background: As `train_batches`.

    Returns:
        ``ceil(N / batch)`` batches a pass; the second pass begins where the first has ended, and so on.
    """
    steps = -(-len(data) // batch)
    passes = tf.Variable(0, dtype=tf.int64, trainable=False)

    def one_epoch(_: tf.Tensor) -> tf.data.Dataset:
        number = passes.assign_add(1) - 1
        return train_batches(
            data, batch=batch, seed=seed, augment=augment, start=number * steps, background=background
        ).take(steps)

    epochs = tf.data.Dataset.range(1).flat_map(one_epoch)
    return epochs.apply(tf.data.experimental.assert_cardinality(steps))


def eval_batches(data: SampleStore, *, batch: int) -> tf.data.Dataset:
    """Endless batches of all samples in order, without augmentation; ``ceil(N / batch)`` per pass, the last partial.

    Returns:
        Pairs as from `train_batches`.
    """
    total = len(data)
    fetched = tf.data.Dataset.range(total).map(
        fetcher(data).full, num_parallel_calls=usable_cores(), deterministic=True
    )
    # If no batch is partial, drop_remainder makes the batch size static.
    return _finished(fetched.batch(batch, drop_remainder=total % batch == 0).repeat())


@contextmanager
def no_automatic_gc() -> Iterator[None]:
    """Disable automatic garbage collection within the block; call `gc.collect` between epochs.

    A collection runs in whichever thread allocates. In a thread that decodes a sample in Python, it may destroy an
    abandoned iterator, which then waits for this very sample: a deadlock.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def data_errors() -> Iterator[None]:
    """Turn TensorFlow's errors about unreadable files within the block into DataErrors of one line."""
    try:
        yield
    except tf.errors.OpError as error:
        message = _file_error(str(error))
        if message is None:
            raise
        raise DataError(message) from error


def _file_error(message: str) -> str | None:
    """The part of a TensorFlow error message that is about an unreadable file; None for other errors."""
    if match := re.search(r"\b(?:DataError|ImageError|ConfigError): (.+)", message):
        return match[1]
    if match := re.search(r"(/[^\n]*); (No such file or directory|Permission denied|Input/output error)", message):
        return f"{match[1]}: {'no such file' if match[2].startswith('No') else match[2]}"
    return None


def _finished(packed: tf.data.Dataset) -> tf.data.Dataset:
    """Unpack batches into images (float32) and masks, prefetch, and set the threading options."""

    @compiled
    def as_float(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, masks = unpack(batch)
        return tf.cast(images, tf.float32), masks

    # A step of its own, so that waiting batches are held as bytes.
    ready = packed.map(as_float, num_parallel_calls=_AHEAD, deterministic=True).prefetch(_AHEAD)
    options = tf.data.Options()
    options.autotune.enabled = False
    options.deterministic = True
    options.threading.private_threadpool_size = usable_cores()
    # One thread per sample, many samples in parallel: splitting single operations costs more than it saves.
    options.threading.max_intra_op_parallelism = 1
    return ready.with_options(options)
