"""Batches for training and validation, by tf.data.

Batch ``step`` of a training is a function of the seed and of ``step`` alone, so a resumed training goes on with the
very batches that it would have had. Samples are made side by side; tf.data's autotuner is off, since its thread holds
up every iterator's end by seconds.
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
from kseg.data.pipeline.transforms.apply import vary_packed
from kseg.data.pipeline.transforms.graph import compiled, plain
from kseg.data.pipeline.transforms.packed import unpack
from kseg.errors import DataError
from kseg.processor import usable_cores

__all__ = ["batch_samples", "collect_apart", "data_errors", "epoch_batches", "eval_batches", "train_batches"]

_AHEAD = 2
"""Finished batches that wait for the training."""


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
        batch: Samples a batch; always that many, so a batch may hold the end of an epoch and the beginning of the
            next.
        seed: Decides the order of each epoch and all variations.
        augment: How samples are varied.
        start: The first batch; to go on where a training stopped, the steps that it had done.
        weights: How often each sample is drawn, relative to the others, float64 ``[N]``; with replacement. Without
            them an epoch has each sample once.
        background: The class that crops about objects leave out; None where every class is an object.
        parallel: How many samples are made at the same time. Defaults to one a core; it changes no batch.

    Returns:
        Pairs of images float32 ``[B, H, W, 3]`` in 0..255 and class ids uint8 ``[B, H, W]``, 255 = ignore.

    Raises:
        DataError: The weights cannot be used.
    """
    fetch, total = fetcher(data), len(data)

    @plain
    def make(number: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
        return vary_packed(fetch, index, total, augment, seed=seed, number=number, background=background)

    numbered = numbered_samples(total, seed=seed, first=start * batch, cumulative=shares(weights, total))
    made = numbered.map(make, num_parallel_calls=parallel or usable_cores(), deterministic=True)
    return _finished(made.batch(batch, drop_remainder=True))


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
    """All samples in order, as they are, again and again; ``ceil(N / batch)`` batches a pass, the last one partial.

    Returns:
        Pairs as `train_batches` gives them.
    """
    total = len(data)
    fetched = tf.data.Dataset.range(total).map(
        fetcher(data).whole, num_parallel_calls=usable_cores(), deterministic=True
    )
    # Where the last batch is not partial, the graph may know the size of all.
    return _finished(fetched.batch(batch, drop_remainder=total % batch == 0).repeat())


@contextmanager
def collect_apart() -> Iterator[None]:
    """Within it, Python collects cyclic garbage only where `gc.collect` is called; call it between epochs.

    A collection starts in whichever thread allocates. In a thread that decodes a sample in Python it may find the
    abandoned iterator that this sample is for, whose end then waits for the sample: for ever.
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
        told = _told(str(error))
        if told is None:
            raise
        raise DataError(told) from error


def _told(message: str) -> str | None:
    """What an error of TensorFlow says about a file, if that is what it is about."""
    if found := re.search(r"\b(?:DataError|ImageError|ConfigError): (.+)", message):
        return found[1]
    if found := re.search(r"(/[^\n]*); No such file or directory", message):
        return f"{found[1]}: no such file"
    if re.search(r"Decode(?:AndCrop)?(?:Jpeg|Png|Raw)|ExtractJpegShape", message):
        return "a file can no longer be decoded: it was changed after it was checked"
    return None


def _finished(packed: tf.data.Dataset) -> tf.data.Dataset:
    @compiled
    def as_float(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, masks = unpack(batch)
        return tf.cast(images, tf.float32), masks

    # Apart, so that the batches under way are held as bytes.
    ready = packed.map(as_float, num_parallel_calls=_AHEAD, deterministic=True).prefetch(_AHEAD)
    options = tf.data.Options()
    options.autotune.enabled = False
    options.deterministic = True
    options.threading.private_threadpool_size = usable_cores()
    # Many samples at a time, each by one thread: splitting an operation costs more than it saves.
    options.threading.max_intra_op_parallelism = 1
    return ready.with_options(options)
