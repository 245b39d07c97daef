"""Convolution with 3×3 filters by Winograd's algorithm, for training on a CPU.

F(4×4, 3×3) of Lavin & Gray 2016, https://arxiv.org/abs/1509.09308::

    Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A      d: 6×6 pixels of an image, g: a 3×3 filter, Y: 4×4 pixels of the outputs

The image is cut into 6×6 tiles that overlap by two pixels, so that their outputs lie side by side. The elementwise
product ⊙, summed over channels, is 36 products of matrices ``[tiles, C] · [C, filters]``: 36 multiplications a tile and
pair of channels instead of 16 · 9 = 144. The transforms are additions, which XLA compiles to loops over all channels.

The algorithm is linear in d and in g, so both gradients are made of the same transforms transposed, and take a quarter
of the multiplications, too. Results differ from a direct convolution's by 1e-5 of the largest one. Only networks under
training contain this layer; saved and exported ones have Keras' own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import keras
import numpy as np

__all__ = ["WinogradConv2D"]

_Matrix: TypeAlias = tuple[tuple[float, ...], ...]

_BT: Final[_Matrix] = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
"""Bᵀ: six pixels of an image → six values, along one axis."""
_AT: Final[_Matrix] = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
"""Aᵀ: six values → four pixels of the outputs, along one axis."""
_G: Final = np.array(
    [[1 / 4, 0, 0], [-1 / 6] * 3, [-1 / 6, 1 / 6, -1 / 6], [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]]
)
"""G: three weights of a filter → six values, along one axis."""
_GG: Final = np.einsum("ir,js->jirs", _G, _G).reshape(36, 9).astype(np.float32)
"""G along both axes: the nine weights of a filter → its 36 values, in the order of `_to_tiles`: columns first."""

_PIXELS: Final = 4
"""Side of a tile's outputs."""
_GROUP_VALUES: Final = 2_500_000
"""Values of the tiles in memory at a time: ten megabytes. More take as long, and more memory."""
_FEWEST_TILES: Final = 16
"""Tiles in a batch from which on the transform of the filters pays."""
_LEAST_WORK: Final = 100_000_000
"""Multiplications of a batch with which a few hundred steps save the second or two of compiling the loops."""


