"""Get a packed sample into TensorFlow's graph: from memory, from the cache's files, or decoded from its own."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kseg.data.arrays import Arrays
from kseg.data.cache import Cached, Source
from kseg.data.decode import Decoder
from kseg.data.graph import plain

__all__ = ["Fetch", "fetcher"]


@dataclass(frozen=True)
class Fetch:
    """How to get a sample.

    Args:
        whole: From its index, an int64 scalar, to the sample, uint8 ``[H, W, 4]``.
        part: From its index, and a function from class ids uint8 ``[h, w]`` to the part that is wanted (top, left,
            height, width as shares, float32 ``[4]``), to that part, uint8 ``[H, W, 4]``. None where only the whole is
            at hand.
    """

    whole: Callable[[tf.Tensor], tf.Tensor]
    part: Callable[[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]], tf.Tensor] | None = None


def fetcher(data: Source) -> Fetch:
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
