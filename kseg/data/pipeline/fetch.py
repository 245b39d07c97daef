"""Get a packed sample inside TensorFlow's graph: from memory, from the cache, or by decoding its files."""

from __future__ import annotations

import math
import os

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kseg.data.pipeline.arrays import Arrays
from kseg.data.pipeline.cache import CHECKSUM_BYTES, Cached, SampleStore
from kseg.data.pipeline.decode import Decoder
from kseg.data.pipeline.transforms.fetch import Fetch
from kseg.data.pipeline.transforms.graph import without_autograph
from kseg.errors import DataError
from kseg.images import printable

__all__ = ["fetcher"]


def fetcher(data: SampleStore) -> Fetch:
    """The operations that get a sample from this store."""
    if isinstance(data, Arrays):
        return _from_memory(data)
    if isinstance(data, Cached):
        return _from_cache(data)
    decoder = Decoder(data)
    return Fetch(without_autograph(decoder.full), without_autograph(decoder.crop))


def _from_memory(data: Arrays) -> Fetch:
    held = _tensor(data.packed)

    @without_autograph
    def full(index: tf.Tensor) -> tf.Tensor:
        return tf.gather(held, index)

    return Fetch(full)


def _tensor(array: npt.NDArray[np.uint8]) -> tf.Tensor:
    """The array as a tensor; without a copy if it is aligned, as by `load_arrays`."""
    if array.ctypes.data % 64 or not array.flags.c_contiguous or not array.size:
        with tf.device("CPU:0"):
            return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def _from_cache(data: Cached) -> Fetch:
    files = tf.constant([os.fsencode(file) for file in data.files])
    shape = (*data.size, 4)
    length = math.prod(shape) + CHECKSUM_BYTES

    def refuse(position: npt.NDArray[np.int64]) -> bytes:
        raise DataError(
            "the file of the cache was changed", where=printable(data.files[int(position)]),
            remedy="start again: it is written anew",
        )  # fmt: skip

    @without_autograph
    def full(index: tf.Tensor) -> tf.Tensor:
        content = tf.io.read_file(files[index])
        complete = tf.strings.length(content) == length
        content = tf.cond(
            complete, lambda: content, lambda: tf.ensure_shape(tf.numpy_function(refuse, [index], tf.string), ())
        )
        return tf.reshape(tf.io.decode_raw(content, tf.uint8)[:-CHECKSUM_BYTES], shape)

    return Fetch(full)
