"""The boundary loss, and the exact distance transform that it needs, in ``keras.ops``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from keras import ops

from kseg.labels import Activation
from kseg.losses.prepare import IGNORE_INDEX, Batch, Tensor, prepare, weighted_mean

__all__ = ["boundary", "distances", "signed_distances"]


def boundary(
    ids: Tensor,
    logits: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Sequence[float] | None = None,
    activation: Activation = "softmax",
) -> Tensor:
    """What is wrong, by how far it lies from the true boundary: the mean over the pixels of ``φ · (p - y) / diagonal``.

    φ is the signed distance to the class's true boundary, in pixels, negative inside (Kervadec et al. 2018,
    https://arxiv.org/abs/1812.07032; their loss ``φ · p`` less the constant ``φ · y``, so that the least value is 0).
    Divided by the diagonal of the image the value does not depend on the image's size: the same picture, scaled, has
    the same loss. It is small for that, as few pixels are wrong and most of them near the boundary: a loss to add to
    another, with a weight such as 10, not one to begin with.

    Over each image the mean of its pixels, then over images and their classes. A class that an image lacks, or that
    fills it, has no boundary there and counts nowhere in it. Ignored pixels belong to no class: distances are those to
    the nearest pixel whose class is known to be the other.

    H and W must be known when the graph is built. No gradient flows through φ. What it costs stands in docs/losses.md.

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``, H and W static.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers; with one channel two, which change nothing.
        activation: ``softmax`` over the channels, or a ``sigmoid`` of each.

    Returns:
        A float32 scalar in 0..1; 0 where no image holds a boundary of a class with a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0; or there is no such activation.
    """
    batch = prepare(ids, logits, ignore_index, class_weights, activation)
    truth = batch.truth()
    height, width = (int(side) for side in batch.logits.shape[1:3])
    signed, bounded = signed_distances(_classes(batch, truth))
    signed, bounded = signed[..., -batch.channels :], bounded[..., -batch.channels :]
    pixels = ops.maximum(ops.sum(batch.valid, axis=(1, 2)), 1.0)
    wrong = ops.sum(ops.stop_gradient(signed) * (batch.scores() - truth), axis=(1, 2)) / math.hypot(height, width)
    return weighted_mean(wrong / pixels[:, None], bounded * batch.channel_weights())


def _classes(batch: Batch, truth: Tensor) -> Tensor:
    """Where each class is known to be, float32 ``[B, H, W, K]``."""
    if batch.channels > 1:
        return truth
    return ops.concatenate([batch.valid[..., None] - truth, truth], axis=-1)


def signed_distances(classes: Tensor) -> tuple[Tensor, Tensor]:
    """How far each pixel lies from the boundary of each class, in its own image.

    The boundary runs between pixels, so half a pixel less than the distance to the nearest pixel of the other side.

    Args:
        classes: 1 where a class is, else 0, float32 ``[B, H, W, K]``; at most one class a pixel, none where ignored.

    Returns:
        Pixels, float32 ``[B, H, W, K]``, negative inside the class and 0 where it has no boundary; and whether it has
        one, 1 or 0, float32 ``[B, K]``.
    """
    present = ops.max(classes, axis=(1, 2))
    bounded = present * ops.cast(ops.sum(present, axis=-1, keepdims=True) > 1, "float32")
    outside = distances(classes)
    inside = classes > 0
    # Inside, the nearest pixel of the other side is the nearest of all other classes: no further transforms.
    others = ops.where(ops.logical_or(inside, present[:, None, None] == 0), float("inf"), outside)
    nearest = ops.min(others, axis=-1, keepdims=True)
    signed = ops.where(inside, 0.5 - nearest, outside - 0.5)
    return ops.where(bounded[:, None, None] > 0, signed, 0.0), bounded


def distances(flags: Tensor) -> Tensor:
    """The exact Euclidean distance to the nearest pixel whose flag is set, in its own image and channel.

    Separable: along the rows first, then down the columns ``min_k g(i + k)² + k²``, for as many k as the largest
    distance left has pixels. The memory is a few times that of ``flags``.

    Args:
        flags: 1 or 0, float32 ``[B, H, W, K]``, H and W static.

    Returns:
        Pixels, float32 of the same shape; 0 everywhere where an image has no flag.
    """
    height, width = (int(side) for side in flags.shape[1:3])
    far = float(height + width)
    empty = ops.max(flags, axis=(1, 2), keepdims=True) == 0
    start = ops.where(ops.logical_or(flags > 0, empty), 0.0, far)
    # The axis that is shifted comes first: a shifted view is then one piece of memory.
    rows = _along_rows(ops.transpose(start, (2, 0, 1, 3)), far)
    squares = _down_columns(ops.transpose(ops.square(rows), (2, 1, 0, 3)), far**2)
    return ops.sqrt(ops.transpose(squares, (1, 0, 2, 3)))


def _along_rows(steps: Tensor, far: float) -> Tensor:
    """Distances along the first axis: every distance is a sum of powers of two, each taken or not."""
    length = int(steps.shape[0])
    for reach in (2**i for i in range((length - 1).bit_length())):
        edge = ops.full_like(steps[:reach], far)
        before = ops.concatenate([edge, steps[:-reach]], axis=0)
        after = ops.concatenate([steps[reach:], edge], axis=0)
        steps = ops.minimum(steps, ops.minimum(before, after) + float(reach))
    return steps


def _down_columns(squares: Tensor, far: float) -> Tensor:
    """The lower envelope of the parabolas that stand on the first axis."""
    length = int(squares.shape[0])
    edge = ops.full_like(squares, far)
    padded = ops.concatenate([edge, squares, edge], axis=0)
    shape = (length, *ops.shape(squares)[1:])

    def unfinished(step: Tensor, least: Tensor) -> Tensor:
        # A parabola that stands k away is at least k² high.
        return ops.logical_and(step < length, ops.cast(step * step, "float32") < ops.max(least))

    def lower(step: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
        before = ops.slice(padded, (length - step, 0, 0, 0), shape)
        after = ops.slice(padded, (length + step, 0, 0, 0), shape)
        return step + 1, ops.minimum(least, ops.minimum(before, after) + ops.cast(step * step, "float32"))

    return ops.while_loop(unfinished, lower, (ops.convert_to_tensor(1, "int32"), squares))[1]
