"""Decode samples inside TensorFlow's graph, without Python for the common file types.

These are upright RGB JPEGs, and masks in grey PNGs of 8 bits, where they are intact, and as long as their content stays
the same. All other files are read by `kseg.images` and `kseg.data.truth`, with a call into Python each, so that damage
has the same effect as in the check of the data, and an error names the file.

To save time, a JPEG is decoded at 1/2, 1/4 or 1/8 of its size if that is still twice the size needed. The result then
differs a little from `resize_image`'s: on pets at 80×80 by 0.8 of 255 on average, and by at most 2.6 in the mean of an
image. It differs more where a JPEG's pixels are damaged so that their colours are beyond black or white.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kseg.data.pipeline.arrays import Streamed
from kseg.data.pipeline.intact import is_intact_gray_png, is_intact_jpeg
from kseg.data.pipeline.transforms.graph import compiled, without_autograph
from kseg.data.pipeline.transforms.packed import join
from kseg.data.sample import Sample
from kseg.data.truth import LARGEST_DEVIATION, deviation, picture_size, read_picture, read_truth
from kseg.errors import DataError
from kseg.images import image_header, resize_image, resize_mask
from kseg.parallel import parallel_map
from kseg.sizes import Size

__all__ = ["Decoder"]

Pixels = npt.NDArray[np.uint8]
Window: TypeAlias = tf.Tensor
"""Top, left, height and width as fractions of the image, float32 ``[4]``."""

_RATIOS: Final = (1, 2, 4, 8)
_SAME: Final = np.arange(256, dtype=np.int16)
"""The lookup table for masks whose values are class ids already."""
_HASHES: Final = 2**63 - 1
"""Number of different hashes of a file's content."""


