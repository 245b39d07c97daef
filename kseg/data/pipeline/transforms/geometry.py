"""Geometric transforms: each is a matrix from output to input pixels; consecutive ones are multiplied into one.

Outside the input, the image is black and the class id 255.

Resampling uses integers, with positions and weights in 1/256 pixel (OpenCV: 1/32), so that the result is the same on
every machine. Compiled by XLA, it takes a sixth of the time of TensorFlow's single operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import log, pi
from typing import Any, Final

import tensorflow as tf

from kseg.augment import settings
from kseg.augment.settings import Transform
from kseg.data.pipeline.transforms.graph import compiled
from kseg.data.pipeline.transforms.packed import VOID_PIXEL, bits_of, ids_of, shift_right
from kseg.labels import IGNORE_INDEX
from kseg.sizes import Size

__all__ = ["crop_window", "geometric_step", "pick_foreground", "warp"]

Point = tuple[tf.Tensor, tf.Tensor]

_ONE: Final = 256
"""One pixel in the fixed-point positions and weights."""


def _matrix(numbers: Sequence[Any]) -> tf.Tensor:
    """The matrix ``[3, 3]`` of an affine map, from its first two rows: output ``(x, y, 1)`` → input ``(x, y, 1)``.

    Pixel centres have whole coordinates: (0, 0) is the centre of the first pixel.
    """
    return tf.reshape(tf.stack([tf.cast(number, tf.float32) for number in (*numbers, 0.0, 0.0, 1.0)]), (3, 3))


def _log_uniform(pair: tuple[float, float], draw: tf.Tensor) -> tf.Tensor:
    """A log-uniform number in [pair[0], pair[1]], from a uniform one in 0..1: factors 1/f and f are equally likely."""
    return pair[0] * tf.exp(draw * log(pair[1] / pair[0]))


def _symmetric(limit: float, draw: tf.Tensor) -> tf.Tensor:
    """A uniform number in -limit..limit, from one in 0..1."""
    return limit * (2.0 * draw - 1.0)


def _hflip(_: settings.Hflip, draws: tf.Tensor, size: Size) -> tf.Tensor:
    del draws
    return _matrix((-1, 0, size[1] - 1, 0, 1, 0))


def _vflip(_: settings.Vflip, draws: tf.Tensor, size: Size) -> tf.Tensor:
    del draws
    return _matrix((1, 0, 0, 0, -1, size[0] - 1))


def _rot90(_: settings.Rot90, draws: tf.Tensor, size: Size) -> tf.Tensor:
    # By 180 degrees if the size is not square. Of 1, 2, 3 quarter turns, sines are 1, 0, -1 and cosines 0, -1, 0.
    quarter_turns = tf.floor(3 * draws[1]) + 1 if size[0] == size[1] else tf.constant(2.0)
    sine, cosine = (
        tf.math.floormod(quarter_turns, 2) * (2 - quarter_turns),
        (1 - tf.math.floormod(quarter_turns, 2)) * -1,
    )
    return _rotation(cosine, sine, size)


def _rotate(transform: settings.Rotate, draws: tf.Tensor, size: Size) -> tf.Tensor:
    angle = _symmetric(transform.degrees * pi / 180, draws[1])
    return _rotation(tf.cos(angle), tf.sin(angle), size)


def _rotation(cosine: tf.Tensor, sine: tf.Tensor, size: Size) -> tf.Tensor:
    """The rotation about the centre of the image, from cosine and sine of the angle."""
    x, y = (size[1] - 1) / 2, (size[0] - 1) / 2
    return _matrix((cosine, -sine, x - cosine * x + sine * y, sine, cosine, y - sine * x - cosine * y))


def _scale(transform: settings.Scale, draws: tf.Tensor, size: Size) -> tf.Tensor:
    step = 1.0 / _log_uniform(transform.by, draws[1])
    # About a random fixed point, so that any part of the input may fill the output.
    x, y = draws[2] * size[1] - 0.5, draws[3] * size[0] - 0.5
    return _matrix((step, 0, x * (1 - step), 0, step, y * (1 - step)))


def _shift(transform: settings.Shift, draws: tf.Tensor, size: Size) -> tf.Tensor:
    return _matrix(
        (1, 0, _symmetric(transform.by, draws[1]) * size[1], 0, 1, _symmetric(transform.by, draws[2]) * size[0])
    )


_MATRICES: Final[dict[type[Transform], Callable[[Any, tf.Tensor, Size], tf.Tensor]]] = {
    settings.Hflip: _hflip,
    settings.Vflip: _vflip,
    settings.Rot90: _rot90,
    settings.Rotate: _rotate,
    settings.Scale: _scale,
    settings.Shift: _shift,
}


def crop_window(transform: settings.RandomResizedCrop, draws: tf.Tensor, focus: Point | None) -> tf.Tensor:
    """Choose a random window: top, left, height and width as fractions of the image, float32 ``[4]``.

    Args:
        transform: The settings of the crop.
        draws: Its random numbers, float32 ``[EACH]``.
        focus: A point ``(x, y)``, as fractions, that the window contains with probability ``transform.foreground``.
            None places it anywhere.
    """
    area = transform.area[0] + (transform.area[1] - transform.area[0]) * draws[1]
    ratio = _log_uniform(transform.ratio, draws[2])
    height, width = tf.minimum(tf.sqrt(area / ratio), 1.0), tf.minimum(tf.sqrt(area * ratio), 1.0)
    top, left = draws[3] * (1 - height), draws[4] * (1 - width)
    if focus is not None:
        # At a random position within the crop, so that the network cannot learn a position.
        shows = draws[5] < transform.foreground
        top = tf.where(shows, tf.clip_by_value(focus[1] - height * draws[3], 0.0, 1 - height), top)
        left = tf.where(shows, tf.clip_by_value(focus[0] - width * draws[4], 0.0, 1 - width), left)
    return tf.stack([top, left, height, width])


def _window_matrix(window: tf.Tensor, size: Size) -> tf.Tensor:
    """The matrix that maps the output to a window of the input."""
    top, left, height, width = tf.unstack(window)
    x, y = left * size[1] + 0.5 * width - 0.5, top * size[0] + 0.5 * height - 0.5
    return _matrix((width, 0, x, 0, height, y))


def pick_foreground(ids: tf.Tensor, draws: tf.Tensor, background: int | None) -> tf.Tensor:
    """Choose a random class of a mask, then a random pixel of it; background and ignored pixels are excluded.

    All classes in the mask are equally likely, however few their pixels.

    Args:
        ids: Class ids uint8 ``[H, W]``.
        draws: Two uniform numbers.
        background: The class that is not an object; None if every class is one.

    Returns:
        ``(x, y)`` as fractions of width and height, float32 ``[2]``; the centre if the mask has no object.
    """
    counts = tf.math.bincount(tf.cast(tf.reshape(ids, [-1]), tf.int32), minlength=256, maxlength=256)
    objects = tf.constant([i not in (background, IGNORE_INDEX) for i in range(256)])
    classes = tf.where(objects & (counts > 0))[:, 0]

    def pick() -> tf.Tensor:
        class_id = tf.cast(classes[_index(draws[0], tf.size(classes))], tf.uint8)
        pixels = tf.where(tf.equal(ids, class_id))
        pixel = tf.cast(pixels[_index(draws[1], tf.shape(pixels)[0])], tf.float32)
        return (pixel[::-1] + 0.5) / tf.cast(tf.shape(ids)[::-1], tf.float32)

    return tf.cond(tf.size(classes) > 0, pick, lambda: tf.constant([0.5, 0.5]))


def _index(draw: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    # The minimum, since the product of a number just below 1 and a large count may round to the count.
    return tf.minimum(tf.cast(draw * tf.cast(count, tf.float32), tf.int32), tf.cast(count, tf.int32) - 1)


def geometric_step(
    group: Sequence[tuple[Transform, tf.Tensor]], packed: tf.Tensor, background: int | None
) -> tf.Tensor:
    """Apply consecutive geometric transforms as one.

    Args:
        group: The transforms with their random numbers.
        packed: uint8 ``[H, W, 4]``.
        background: The class that is not an object, for crops around objects.
    """
    transforms = tuple(transform for transform, _ in group)
    if all(isinstance(transform, (settings.Hflip, settings.Vflip)) for transform in transforms):
        return _flip(group, packed)
    rows = tf.stack([draws for _, draws in group])
    any_applied = tf.reduce_any(rows[:, 0] < tf.constant([transform.probability for transform in transforms]))
    points = tf.stack([_point(transform, draws, packed, background) for transform, draws in group])
    return tf.cond(any_applied, lambda: _resample(transforms)(packed, rows, points), lambda: packed)


def _point(transform: Transform, draws: tf.Tensor, packed: tf.Tensor, background: int | None) -> tf.Tensor:
    """The point that a crop should contain, ``(x, y)`` as fractions of the input; the centre for other transforms."""
    middle = tf.constant([0.5, 0.5])
    if not isinstance(transform, settings.RandomResizedCrop) or transform.foreground == 0:
        return middle
    about_object = (draws[0] < transform.probability) & (draws[5] < transform.foreground)
    return tf.cond(about_object, lambda: pick_foreground(ids_of(packed), draws[6:8], background), lambda: middle)


@lru_cache(maxsize=32)
def _resample(transforms: tuple[Transform, ...]) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """Transforms as one function of a packed sample, their draws ``[n, EACH]`` and the crops' points ``[n, 2]``."""

    @compiled
    def resample(packed: tf.Tensor, rows: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
        total, size = tf.eye(3), _size(packed)
        for i, transform in enumerate(transforms):
            if isinstance(transform, settings.RandomResizedCrop):
                focus = _transformed_point(points[i], total, size) if transform.foreground > 0 else None
                matrix = _window_matrix(crop_window(transform, rows[i], focus), size)
            else:
                matrix = _MATRICES[type(transform)](transform, rows[i], size)
            total = tf.where(rows[i, 0] < transform.probability, tf.matmul(total, matrix), total)
        return warp(packed, total)

    return resample


def _transformed_point(point: tf.Tensor, before: tf.Tensor, size: Size) -> Point:
    """Where a point of the input, as fractions, is in the output of the matrix ``before``: its inverse is applied."""
    x, y = point[0] * size[1] - 0.5 - before[0, 2], point[1] * size[0] - 0.5 - before[1, 2]
    (a, b), (c, d) = (tf.unstack(row) for row in tf.unstack(before[:2, :2]))
    determinant = a * d - b * c
    return ((d * x - b * y) / determinant + 0.5) / size[1], ((a * y - c * x) / determinant + 0.5) / size[0]


def _flip(group: Sequence[tuple[Transform, tf.Tensor]], packed: tf.Tensor) -> tf.Tensor:
    for transform, draws in group:
        axis = 1 if isinstance(transform, settings.Hflip) else 0
        packed = tf.cond(
            draws[0] < transform.probability, lambda p=packed, a=axis: tf.reverse(p, [a]), lambda p=packed: p
        )
    return packed


def _size(packed: tf.Tensor) -> Size:
    return int(packed.shape[0]), int(packed.shape[1])


def warp(packed: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Resample a packed sample: image bilinear, class ids nearest.

    Args:
        packed: uint8 ``[H, W, 4]`` with static shape.
        matrix: Output ``(x, y, 1)`` → input ``(x, y, 1)``, pixel centres at whole numbers: float32 ``[3, 3]``.

    Returns:
        uint8 ``[H, W, 4]``; `VOID` for pixels more than half a pixel outside the outermost pixel centres of the input.
    """
    height, width = _size(packed)
    x, y = _source(matrix, height, width)
    inner_x, inner_y = tf.clip_by_value(x, 0, (width - 1) * _ONE), tf.clip_by_value(y, 0, (height - 1) * _ONE)
    outside = tf.maximum(tf.abs(x - inner_x), tf.abs(y - inner_y)) > _ONE // 2
    return tf.bitcast(tf.where(outside, VOID_PIXEL, _mix(packed, inner_x, inner_y)), tf.uint8)


def _source(matrix: tf.Tensor, height: int, width: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The input position of each output pixel, x and y in 1/256 pixel: int32 ``[H, W]`` each."""
    columns, rows = tf.range(width, dtype=tf.float32), tf.range(height, dtype=tf.float32)

    def fixed(values: tf.Tensor) -> tf.Tensor:
        # Clipped so that the sum of two fits into an int32; it is still far outside the image.
        return tf.cast(tf.round(tf.clip_by_value(values * _ONE, -(2.0**29), 2.0**29)), tf.int32)

    def line(numbers: tf.Tensor) -> tf.Tensor:
        return fixed(numbers[0] * columns) + fixed(numbers[1] * rows + numbers[2])[:, tf.newaxis]

    return line(matrix[0]), line(matrix[1])


def _mix(packed: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Bilinear interpolation of the colours, and the class id of the nearest pixel: packed int32 ``[H, W]``.

    With fractions a, b in 1/256 and c = a b / 256, the weights of the four pixels are 256 - a - b + c, a - c, b - c, c.
    """
    width = int(packed.shape[1])
    # Padded by a row and a pixel: the last pixel's right and lower neighbours are read, too, with weight 0.
    pixels = tf.pad(tf.reshape(tf.bitcast(packed, tf.int32), [-1]), [[0, width + 1]])
    position = shift_right(y, 8) * width + shift_right(x, 8)
    corners = [tf.gather(pixels, position + offset) for offset in (0, 1, width, width + 1)]
    x_fraction, y_fraction = bits_of(x, _ONE - 1), bits_of(y, _ONE - 1)
    xy_fraction = shift_right(x_fraction * y_fraction, 8)
    weights = (
        _ONE - x_fraction - y_fraction + xy_fraction,
        x_fraction - xy_fraction,
        y_fraction - xy_fraction,
        xy_fraction,
    )

    def mean(values: Sequence[tf.Tensor], half: int) -> tf.Tensor:
        # Two channels in one int32, 16 bits each: a weighted mean of bytes times 256 needs no more.
        return tf.add_n([value * weight for value, weight in zip(values, weights, strict=True)]) + half

    red_and_blue = mean([bits_of(corner, 0x00FF00FF) for corner in corners], 0x00800080)
    green = mean([bits_of(shift_right(corner, 8), 0xFF) for corner in corners], 0x80)
    right, lower = x_fraction >= _ONE // 2, y_fraction >= _ONE // 2
    nearest = tf.where(lower, tf.where(right, corners[3], corners[2]), tf.where(right, corners[1], corners[0]))
    return tf.bitwise.bitwise_or(
        tf.bitwise.bitwise_or(bits_of(shift_right(red_and_blue, 8), 0x00FF00FF), bits_of(green, 0xFF00)),
        bits_of(nearest, VOID_PIXEL),
    )
