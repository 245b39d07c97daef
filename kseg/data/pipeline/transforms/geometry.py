"""Transforms of place: each is a matrix from the result's pixels to the sample's, and a run of them is one matrix.

Where nothing of the sample is, the picture is black and the id 255.

Pixels are resampled in whole numbers, positions and weights in 1/256 (OpenCV has 1/32), which is the same on every
machine. Compiled by XLA, it takes a sixth of the time of TensorFlow's operations one by one.
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
from kseg.data.pipeline.transforms.packed import VOID_PIXEL, ids_of, masked, shifted
from kseg.labels import IGNORE_INDEX
from kseg.sizes import Size

__all__ = ["crop_window", "geometric_step", "pick_foreground", "warp"]

Point = tuple[tf.Tensor, tf.Tensor]

_ONE: Final = 256


def _matrix(rows: Sequence[Any]) -> tf.Tensor:
    """``(x, y, 1)`` of the result → ``(x, y)`` of the sample, in pixel centres, from its six numbers: ``[3, 3]``."""
    return tf.reshape(tf.stack([tf.cast(one, tf.float32) for one in (*rows, 0.0, 0.0, 1.0)]), (3, 3))


def _between(pair: tuple[float, float], draw: tf.Tensor) -> tf.Tensor:
    """A number between two, as often half as large as twice as large."""
    return pair[0] * tf.exp(draw * log(pair[1] / pair[0]))


def _either(limit: float, draw: tf.Tensor) -> tf.Tensor:
    return limit * (2.0 * draw - 1.0)


def _hflip(_: settings.Hflip, draws: tf.Tensor, size: Size) -> tf.Tensor:
    del draws
    return _matrix((-1, 0, size[1] - 1, 0, 1, 0))


def _vflip(_: settings.Vflip, draws: tf.Tensor, size: Size) -> tf.Tensor:
    del draws
    return _matrix((1, 0, 0, 0, -1, size[0] - 1))


def _rot90(_: settings.Rot90, draws: tf.Tensor, size: Size) -> tf.Tensor:
    # Pictures that are not square keep their shape: upside down is the one turn for them.
    quarters = tf.floor(3 * draws[1]) + 1 if size[0] == size[1] else tf.constant(2.0)
    sine, cosine = tf.math.floormod(quarters, 2) * (2 - quarters), (1 - tf.math.floormod(quarters, 2)) * -1
    return _turn(cosine, sine, size)


def _rotate(transform: settings.Rotate, draws: tf.Tensor, size: Size) -> tf.Tensor:
    angle = _either(transform.degrees * pi / 180, draws[1])
    return _turn(tf.cos(angle), tf.sin(angle), size)


def _turn(cosine: tf.Tensor, sine: tf.Tensor, size: Size) -> tf.Tensor:
    """About the centre."""
    x, y = (size[1] - 1) / 2, (size[0] - 1) / 2
    return _matrix((cosine, -sine, x - cosine * x + sine * y, sine, cosine, y - sine * x - cosine * y))


def _scale(transform: settings.Scale, draws: tf.Tensor, size: Size) -> tf.Tensor:
    step = 1.0 / _between(transform.by, draws[1])
    # About a random point, so that any part of the sample may fill the result.
    x, y = draws[2] * size[1] - 0.5, draws[3] * size[0] - 0.5
    return _matrix((step, 0, x * (1 - step), 0, step, y * (1 - step)))


def _shift(transform: settings.Shift, draws: tf.Tensor, size: Size) -> tf.Tensor:
    return _matrix((1, 0, _either(transform.by, draws[1]) * size[1], 0, 1, _either(transform.by, draws[2]) * size[0]))


_MATRICES: Final[dict[type[Transform], Callable[[Any, tf.Tensor, Size], tf.Tensor]]] = {
    settings.Hflip: _hflip,
    settings.Vflip: _vflip,
    settings.Rot90: _rot90,
    settings.Rotate: _rotate,
    settings.Scale: _scale,
    settings.Shift: _shift,
}


def crop_window(transform: settings.RandomResizedCrop, draws: tf.Tensor, focus: Point | None) -> tf.Tensor:
    """The part to cut out: top, left, height and width as shares of the picture, float32 ``[4]``.

    Args:
        transform: How.
        draws: Its row.
        focus: What it should show, ``(x, y)`` as shares; None for anything.
    """
    area = transform.area[0] + (transform.area[1] - transform.area[0]) * draws[1]
    ratio = _between(transform.ratio, draws[2])
    height, width = tf.minimum(tf.sqrt(area / ratio), 1.0), tf.minimum(tf.sqrt(area * ratio), 1.0)
    top, left = draws[3] * (1 - height), draws[4] * (1 - width)
    if focus is not None:
        # Anywhere in the crop, so that the place tells nothing of what is there.
        shows = draws[5] < transform.foreground
        top = tf.where(shows, tf.clip_by_value(focus[1] - height * draws[3], 0.0, 1 - height), top)
        left = tf.where(shows, tf.clip_by_value(focus[0] - width * draws[4], 0.0, 1 - width), left)
    return tf.stack([top, left, height, width])


def _window_matrix(window: tf.Tensor, size: Size) -> tf.Tensor:
    """The matrix that fills the result with a window of the sample."""
    top, left, height, width = tf.unstack(window)
    x, y = left * size[1] + 0.5 * width - 0.5, top * size[0] + 0.5 * height - 0.5
    return _matrix((width, 0, x, 0, height, y))


def pick_foreground(ids: tf.Tensor, draws: tf.Tensor, background: int | None) -> tf.Tensor:
    """A random pixel of a random class among those in a mask, the background and the ignored left out.

    Every class is as likely, however few its pixels.

    Args:
        ids: Class ids uint8 ``[H, W]``.
        draws: Two uniform numbers.
        background: The class that is no object.

    Returns:
        ``(x, y)`` as shares of width and height, float32 ``[2]``; the middle where the mask shows no object.
    """
    counts = tf.math.bincount(tf.cast(tf.reshape(ids, [-1]), tf.int32), minlength=256, maxlength=256)
    objects = tf.constant([i not in (background, IGNORE_INDEX) for i in range(256)])
    there = tf.where(objects & (counts > 0))[:, 0]

    def pick() -> tf.Tensor:
        chosen = tf.cast(there[_index(draws[0], tf.size(there))], tf.uint8)
        places = tf.where(tf.equal(ids, chosen))
        at = tf.cast(places[_index(draws[1], tf.shape(places)[0])], tf.float32)
        return (at[::-1] + 0.5) / tf.cast(tf.shape(ids)[::-1], tf.float32)

    return tf.cond(tf.size(there) > 0, pick, lambda: tf.constant([0.5, 0.5]))


def _index(draw: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    # A number just below 1 times a large count rounds to the count.
    return tf.minimum(tf.cast(draw * tf.cast(count, tf.float32), tf.int32), tf.cast(count, tf.int32) - 1)


def geometric_step(
    group: Sequence[tuple[Transform, tf.Tensor]], packed: tf.Tensor, background: int | None
) -> tf.Tensor:
    """Do a run of geometric transforms as one.

    Args:
        group: The transforms with their random numbers.
        packed: uint8 ``[H, W, 4]``.
        background: For crops about objects.
    """
    transforms = tuple(transform for transform, _ in group)
    if all(isinstance(one, (settings.Hflip, settings.Vflip)) for one in transforms):
        return _flip(group, packed)
    rows = tf.stack([draws for _, draws in group])
    done = tf.reduce_any(rows[:, 0] < tf.constant([one.probability for one in transforms]))
    points = tf.stack([_point(one, draws, packed, background) for one, draws in group])
    return tf.cond(done, lambda: _resample(transforms)(packed, rows, points), lambda: packed)


def _point(transform: Transform, draws: tf.Tensor, packed: tf.Tensor, background: int | None) -> tf.Tensor:
    """What a crop should show, ``(x, y)`` as shares; the middle where it does not matter."""
    middle = tf.constant([0.5, 0.5])
    if not isinstance(transform, settings.RandomResizedCrop) or transform.foreground == 0:
        return middle
    wanted = (draws[0] < transform.probability) & (draws[5] < transform.foreground)
    return tf.cond(wanted, lambda: pick_foreground(ids_of(packed), draws[6:8], background), lambda: middle)


@lru_cache(maxsize=32)
def _resample(transforms: tuple[Transform, ...]) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """A run of transforms as one function of a packed sample, their random numbers and the crops' points."""

    @compiled
    def resample(packed: tf.Tensor, rows: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
        total, size = tf.eye(3), _size(packed)
        for i, transform in enumerate(transforms):
            if isinstance(transform, settings.RandomResizedCrop):
                focus = _moved(points[i], total, size) if transform.foreground > 0 else None
                matrix = _window_matrix(crop_window(transform, rows[i], focus), size)
            else:
                matrix = _MATRICES[type(transform)](transform, rows[i], size)
            total = tf.where(rows[i, 0] < transform.probability, tf.matmul(total, matrix), total)
        return warp(packed, total)

    return resample


def _moved(point: tf.Tensor, before: tf.Tensor, size: Size) -> Point:
    """Where a point of the sample, as shares, lies after the transforms before."""
    x, y = point[0] * size[1] - 0.5 - before[0, 2], point[1] * size[0] - 0.5 - before[1, 2]
    (a, b), (c, d) = (tf.unstack(row) for row in tf.unstack(before[:2, :2]))
    scale = a * d - b * c
    return ((d * x - b * y) / scale + 0.5) / size[1], ((a * y - c * x) / scale + 0.5) / size[0]


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
    """Resample: bilinear for the picture, nearest for the ids.

    Args:
        packed: uint8 ``[H, W, 4]``, H and W known.
        matrix: ``(x, y, 1)`` of the result → ``(x, y, 1)`` of the sample, pixel centres at whole numbers: ``[3, 3]``.

    Returns:
        The same shape. A pixel farther than half a pixel from the sample's outermost centres is `VOID`.
    """
    height, width = _size(packed)
    x, y = _source(matrix, height, width)
    inner_x, inner_y = tf.clip_by_value(x, 0, (width - 1) * _ONE), tf.clip_by_value(y, 0, (height - 1) * _ONE)
    outside = tf.maximum(tf.abs(x - inner_x), tf.abs(y - inner_y)) > _ONE // 2
    return tf.bitcast(tf.where(outside, VOID_PIXEL, _mix(packed, inner_x, inner_y)), tf.uint8)


def _source(matrix: tf.Tensor, height: int, width: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Where each pixel comes from, x and y in whole 1/256 pixels: int32 ``[H, W]``."""
    columns, rows = tf.range(width, dtype=tf.float32), tf.range(height, dtype=tf.float32)

    def fixed(values: tf.Tensor) -> tf.Tensor:
        # Far outside stays far outside, and the sum of two is an int32.
        return tf.cast(tf.round(tf.clip_by_value(values * _ONE, -(2.0**29), 2.0**29)), tf.int32)

    def line(numbers: tf.Tensor) -> tf.Tensor:
        return fixed(numbers[0] * columns) + fixed(numbers[1] * rows + numbers[2])[:, tf.newaxis]

    return line(matrix[0]), line(matrix[1])


def _mix(packed: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """The weighted mean of four pixels, with the id of the nearest, lowest byte first: int32 ``[H, W]``."""
    width = int(packed.shape[1])
    # A row and a pixel more: the last pixel's neighbours, whose weight is 0, have to be somewhere.
    pixels = tf.pad(tf.reshape(tf.bitcast(packed, tf.int32), [-1]), [[0, width + 1]])
    at = shifted(y, 8) * width + shifted(x, 8)
    corners = [tf.gather(pixels, at + offset) for offset in (0, 1, width, width + 1)]
    across, down = masked(x, _ONE - 1), masked(y, _ONE - 1)
    both = shifted(across * down, 8)
    weights = (_ONE - across - down + both, across - both, down - both, both)

    def mean(values: Sequence[tf.Tensor], half: int) -> tf.Tensor:
        # Lanes of 16 bits: a weighted sum of bytes stays below 256 × 256.
        return tf.add_n([value * weight for value, weight in zip(values, weights, strict=True)]) + half

    red_and_blue = mean([masked(corner, 0x00FF00FF) for corner in corners], 0x00800080)
    green = mean([masked(shifted(corner, 8), 0xFF) for corner in corners], 0x80)
    right, lower = across >= _ONE // 2, down >= _ONE // 2
    nearest = tf.where(lower, tf.where(right, corners[3], corners[2]), tf.where(right, corners[1], corners[0]))
    return tf.bitwise.bitwise_or(
        tf.bitwise.bitwise_or(masked(shifted(red_and_blue, 8), 0x00FF00FF), masked(green, 0xFF00)),
        masked(nearest, VOID_PIXEL),
    )
