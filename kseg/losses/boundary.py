"""The boundary loss, and the exact distance transform that it needs, in ``keras.ops``.

Each pixel's error ``p - y`` is multiplied by its signed distance to the true boundary, so that a wrong pixel costs more
the farther it lies from where the boundary is. Kervadec et al. 2018, https://arxiv.org/abs/1812.07032.
"""

from __future__ import annotations

import math

from keras import ops

from kseg.errors import UsageError
from kseg.losses.batch import Batch, Tensor, weighted_mean

__all__ = ["boundary", "distances", "signed_distances"]


def boundary(batch: Batch) -> Tensor:
    """The mean over the pixels of ``φ · (p - y) / diagonal``, φ the signed distance to the true boundary in pixels.

    φ is negative inside the class. The paper's loss is ``φ · p``; less the constant ``φ · y`` its least value is 0.
    Divided by the diagonal of the image the value does not depend on the image's size: the same picture, scaled, has
    the same loss. It is small, since few pixels are wrong and most of them near the boundary: a loss to add to another,
    with a weight such as 10, not one to begin with.

    The mean is over the pixels of an image, then over images and their classes. A class that an image lacks, or that
    fills it, has no boundary there and is left out. Ignored pixels belong to no class: distances are those to the
    nearest pixel that is labelled as another class. No gradient flows through φ.

    Returns:
        A float32 scalar in 0..1; 0 where no image holds a boundary of a class with a weight.

    Raises:
        UsageError: H or W is not known when the graph is built.
    """
    height, width = batch.logits.shape[1:3]
    if height is None or width is None:
        raise UsageError(
            "the boundary loss needs images of one size", expected="height and width of y_pred as numbers",
            found=f"[{height}, {width}]", remedy="give keras.Input the height and width",
        )  # fmt: skip
    signed, bounded = _class_distances(batch)
    pixels = ops.maximum(ops.sum(batch.valid, axis=(1, 2)), 1.0)
    moments = ops.sum(ops.stop_gradient(signed) * (batch.probabilities - batch.truth), axis=(1, 2))
    return weighted_mean(moments / (pixels[:, None] * math.hypot(height, width)), bounded * batch.channel_weights)


def _class_distances(batch: Batch) -> tuple[Tensor, Tensor]:
    """`signed_distances` of the classes of the channels."""
    if batch.ids is not None and batch.channels > 1:
        return signed_distances(batch.truth)
    # One channel, or classes that overlap: each class and its complement as an image of its own.
    height, width = (int(side) for side in batch.logits.shape[1:3])
    sides = ops.stack([batch.valid[..., None] - batch.truth, batch.truth], axis=-1)
    folded = ops.reshape(ops.transpose(sides, (0, 3, 1, 2, 4)), (-1, height, width, 2))
    signed, bounded = (values[..., 1] for values in signed_distances(folded))
    unfolded = ops.reshape(signed, (-1, batch.channels, height, width))
    return ops.transpose(unfolded, (0, 2, 3, 1)), ops.reshape(bounded, (-1, batch.channels))


def signed_distances(classes: Tensor) -> tuple[Tensor, Tensor]:
    """The signed distance of each pixel from the boundary of each class, in its own image.

    The boundary runs between pixels: half a pixel less than the distance to the nearest pixel on its other side.

    Args:
        classes: 1 on the pixels of a class, else 0, float32 ``[B, H, W, K]``; at most one class a pixel, none where
            ignored.

    Returns:
        Pixels, float32 ``[B, H, W, K]``, negative inside the class and 0 where it has no boundary; and whether it has
        one, 1 or 0, float32 ``[B, K]``.
    """
    present = ops.max(classes, axis=(1, 2))
    bounded = present * ops.cast(ops.sum(present, axis=-1, keepdims=True) > 1, "float32")
    outside = distances(classes)
    inside = classes > 0
    # Inside, the nearest pixel of the other side is the nearest one of all other classes: no further transforms.
    others = ops.where(ops.logical_or(inside, present[:, None, None] == 0), float("inf"), outside)
    nearest = ops.min(others, axis=-1, keepdims=True)
    signed = ops.where(inside, 0.5 - nearest, outside - 0.5)
    return ops.where(bounded[:, None, None] > 0, signed, 0.0), bounded


def distances(flags: Tensor) -> Tensor:
    """The exact Euclidean distance to the nearest flagged pixel, in its own image and channel.

    Separable: along the rows first, ``g``, then down the columns ``min_k g(i + k)² + k²``, for k up to the largest
    distance that remains. It takes a few times the memory of ``flags``.

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
    """Distances along the first axis, by steps of 1, 2, 4, …: every distance is a sum of some of them."""
    length = int(steps.shape[0])
    for reach in (2**i for i in range((length - 1).bit_length())):
        edge = ops.full_like(steps[:reach], far)
        before = ops.concatenate([edge, steps[:-reach]], axis=0)
        after = ops.concatenate([steps[reach:], edge], axis=0)
        steps = ops.minimum(steps, ops.minimum(before, after) + float(reach))
    return steps


def _down_columns(squares: Tensor, far: float) -> Tensor:
    """``min_k squares[i + k] + k²`` along the first axis: the lower envelope of parabolas."""
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
