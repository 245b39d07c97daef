"""Get a packed sample into TensorFlow's graph: from memory, from the cache's files, or decoded from its own."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kseg.data.arrays import Arrays, Streamed, load_packed
from kseg.data.cache import Cached, Source
from kseg.data.graph import plain

__all__ = ["Fetch", "fetcher"]

Fetch: TypeAlias = Callable[[tf.Tensor], tf.Tensor]
"""From a sample's index, an int64 scalar, to the sample, uint8 ``[H, W, 4]``."""


def fetcher(data: Source) -> Fetch:
    """The operation that gets a sample."""
    if isinstance(data, Arrays):
        return _from_memory(data)
    if isinstance(data, Cached):
        return _from_cache(data)
    return _from_files(data)


def _from_memory(data: Arrays) -> Fetch:
    held = _tensor(data.packed)

    @plain
    def fetch(index: tf.Tensor) -> tf.Tensor:
        return tf.gather(held, index)

    return fetch


def _tensor(array: npt.NDArray[np.uint8]) -> tf.Tensor:
    """The same memory as a tensor, where it is aligned as `load_arrays` does it."""
    if array.ctypes.data % 64 or not array.flags.c_contiguous or not array.size:
        with tf.device("CPU:0"):
            return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def _from_cache(data: Cached) -> Fetch:
    files = tf.constant([os.fsencode(file) for file in data.files])
    shape = (*data.size, 4)

    @plain
    def fetch(index: tf.Tensor) -> tf.Tensor:
        content = tf.io.decode_raw(tf.io.read_file(files[index]), tf.uint8)
        return tf.reshape(content[: math.prod(shape)], shape)

    return fetch


def _from_files(data: Streamed) -> Fetch:
    shape = (*data.size, 4)

    def load(index: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        return load_packed(data.samples[int(index)], data.labels, data.size)

    @plain
    def fetch(index: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(load, [index], tf.uint8), shape)

    return fetch