class Decoder:
    """The operations that decode the samples of a split.

    Args:
        data: The samples, their label map, and the size to resize to.
    """

    def __init__(self, data: Streamed) -> None:
        self._data = data
        self._files = tf.constant([bytes(sample.image) for sample in data.samples])
        ratios_and_hashes = parallel_map(self._jpeg_ratio, data.samples)
        self._ratios = tf.constant([ratio for ratio, _ in ratios_and_hashes], tf.int32)
        self._image_hashes = tf.constant([hash_ for _, hash_ in ratios_and_hashes], tf.int64)
        sizes_and_hashes = parallel_map(self._gray_png_size, data.samples)
        sizes = [size or (0, 0) for size, _ in sizes_and_hashes]
        scaled_to = parallel_map(self._scaled_size, data.samples)
        self._gray = tf.constant([size is not None for size, _ in sizes_and_hashes])
        self._mask_hashes = tf.constant([hash_ for _, hash_ in sizes_and_hashes], tf.int64)
        self._rows, self._columns = (
            _NearestIndices(
                [(size[axis], (scaled or size)[axis]) for size, scaled in zip(sizes, scaled_to, strict=True)],
                data.size[axis],
            )
            for axis in (0, 1)
        )
        masks = [sample.mask if isinstance(sample.mask, Path) else Path() for sample in data.samples]
        self._masks = tf.constant([bytes(mask) for mask in masks])
        ids = np.full(256, -1, np.int16) if data.labels.is_colored else data.labels.ids(np.arange(256))
        self._ids = tf.constant(ids)

    def _jpeg_ratio(self, sample: Sample) -> tuple[int, int]:
        """1 + the index in `_RATIOS` of the JPEG's decoding ratio, or 0 to decode the image by Python; and its hash."""
        try:
            header = image_header(sample.image)
            content = sample.image.read_bytes()
        except (DataError, OSError):
            return 0, 0  # the error is raised on reading the file
        plain = (header.format, header.mode, header.orientation) == ("JPEG", "RGB", 1)
        return (self._ratio(header.size), _hash(content)) if plain and is_intact_jpeg(content) else (0, 0)

    def _gray_png_size(self, sample: Sample) -> tuple[Size | None, int]:
        """The size of a grey PNG mask, or None to decode the mask by Python; and its hash."""
        if self._data.labels.is_colored or not isinstance(sample.mask, Path):
            return None, 0
        try:
            header = image_header(sample.mask)
            content = sample.mask.read_bytes()
            is_turned = header.orientation != 1 or (sample.turned and image_header(sample.image).orientation != 1)
        except (DataError, OSError):
            return None, 0
        scaled_to = self._scaled_size(sample)
        unlike = scaled_to is not None and deviation(header.size, scaled_to) > LARGEST_DEVIATION  # an error on reading
        if is_turned or unlike or not is_intact_gray_png(content):
            return None, 0
        return header.size, _hash(content)

    def _scaled_size(self, sample: Sample) -> Size | None:
        """The size to which the mask is scaled; None if it is not."""
        try:
            return picture_size(sample) if sample.scaled else None
        except DataError:
            return None

    def _ratio(self, size: Size) -> int:
        """1 + the index in `_RATIOS` of the largest ratio that leaves twice the size needed."""
        large_enough = [
            all(
                -(-side // ratio) >= (target if ratio == 1 else 2 * target)
                for side, target in zip(size, self._data.size, strict=True)
            )
            for ratio in _RATIOS
        ]
        return max(1, sum(large_enough))

    def full(self, index: tf.Tensor) -> tf.Tensor:
        """Decode and resize a sample: uint8 ``[H, W, 4]``."""
        size = self._data.size
        ratio, content = self._ratio_and_content(index)
        image = tf.switch_case(ratio, self._branches(index, content))
        is_gray, png = self._gray_and_content(index)
        values, table = tf.cond(
            is_gray,
            lambda: (self._nearest(_gray_values(png), index), self._ids),
            lambda: (self._mask_ids_by_python(index, size), _SAME),
        )
        packed, has_class = _joined(image, tf.ensure_shape(values, size), table)
        # A value that is not in the label map: read again by Python, which raises the error.
        return tf.cond(
            has_class, lambda: packed, lambda: _joined(image, self._mask_ids_by_python(index, size), _SAME)[0]
        )

    def crop(self, index: tf.Tensor, choose: Callable[[tf.Tensor], Window]) -> tf.Tensor:
        """Crop a sample at its full resolution, and resize the crop: uint8 ``[H, W, 4]``.

        Args:
            index: The index of the sample.
            choose: From the mask's class ids, uint8 ``[h, w]``, to the window to crop.
        """
        ids = self._mask_ids(index)
        window = choose(ids)
        ratio, content = self._ratio_and_content(index)

        def from_jpeg() -> tuple[tf.Tensor, Window]:
            shape = tf.io.extract_jpeg_shape(content)[:2]
            box = _box(window, shape)
            image = tf.image.decode_and_crop_jpeg(content, box, channels=3, dct_method="INTEGER_ACCURATE")
            return _resized(image, self._data.size), _as_fractions(box, shape)

        def by_python() -> tuple[tf.Tensor, Window]:
            image = tf.numpy_function(self._read, [index], tf.uint8)
            shape = tf.shape(image)[:2]
            box = _box(window, shape)
            image = tf.ensure_shape(tf.numpy_function(self._cut, [image, box], tf.uint8), (*self._data.size, 3))
            return tf.cast(image, tf.float32), _as_fractions(box, shape)

        image, exact_window = tf.cond(ratio > 0, from_jpeg, by_python)
        return _joined(image, _crop_ids(ids, exact_window, self._data.size), _SAME)[0]

    def _ratio_and_content(self, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The entry of ``_ratios``, but 0 if the JPEG has changed since; and the JPEG's content."""
        ratio = self._ratios[index]
        content = _read_if(ratio > 0, self._files[index])
        return tf.where(_hash_of(content) == self._image_hashes[index], ratio, 0), content

    def _gray_and_content(self, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Whether the mask is a grey PNG that has not changed since; and the PNG's content."""
        is_gray = self._gray[index]
        content = _read_if(is_gray, self._masks[index])
        return is_gray & (_hash_of(content) == self._mask_hashes[index]), content

    def _branches(self, index: tf.Tensor, content: tf.Tensor) -> list[Callable[[], tf.Tensor]]:
        """The ways to decode an image, by Python or at each of `_RATIOS`: float32 ``[H, W, 3]``."""
        size = self._data.size

        def python() -> tf.Tensor:
            image = tf.numpy_function(self._resized_by_python, [index], tf.uint8)
            return tf.cast(tf.ensure_shape(image, (*size, 3)), tf.float32)

        @without_autograph
        def at(ratio: int) -> tf.Tensor:
            image = tf.io.decode_jpeg(content, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")
            return _resized(image, size)

        return [python, *(lambda by=by: at(by) for by in _RATIOS)]

    def _mask_ids(self, index: tf.Tensor) -> tf.Tensor:
        """The mask's class ids at its own size, uint8 ``[h, w]``."""

        is_gray, content = self._gray_and_content(index)

        def decoded() -> tf.Tensor:
            ids = tf.gather(self._ids, tf.cast(_gray_values(content), tf.int32))
            has_class = tf.reduce_min(ids) >= 0
            return tf.cond(has_class, lambda: tf.cast(ids, tf.uint8), lambda: self._mask_ids_by_python(index, None))

        return tf.cond(is_gray, decoded, lambda: self._mask_ids_by_python(index, None))

    def _mask_ids_by_python(self, index: tf.Tensor, size: tuple[int, int] | None) -> tf.Tensor:
        """The mask's class ids, read by Python: uint8 of ``size``, or ``[h, w]`` if that is None."""

        def read(number: npt.NDArray[np.int64]) -> Pixels:
            return read_truth(self._data.samples[int(number)], self._data.labels, size)

        return tf.ensure_shape(tf.numpy_function(read, [index], tf.uint8), size or (None, None))

    def _nearest(self, values: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.gather(values, self._rows.of(index)), self._columns.of(index), axis=1)

    def _read(self, index: npt.NDArray[np.int64]) -> Pixels:
        return read_picture(self._data.samples[int(index)])

    def _resized_by_python(self, index: npt.NDArray[np.int64]) -> Pixels:
        return resize_image(self._read(index), self._data.size)

    def _cut(self, image: Pixels, box: npt.NDArray[np.int32]) -> Pixels:
        top, left, height, width = box.tolist()
        return resize_image(np.ascontiguousarray(image[top : top + height, left : left + width]), self._data.size)


class _NearestIndices:
    """Indices along one axis for a nearest neighbour resize, exactly as `resize_mask` does it.

    They are found by resizing index arrays with it, so that ties are resolved in the same way.

    Args:
        lengths: The length of each sample's mask along the axis, and the one to which it is scaled before.
        target: The length to resize to.
    """

    def __init__(self, lengths: list[tuple[int, int]], target: int) -> None:
        distinct = {pair: row for row, pair in enumerate(dict.fromkeys(lengths))}
        lines = [np.arange(max(length, 1), dtype=np.uint16)[:, np.newaxis] for length, _ in distinct]
        scaled = [resize_mask(line, (max(to, 1), 1)) for line, (_, to) in zip(lines, distinct, strict=True)]
        self._indices = tf.constant(np.array([resize_mask(line, (target, 1))[:, 0] for line in scaled], np.int32))
        self._row_of = tf.constant([distinct[pair] for pair in lengths])

    def of(self, index: tf.Tensor) -> tf.Tensor:
        """The indices for a sample, int32 ``[target]``."""
        return tf.gather(self._indices, self._row_of[index])


def _hash(content: bytes) -> int:
    return int(_hash_of(tf.constant(content)))


def _hash_of(content: tf.Tensor) -> tf.Tensor:
    """Hash of a file's content, int64."""
    return tf.strings.to_hash_bucket_fast(content, _HASHES)


def _read_if(wanted: tf.Tensor, file: tf.Tensor) -> tf.Tensor:
    """The content of a file, empty unless it is wanted."""
    return tf.cond(wanted, lambda: tf.io.read_file(file), lambda: tf.constant(b""))


def _gray_values(content: tf.Tensor) -> tf.Tensor:
    """The values of a grey PNG mask, uint8 ``[h, w]``."""
    return tf.io.decode_png(content, channels=1)[..., 0]


def _box(window: Window, shape: tf.Tensor) -> tf.Tensor:
    """A window in pixels: top, left, height and width, int32 ``[4]``; inside the image, and at least one pixel."""
    sides = tf.cast(shape, tf.float32)
    size = tf.clip_by_value(tf.cast(tf.round(window[2:] * sides), tf.int32), 1, shape)
    first = tf.clip_by_value(tf.cast(tf.round(window[:2] * sides), tf.int32), 0, shape - size)
    return tf.concat([first, size], axis=0)


def _as_fractions(box: tf.Tensor, shape: tf.Tensor) -> Window:
    return tf.cast(box, tf.float32) / tf.cast(tf.tile(shape, [2]), tf.float32)


def _resized(image: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Resize as `kseg.images.resize_image` does, up to rounding: float32 ``[H, W, 3]``."""
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
    """Map mask values to class ids, and pack them with the image.

    Args:
        image: RGB float32 ``[H, W, 3]`` in 0..255.
        values: Mask values uint8 ``[H, W]``.
        table: Mask value → class id, int16 ``[256]``; -1 for values that are not in the label map.

    Returns:
        The packed sample uint8 ``[H, W, 4]``, and whether all values are in the label map.
    """
    ids = tf.cast(tf.gather(table, tf.cast(values, tf.int32)), tf.int32)
    return join(tf.unstack(tf.cast(image + 0.5, tf.int32), axis=-1), ids), tf.reduce_min(ids) >= 0


def _crop_ids(ids: tf.Tensor, window: Window, size: tuple[int, int]) -> tf.Tensor:
    """Crop class ids to a window and resize by nearest neighbour (pixel centres): uint8 ``[H, W]``."""

    def indices(axis: int) -> tf.Tensor:
        length = tf.shape(ids)[axis]
        centres = (tf.range(size[axis], dtype=tf.float32) + 0.5) / size[axis]
        positions = (window[axis] + window[axis + 2] * centres) * tf.cast(length, tf.float32)
        return tf.minimum(tf.cast(positions, tf.int32), length - 1)

    return tf.gather(tf.gather(ids, indices(0)), indices(1), axis=1)
