"""Batches for training and validation, by tf.data.

Batch ``step`` of a training is a function of the seed and of ``step`` alone, so a resumed training goes on with the
very batches that it would have had. Batches are made side by side, each by one call; tf.data's autotuner is off, since
its thread holds up every iterator's end by seconds.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kseg.data.arrays import Arrays, Streamed
from kseg.data.augment import Augment
from kseg.data.parallel import cores
from kseg.data.vary import permutation, vary
from kseg.errors import DataError

__all__ = ["batch_samples", "collect_apart", "data_errors", "eval_batches", "train_batches"]

_AHEAD = 2
"""Finished batches that wait for the training."""

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]

# Two epochs at a time, where a batch crosses from one to the next; a validation may have its own.
_epoch_order = lru_cache(maxsize=8)(permutation)


def train_batches(
    data: Arrays | Streamed, *, batch: int, seed: int, augment: Augment, start: int = 0
) -> tf.data.Dataset:
    """Endless training batches.

    Args:
        data: The training samples.
        batch: Samples a batch; always that many, so a batch may hold the end of an epoch and the beginning of the
            next.
        seed: Decides the order of each epoch and all variations.
        augment: How samples are varied.
        start: The first batch; to go on where a training stopped, the steps that it had done.

    Returns:
        Pairs of images float32 ``[B, H, W, 3]`` in 0..255 and class ids uint8 ``[B, H, W]``, 255 = ignore.
    """

    def make(step: int) -> Batch:
        images, masks = _empty(batch, data.size)
        for i, index in enumerate(batch_samples(len(data), batch=batch, seed=seed, step=step)):
            images[i], masks[i] = vary(*data.sample(index), augment, seed=seed, number=step * batch + i)
        return images, masks

    return _batches(tf.data.Dataset.counter(start, dtype=tf.int64), make, data.size, batch)


def eval_batches(data: Arrays | Streamed, *, batch: int) -> tf.data.Dataset:
    """All samples in order, as they are, again and again; ``ceil(N / batch)`` batches a pass, the last one partial.

    Returns:
        Pairs as `train_batches` gives them.
    """
    total = len(data)

    def make(step: int) -> Batch:
        part = range(step * batch, min(step * batch + batch, total))
        images, masks = _empty(len(part), data.size)
        for i, index in enumerate(part):
            images[i], masks[i] = data.sample(index)
        return images, masks

    steps = tf.data.Dataset.range(-(-total // batch)).repeat()
    return _batches(steps, make, data.size, None if total % batch else batch)


def batch_samples(num_samples: int, *, batch: int, seed: int, step: int) -> list[int]:
    """Which samples training batch ``step`` is made of, in its order."""
    places = (divmod(number, num_samples) for number in range(step * batch, (step + 1) * batch))
    return [int(_epoch_order(num_samples, seed=seed, epoch=epoch)[place]) for epoch, place in places]


@contextmanager
def collect_apart() -> Iterator[None]:
    """Within it, Python collects cyclic garbage only where `gc.collect` is called; call it between epochs.

    A collection starts in whichever thread allocates. In a thread that makes a batch it may find that batch's own,
    abandoned iterator, whose end then waits for the batch: for ever.
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
    """Within it, a file that cannot be read any more raises its DataError, not TensorFlow's account of one."""
    try:
        yield
    except tf.errors.OpError as error:
        told = re.search(r"\b(?:DataError|ImageError): (.+)", str(error))
        if told is None:
            raise
        raise DataError(told[1]) from error


def _empty(count: int, size: tuple[int, int]) -> Batch:
    return np.empty((count, *size, 3), np.uint8), np.empty((count, *size), np.uint8)


def _batches(
    steps: tf.data.Dataset, make: Callable[[int], Batch], size: tuple[int, int], count: int | None
) -> tf.data.Dataset:
    def make_batch(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # One call a batch, not a sample: and OpenCV and Pillow leave the interpreter lock to others while they work.
        images, masks = tf.numpy_function(make, [step], (tf.uint8, tf.uint8))
        return tf.ensure_shape(images, (count, *size, 3)), tf.ensure_shape(masks, (count, *size))

    def as_float(images: tf.Tensor, masks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cast(images, tf.float32), masks

    made = steps.map(make_batch, num_parallel_calls=cores(), deterministic=True)
    # Apart, so that the batches under way are held as bytes.
    ready = made.map(as_float, num_parallel_calls=_AHEAD, deterministic=True).prefetch(_AHEAD)
    options = tf.data.Options()
    options.autotune.enabled = False
    options.deterministic = True
    options.threading.private_threadpool_size = cores()
    return ready.with_options(options)
