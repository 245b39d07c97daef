"""Get a packed sample into TensorFlow's graph: from memory, from the cache's files, or decoded from its own."""

from __future__ import annotations

import math
import os

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kseg.data.pipeline.arrays import Arrays
from kseg.data.pipeline.cache import Cached, SampleStore
from kseg.data.pipeline.decode import Decoder
from kseg.data.pipeline.transforms.fetch import Fetch
from kseg.data.pipeline.transforms.graph import plain

__all__ = ["fetcher"]


def fetcher(data: SampleStore) -> Fetch:
    """The operations that get a sample."""
    if isinstance(data, Arrays):
        return _from_memory(data)
    if isinstance(data, Cached):
        return _from_cache(data)
    decoder = Decoder(data)
    return Fetch(plain(decoder.whole), plain(decoder.part))


def _from_memory(data: Arrays) -> Fetch:
    held = _tensor(data.packed)

    @plain
    def whole(index: tf.Tensor) -> tf.Tensor:
        return tf.gather(held, index)

    return Fetch(whole)


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
    def whole(index: tf.Tensor) -> tf.Tensor:
        content = tf.io.decode_raw(tf.io.read_file(files[index]), tf.uint8)
        return tf.reshape(content[: math.prod(shape)], shape)

    return Fetch(whole)
