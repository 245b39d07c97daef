"""Decode samples inside TensorFlow's graph, without Python, where their files are plain ones.

Plain are a JPEG in RGB that stands upright, and a mask in a grey PNG of 8 bits. All other files go through
`kseg.images` and `kseg.data.truth`, one call of Python each. JPEGs are decoded at a half, a quarter or an eighth of
their size, which costs less, where that is still twice as large as the result: the picture then differs from what
`resize_image` makes of it, on pets at 80×80 by 0.8 of 255 on average and by 2.6 at most on a picture's average.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kseg.data.pipeline.arrays import Streamed
from kseg.data.pipeline.transforms.graph import compiled, plain
from kseg.data.pipeline.transforms.packed import join
from kseg.data.sample import Sample
from kseg.data.truth import read_truth
from kseg.errors import DataError
from kseg.images import image_header, read_image, resize_image, resize_mask
from kseg.parallel import parallel_map

__all__ = ["Decoder"]

Pixels = npt.NDArray[np.uint8]
Window: TypeAlias = tf.Tensor
"""Top, left, height and width as shares of the picture, float32 ``[4]``."""

_RATIOS: Final = (1, 2, 4, 8)
_SAME: Final = np.arange(256, dtype=np.int16)
"""The class ids of a mask that holds class ids."""
_GRAY_PNG: Final = (8, 0)
"""Bit depth and colour type in a PNG's header."""