class WinogradConv2D(keras.layers.Conv2D):
    """Keras' layer, weight for weight, on ``[B, H, W, C]`` of a static H and W; on TensorFlow only.

    For 3×3 filters, stride 1, padding ``same``, without groups or dilation, in float32.
    """

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Convolve ``[B, H, W, C]`` to ``[B, H, W, filters]``; by tiles only in training, with a large static B."""
        if not training or inputs.shape[0] is None or not _saves_time(inputs.shape, self.filters):
            return super().call(inputs)
        outputs = _convolve(inputs, self.kernel)
        if self.use_bias:
            outputs = outputs + keras.ops.convert_to_tensor(self.bias)
        return outputs if self.activation is None else self.activation(outputs)


def _saves_time(shape: Sequence[int], filters: int) -> bool:
    """Whether the tiles, some half empty at the edges, halve the multiplications, and there is enough work."""
    batch, height, width, channels = shape
    pixels, tiles = batch * height * width, batch * _tiles_along(height) * _tiles_along(width)
    halves_products = 36 * tiles <= 9 * pixels / 2
    return halves_products and tiles >= _FEWEST_TILES and 9 * pixels * channels * filters >= _LEAST_WORK


def _convolve(images: Any, kernel: Any) -> Any:
    """``[B, H, W, C]`` and a kernel ``[3, 3, C, filters]`` → ``[B, H, W, filters]``, with its gradients."""
    import tensorflow as tf

    size = images.shape[1:3]
    filter_values = 36, *kernel.shape[2:]
    groups = _groups(images.shape, max(filter_values[1:]))

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(images: Any, kernel: Any) -> tuple[Any, Any]:
        weights = _multiply(_GG, kernel, filter_values)

        def outputs(group: slice) -> Any:
            return _to_image(tf.matmul(_to_tiles(images[group], _BT), weights), size, _AT)

        def gradients(upstream: Any) -> tuple[Any, Any]:
            upstream = tf.ensure_shape(upstream, [*images.shape[:3], kernel.shape[3]])
            of_images, of_weights = [], []
            for group in groups:
                products = _to_tiles(upstream[group], _transposed(_AT))
                of_images.append(_to_image(tf.matmul(products, weights, transpose_b=True), size, _transposed(_BT)))
                # The images' tiles are computed again: keeping them would take more than twice the images' memory.
                of_weights.append(tf.matmul(_to_tiles(images[group], _BT), products, transpose_a=True))
            return tf.concat(of_images, 0), _multiply(_GG.T, tf.add_n(of_weights), kernel.shape)

        return tf.concat([outputs(group) for group in groups], 0), gradients

    return run(images, tf.convert_to_tensor(kernel))


def _groups(shape: Sequence[int], channels: int) -> list[slice]:
    """Images whose tiles fit `_GROUP_VALUES` together; groups of one size, so that the loops are compiled once."""
    batch, height, width, _ = shape
    values = 36 * _tiles_along(height) * _tiles_along(width) * channels
    count = max(n for n in range(1, batch + 1) if batch % n == 0 and (n == 1 or n * values <= _GROUP_VALUES))
    return [slice(first, first + count) for first in range(0, batch, count)]


def _multiply(matrix: Any, values: Any, shape: Sequence[int]) -> Any:
    """A matrix times ``values``, whose leading axes together are its columns; the result reshaped."""
    import tensorflow as tf

    return tf.reshape(tf.matmul(matrix, tf.reshape(values, [matrix.shape[1], -1])), shape)


def _to_tiles(images: Any, matrix: _Matrix) -> Any:
    """``Bᵀ d B`` of all tiles, or ``A d Aᵀ`` of all tiles of a gradient: ``[B, H, W, C]`` → ``[36, tiles, C]``.

    Along the columns first, then along the rows; both in one loop is slower.
    """
    import tensorflow as tf

    height, width, channels = images.shape[1:]
    cut = _compiled(_cut)
    rows = cut(tf.reshape(images, [-1, height, width * channels]), matrix)
    return tf.reshape(cut(tf.reshape(rows, [-1, width, channels]), matrix), [36, -1, channels])


def _to_image(tiles: Any, size: Sequence[int], matrix: _Matrix) -> Any:
    """``Aᵀ m A`` of all tiles, or ``B m Bᵀ``, joined to images: ``[36, tiles, C]`` → ``[B, H, W, C]``."""
    return _compiled(_join_both)(tiles, *size, matrix)


def _join_both(tiles: Any, height: int, width: int, matrix: _Matrix) -> Any:
    """`_join` along the rows, then along the columns."""
    import tensorflow as tf

    channels = tiles.shape[2]
    rows = _join(tf.reshape(tiles, [6, -1, _tiles_along(width), channels]), width, matrix)
    image = _join(tf.reshape(rows, [6, -1, _tiles_along(height), width * channels]), height, matrix)
    return tf.reshape(image, [-1, height, width, channels])


def _cut(lines: Any, matrix: _Matrix) -> Any:
    """Cut lines into tiles, and multiply each by a matrix: ``[lines, pixels, C]`` → ``[6, lines, tiles, C]``.

    A matrix of four columns (A) is for tiles of four pixels side by side. One of six (Bᵀ) takes one more pixel on
    either side, which belong to the neighbouring tiles.
    """
    import tensorflow as tf

    padded = tf.pad(lines, [(0, 0), (0, -lines.shape[1] % _PIXELS), (0, 0)])
    pixels = [padded[:, i::_PIXELS] for i in range(_PIXELS)]  # the i-th pixel of every tile, [lines, tiles, C]
    if len(matrix[0]) > _PIXELS:
        pixels = [_from_previous_tile(pixels[-1]), *pixels, _from_next_tile(pixels[0])]
    return tf.stack(_combine(matrix, pixels))


def _join(tiles: Any, size: int, matrix: _Matrix) -> Any:
    """Multiply tiles by a matrix, and join them to lines: ``[6, lines, tiles, C]`` → ``[lines, size, C]``.

    The transpose of `_cut`. A matrix of four rows (Aᵀ) gives tiles side by side. One of six (B) gives tiles that
    overlap by two pixels, in which both are summed.
    """
    import tensorflow as tf

    pixels = _combine(matrix, tf.unstack(tiles))
    if len(pixels) > _PIXELS:
        before, *pixels, after = pixels
        pixels[0] += _from_previous_tile(after)
        pixels[-1] += _from_next_tile(before)
    return tf.reshape(tf.stack(pixels, 2), [-1, tiles.shape[2] * _PIXELS, tiles.shape[3]])[:, :size]


def _from_previous_tile(values: Any) -> Any:
    """``[lines, tiles, C]`` → for each tile the values of the one before it; zeros for the first."""
    import tensorflow as tf

    return tf.pad(values[:, :-1], [(0, 0), (1, 0), (0, 0)])


def _from_next_tile(values: Any) -> Any:
    """``[lines, tiles, C]`` → for each tile the values of the one after it; zeros for the last."""
    import tensorflow as tf

    return tf.pad(values[:, 1:], [(0, 0), (0, 1), (0, 0)])


def _combine(matrix: _Matrix, values: Sequence[Any]) -> list[Any]:
    """A matrix times a vector of tensors; products with 0 are left out."""
    return [
        functools.reduce(lambda total, term: total + term, [n * x for n, x in zip(row, values, strict=True) if n])
        for row in matrix
    ]


def _transposed(matrix: _Matrix) -> _Matrix:
    return tuple(zip(*matrix, strict=True))


def _tiles_along(length: int) -> int:
    return -(-length // _PIXELS)


@functools.cache
def _compiled(function: Callable[..., Any]) -> Any:
    """A function compiled by XLA, once for each shape and matrix."""
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)
