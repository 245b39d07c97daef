"""Convolution with filters of 3×3 pixels by Winograd's algorithm, for training on a CPU.

F(4×4, 3×3) of Lavin & Gray 2016, https://arxiv.org/abs/1509.09308: the image is cut into overlapping tiles of 6×6
pixels, each is transformed, multiplied with the transformed filters, and transformed back to 4×4 pixels of the outputs.
That takes 36 multiplications a tile and pair of channels instead of 144, as 36 products of matrices; the transforms are
additions, which XLA compiles to loops over all channels. Both gradients are made of the same transforms transposed, and
take a quarter of the multiplications, too. Results differ from a direct convolution's by 1e-5 of the largest one.
Only networks under training hold this layer; what is saved and exported has Keras' own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import keras
import numpy as np

__all__ = ["WinogradConv2D"]

_Matrix: TypeAlias = tuple[tuple[float, ...], ...]

_OF_INPUT: Final[_Matrix] = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
"""Lavin & Gray's Bᵀ: six pixels to six values, along one axis."""
_OF_OUTPUT: Final[_Matrix] = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
"""Their Aᵀ: six values to four pixels."""
_OF_FILTER: Final = np.array(
    [[1 / 4, 0, 0], [-1 / 6] * 3, [-1 / 6, 1 / 6, -1 / 6], [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]]
)
"""Their G: three weights to six values."""
_OF_FILTERS: Final = np.einsum("ir,js->jirs", _OF_FILTER, _OF_FILTER).reshape(36, 9).astype(np.float32)
"""G along both axes: the nine weights of a filter to its 36 values, columns first as tiles have them."""

_PIXELS: Final = 4
"""The side of a tile in the outputs."""
_AT_ONCE: Final = 2_500_000
"""Values of tiles that are made at a time, ten megabytes, so that they take little memory; the time is the same."""
_FEWEST_TILES: Final = 16
"""Of a batch, from which on filters are worth transforming."""
_LEAST_WORK: Final = 100_000_000
"""Multiplications of a batch from which on some hundred steps save the second or two that compiling the loops takes."""