class Decoder:
    """The operations that decode the samples of a split.

    Args:
        data: Which samples, what their masks mean, and the size that is wanted.
    """

    def __init__(self, data: Streamed) -> None:
        self._data = data
        self._files = tf.constant([bytes(sample.image) for sample in data.samples])
        ways = parallel_map(self._ways, data.samples)
        self._ratios = tf.constant([ratio for ratio, _ in ways], tf.int32)
        sizes = [size or (0, 0) for _, size in ways]
        self._gray = tf.constant([size is not None for _, size in ways])
        self._rows, self._columns = (_Places([size[axis] for size in sizes], data.size[axis]) for axis in (0, 1))
        masks = [sample.mask if isinstance(sample.mask, Path) else Path() for sample in data.samples]
        self._masks = tf.constant([bytes(mask) for mask in masks])
        ids = np.full(256, -1, np.int16) if data.labels.is_colored else data.labels.ids(np.arange(256))
        self._ids = tf.constant(ids)

    def _ways(self, sample: Sample) -> tuple[int, tuple[int, int] | None]:
        """Where the picture's ratio stands in `_RATIOS`, from 1, or 0 for Python; the mask's size if it is plain."""
        try:
            header = image_header(sample.image)
        except DataError:
            return 0, None  # the reader will tell what is wrong
        ratio = 0
        if (header.format, header.mode, header.orientation) == ("JPEG", "RGB", 1):
            fits = [
                all(
                    -(-side // by) >= (wanted if by == 1 else 2 * wanted)
                    for side, wanted in zip(header.size, self._data.size, strict=True)
                )
                for by in _RATIOS
            ]
            ratio = max(1, sum(fits))
        plain_mask = not self._data.labels.is_colored and not (sample.turned and header.orientation != 1)
        return ratio, _gray_png_size(sample.mask) if plain_mask else None

    def whole(self, index: tf.Tensor) -> tf.Tensor:
        """A sample: uint8 ``[H, W, 4]``."""
        size = self._data.size
        image = tf.switch_case(self._ratios[index], self._branches(index))
        values, table = tf.cond(
            self._gray[index],
            lambda: (self._nearest(self._values(index), index), self._ids),
            lambda: (self._truth_by_python(index, size), _SAME),
        )
        packed, known = _joined(image, tf.ensure_shape(values, size), table)
        # What is wrong with a value that the labels do not name Python can tell.
        return tf.cond(known, lambda: packed, lambda: _joined(image, self._truth_by_python(index, size), _SAME)[0])

    def part(self, index: tf.Tensor, choose: Callable[[tf.Tensor], Window]) -> tf.Tensor:
        """A part of a sample, cut out of the picture at its full size: uint8 ``[H, W, 4]``.

        Args:
            index: Which sample.
            choose: Says which part, from the mask's class ids uint8 ``[h, w]``.
        """
        ids = self._truth(index)
        window = choose(ids)

        def cut() -> tuple[tf.Tensor, Window]:
            content = tf.io.read_file(self._files[index])
            shape = tf.io.extract_jpeg_shape(content)[:2]
            box = _box(window, shape)
            image = tf.image.decode_and_crop_jpeg(content, box, channels=3, dct_method="INTEGER_ACCURATE")
            return _resized(image, self._data.size), _shares(box, shape)

        def read() -> tuple[tf.Tensor, Window]:
            image = tf.numpy_function(self._read, [index], tf.uint8)
            shape = tf.shape(image)[:2]
            box = _box(window, shape)
            image = tf.ensure_shape(tf.numpy_function(self._cut, [image, box], tf.uint8), (*self._data.size, 3))
            return tf.cast(image, tf.float32), _shares(box, shape)

        image, exact = tf.cond(self._ratios[index] > 0, cut, read)
        return _joined(image, _sampled(ids, exact, self._data.size), _SAME)[0]

    def _branches(self, index: tf.Tensor) -> list[Callable[[], tf.Tensor]]:
        size = self._data.size

        def python() -> tf.Tensor:
            image = tf.numpy_function(self._resized_by_python, [index], tf.uint8)
            return tf.cast(tf.ensure_shape(image, (*size, 3)), tf.float32)

        @plain
        def at(ratio: int) -> tf.Tensor:
            content = tf.io.read_file(self._files[index])
            image = tf.io.decode_jpeg(content, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")
            return _resized(image, size)

        return [python, *(lambda by=by: at(by) for by in _RATIOS)]

    def _truth(self, index: tf.Tensor) -> tf.Tensor:
        """Class ids at the mask's own size, uint8 ``[h, w]``."""

        def decoded() -> tf.Tensor:
            ids = tf.gather(self._ids, tf.cast(self._values(index), tf.int32))
            known = tf.reduce_min(ids) >= 0
            return tf.cond(known, lambda: tf.cast(ids, tf.uint8), lambda: self._truth_by_python(index, None))

        return tf.cond(self._gray[index], decoded, lambda: self._truth_by_python(index, None))

    def _values(self, index: tf.Tensor) -> tf.Tensor:
        """A plain mask's own values, uint8 ``[h, w]``."""
        return tf.io.decode_png(tf.io.read_file(self._masks[index]), channels=1)[..., 0]

    def _truth_by_python(self, index: tf.Tensor, size: tuple[int, int] | None) -> tf.Tensor:
        """Class ids uint8 ``[h, w]``, resized to ``size`` if any is given."""

        def read(number: npt.NDArray[np.int64]) -> Pixels:
            return read_truth(self._data.samples[int(number)], self._data.labels, size)

        return tf.ensure_shape(tf.numpy_function(read, [index], tf.uint8), size or (None, None))

    def _nearest(self, values: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.gather(values, self._rows.of(index)), self._columns.of(index), axis=1)

    def _read(self, index: npt.NDArray[np.int64]) -> Pixels:
        return read_image(self._data.samples[int(index)].image)

    def _resized_by_python(self, index: npt.NDArray[np.int64]) -> Pixels:
        return resize_image(self._read(index), self._data.size)

    def _cut(self, image: Pixels, box: npt.NDArray[np.int32]) -> Pixels:
        top, left, height, width = box.tolist()
        return resize_image(np.ascontiguousarray(image[top : top + height, left : left + width]), self._data.size)


class _Places:
    """Which pixels along one axis `resize_mask` takes, asked of itself: two may be equally near, and then it chooses.

    Args:
        lengths: Each sample's.
        wanted: The length to resize to.
    """

    def __init__(self, lengths: list[int], wanted: int) -> None:
        different = sorted(set(lengths))
        lines = [np.arange(max(length, 1), dtype=np.uint16)[:, np.newaxis] for length in different]
        self._places = tf.constant(np.array([resize_mask(line, (wanted, 1))[:, 0] for line in lines], np.int32))
        self._which = tf.constant(np.searchsorted(different, lengths))

    def of(self, index: tf.Tensor) -> tf.Tensor:
        """Those of a sample, int32 ``[wanted]``."""
        return tf.gather(self._places, self._which[index])


def _gray_png_size(mask: Any) -> tuple[int, int] | None:
    if not isinstance(mask, Path):
        return None
    try:
        with mask.open("rb") as file:
            head = file.read(26)
        if head[:8] != b"\x89PNG\r\n\x1a\n" or tuple(head[24:26]) != _GRAY_PNG:
            return None
        header = image_header(mask)
    except (OSError, DataError):
        return None
    return header.size if header.orientation == 1 else None


def _box(window: Window, shape: tf.Tensor) -> tf.Tensor:
    """The pixels of a window: top, left, height and width, int32 ``[4]``, within the picture and at least one."""
    sides = tf.cast(shape, tf.float32)
    size = tf.clip_by_value(tf.cast(tf.round(window[2:] * sides), tf.int32), 1, shape)
    first = tf.clip_by_value(tf.cast(tf.round(window[:2] * sides), tf.int32), 0, shape - size)
    return tf.concat([first, size], axis=0)


def _shares(box: tf.Tensor, shape: tf.Tensor) -> Window:
    return tf.cast(box, tf.float32) / tf.cast(tf.tile(shape, [2]), tf.float32)


def _resized(image: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """As `kseg.images.resize_image`, but for its rounding: averaging where it shrinks, bilinear where it grows."""
    smaller = tf.minimum(tf.shape(image)[:2], size)
    mean = tf.raw_ops.ResizeArea(images=image[tf.newaxis], size=smaller)
    grown = tf.cond(
        tf.reduce_all(smaller == size),
        lambda: mean,
        lambda: tf.raw_ops.ResizeBilinear(images=mean, size=size, half_pixel_centers=True),
    )
    return tf.ensure_shape(grown[0], (*size, 3))


@compiled
def _joined(image: tf.Tensor, values: tf.Tensor, table: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Pack a sample.

    Args:
        image: RGB float32 ``[H, W, 3]`` in 0..255.
        values: A mask's values uint8 ``[H, W]``.
        table: The class id of each value, int16 ``[256]``; -1 for values without one.

    Returns:
        The sample uint8 ``[H, W, 4]``, and whether all values had a class.
    """
    ids = tf.cast(tf.gather(table, tf.cast(values, tf.int32)), tf.int32)
    return join(tf.unstack(tf.cast(image + 0.5, tf.int32), axis=-1), ids), tf.reduce_min(ids) >= 0


def _sampled(ids: tf.Tensor, window: Window, size: tuple[int, int]) -> tf.Tensor:
    """The ids of the nearest pixels' centres in a window, uint8 ``[H, W]``."""

    def places(axis: int) -> tf.Tensor:
        length = tf.shape(ids)[axis]
        centres = (tf.range(size[axis], dtype=tf.float32) + 0.5) / size[axis]
        at = (window[axis] + window[axis + 2] * centres) * tf.cast(length, tf.float32)
        return tf.minimum(tf.cast(at, tf.int32), length - 1)

    return tf.gather(tf.gather(ids, places(0)), places(1), axis=1)