class WinogradConv2D(keras.layers.Conv2D):
    """Keras' layer, weight for weight, on ``[B, H, W, C]`` of a known H and W.

    Of 3×3 filters, stride 1, padding ``same``, without groups or dilation, in float32; TensorFlow alone.
    """

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Convolve ``[B, H, W, C]`` to ``[B, H, W, filters]``; by tiles in training alone, of a large known B."""
        if not training or inputs.shape[0] is None or not _pays(inputs.shape, self.filters):
            return super().call(inputs)
        outputs = _convolve(inputs, self.kernel)
        if self.use_bias:
            outputs = outputs + keras.ops.convert_to_tensor(self.bias)
        return outputs if self.activation is None else self.activation(outputs)


def _pays(shape: Sequence[int], filters: int) -> bool:
    batch, height, width, channels = shape
    pixels, tiles = batch * height * width, batch * _tiles_along(height) * _tiles_along(width)
    half_the_products = 36 * tiles <= 9 * pixels / 2
    return half_the_products and tiles >= _FEWEST_TILES and 9 * pixels * channels * filters >= _LEAST_WORK


def _convolve(images: Any, kernel: Any) -> Any:
    import tensorflow as tf

    size = images.shape[1:3]
    filter_values = 36, *kernel.shape[2:]
    groups = _groups(images.shape, max(filter_values[1:]))

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(images: Any, kernel: Any) -> tuple[Any, Any]:
        weights = _multiply(_OF_FILTERS, kernel, filter_values)

        def outputs(part: slice) -> Any:
            return _to_image(tf.matmul(_to_tiles(images[part], _OF_INPUT), weights), size, _OF_OUTPUT)

        def gradients(upstream: Any) -> tuple[Any, Any]:
            known = tf.ensure_shape(upstream, [*images.shape[:3], kernel.shape[3]])
            of_images, of_weights = [], []
            for part in groups:
                above = _to_tiles(known[part], _transposed(_OF_OUTPUT))
                of_images.append(_to_image(tf.matmul(above, weights, transpose_b=True), size, _transposed(_OF_INPUT)))
                # The images' tiles are made again: kept, they would take more than twice the images' memory.
                of_weights.append(tf.matmul(_to_tiles(images[part], _OF_INPUT), above, transpose_a=True))
            return tf.concat(of_images, 0), _multiply(_OF_FILTERS.T, tf.add_n(of_weights), kernel.shape)

        return tf.concat([outputs(part) for part in groups], 0), gradients

    return run(images, tf.convert_to_tensor(kernel))


def _groups(shape: Sequence[int], channels: int) -> list[slice]:
    """Of images whose tiles, of at most so many channels, are made at a time; all of one size, to be compiled once."""
    batch, height, width, _ = shape
    values = 36 * _tiles_along(height) * _tiles_along(width) * channels
    count = max(n for n in range(1, batch + 1) if batch % n == 0 and (n == 1 or n * values <= _AT_ONCE))
    return [slice(first, first + count) for first in range(0, batch, count)]


def _multiply(matrix: Any, values: Any, shape: Sequence[int]) -> Any:
    import tensorflow as tf

    return tf.reshape(tf.matmul(matrix, tf.reshape(values, [matrix.shape[1], -1])), shape)


def _to_tiles(images: Any, matrix: _Matrix) -> Any:
    """``[B, H, W, C]`` to ``[36, tiles, C]``: down the columns first, then along the rows; both at once is slower."""
    import tensorflow as tf

    height, width, channels = images.shape[1:]
    cut = _compiled(_cut)
    rows = cut(tf.reshape(images, [-1, height, width * channels]), matrix)
    return tf.reshape(cut(tf.reshape(rows, [-1, width, channels]), matrix), [36, -1, channels])


def _to_image(tiles: Any, size: Sequence[int], matrix: _Matrix) -> Any:
    """``[36, tiles, C]`` to ``[B, H, W, C]``."""
    return _compiled(_joined)(tiles, *size, matrix)


def _joined(tiles: Any, height: int, width: int, matrix: _Matrix) -> Any:
    import tensorflow as tf

    channels = tiles.shape[2]
    rows = _join(tf.reshape(tiles, [6, -1, _tiles_along(width), channels]), width, matrix)
    image = _join(tf.reshape(rows, [6, -1, _tiles_along(height), width * channels]), height, matrix)
    return tf.reshape(image, [-1, height, width, channels])


def _cut(lines: Any, matrix: _Matrix) -> Any:
    """Tiles of each line, multiplied by a matrix of six rows: ``[lines, pixels, C]`` to ``[6, lines, tiles, C]``.

    A matrix of four columns takes tiles side by side, one of six takes a pixel more at either end of each.
    """
    import tensorflow as tf

    whole = tf.pad(lines, [(0, 0), (0, -lines.shape[1] % _PIXELS), (0, 0)])
    pixels = [whole[:, i::_PIXELS] for i in range(_PIXELS)]
    if len(matrix[0]) > _PIXELS:
        pixels = [_after_a_tile(pixels[-1]), *pixels, _before_a_tile(pixels[0])]
    return tf.stack(_combined(matrix, pixels))


def _join(tiles: Any, size: int, matrix: _Matrix) -> Any:
    """What `_cut` made, multiplied by a matrix of six columns: ``[6, lines, tiles, C]`` to ``[lines, pixels, C]``.

    A matrix of four rows gives tiles side by side; those of one of six overlap by two pixels, which are summed.
    """
    import tensorflow as tf

    pixels = _combined(matrix, tf.unstack(tiles))
    if len(pixels) > _PIXELS:
        first, *pixels, last = pixels
        pixels[0] += _after_a_tile(last)
        pixels[-1] += _before_a_tile(first)
    return tf.reshape(tf.stack(pixels, 2), [-1, tiles.shape[2] * _PIXELS, tiles.shape[3]])[:, :size]


def _after_a_tile(values: Any) -> Any:
    """``[lines, tiles, C]``, each tile having what the one before it had, the first zeros."""
    import tensorflow as tf

    return tf.pad(values[:, :-1], [(0, 0), (1, 0), (0, 0)])


def _before_a_tile(values: Any) -> Any:
    """The same of the one behind it."""
    import tensorflow as tf

    return tf.pad(values[:, 1:], [(0, 0), (0, 1), (0, 0)])


def _combined(matrix: _Matrix, values: Sequence[Any]) -> list[Any]:
    """The matrix' rows times the values."""
    return [
        functools.reduce(lambda one, other: one + other, [n * value for n, value in zip(row, values, strict=True) if n])
        for row in matrix
    ]


def _transposed(matrix: _Matrix) -> _Matrix:
    return tuple(zip(*matrix, strict=True))


def _tiles_along(length: int) -> int:
    return -(-length // _PIXELS)


@functools.cache
def _compiled(function: Callable[..., Any]) -> Any:
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)
