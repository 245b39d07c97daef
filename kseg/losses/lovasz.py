"""The Lovász losses: the Jaccard index itself, made convex in the errors of the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from keras import ops

from kseg.labels import Activation
from kseg.losses.prepare import IGNORE_INDEX, Batch, Tensor, prepare, weighted_mean

__all__ = ["lovasz"]

_LEVELS: Final = 65_536
"""How many different errors are told apart between 0 and the largest."""


def lovasz(
    ids: Tensor,
    logits: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Sequence[float] | None = None,
    activation: Activation = "softmax",
) -> Tensor:
    """The Lovász extension of the Jaccard loss over the batch: Lovász-softmax, or the Lovász hinge of sigmoids.

    With the errors *m* of all pixels sorted, largest first: ``Σ_i m_i · (J_i - J_(i-1))``, where ``J_i`` is the Jaccard
    loss if the first i pixels were wrong. The errors are ``|y - p|`` for softmax; for one channel or a sigmoid head the
    hinge ``max(0, 1 - x·(2y - 1))`` of the logits. Berman et al. 2018, https://arxiv.org/abs/1705.08790. The mean over
    the classes that the batch holds; with one channel a batch without foreground has no loss.

    Errors closer than 1/65536 of the largest are counted, not sorted: pixels on one level share its step of J evenly.
    That is off by at most 1/65536 of the largest error, and counting takes a tenth of sorting's time.

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers; with one channel two, which change nothing.
        activation: ``softmax`` over the channels, or a ``sigmoid`` of each.

    Returns:
        A float32 scalar ≥ 0, for softmax ≤ 1; 0 where no class of the batch has a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0; or there is no such activation.
    """
    batch = prepare(ids, logits, ignore_index, class_weights, activation)
    truth = batch.truth()
    errors = ops.relu(_errors(batch, truth)) * batch.valid[..., None]
    steps, present = _jaccard_steps(ops.stop_gradient(errors), truth, batch.valid)
    # Row by row: in one float32 sum of a million steps the last ones would fall below its digits.
    losses = ops.sum(ops.sum(errors * steps, axis=2), axis=(0, 1))
    return weighted_mean(losses, present * batch.channel_weights())


def _errors(batch: Batch, truth: Tensor) -> Tensor:
    if batch.sigmoid:
        return 1.0 - batch.logits * (2.0 * truth - 1.0)
    return ops.abs(truth - batch.scores())


def _jaccard_steps(errors: Tensor, truth: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """How much each pixel, taken as wrong after all with larger errors, adds to the Jaccard loss of each class.

    t true pixels and f others on a level turn ``intersection / union`` into ``(intersection - t) / (union + f)``. The
    difference is taken as one fraction: between two values of J, float32 would lose most digits of a step of 1 / N.

    Returns:
        The steps, float32 ``[B, H, W, C]``; and 1 for each class that the batch holds, else 0, float32 ``[C]``.
    """
    channels = int(errors.shape[-1])
    levels = _levels(errors) + _LEVELS * ops.arange(channels, dtype="int32")
    valid = ops.broadcast_to(valid[..., None], ops.shape(truth))
    true, other = (_count(levels, one, channels) for one in (truth, valid - truth))
    total = ops.sum(true, axis=-1, keepdims=True)
    # Whole numbers count further than 2^24.
    intersection = ops.cast(total - (_up_to(true) - true), "float32")
    union = ops.maximum(ops.cast(total + _up_to(other) - other, "float32"), 1.0)
    true, other, present = (ops.cast(one, "float32") for one in (true, other, ops.squeeze(total > 0, axis=-1)))
    added = (true * union + intersection * other) / (union * (union + other))
    each = added / ops.maximum(true + other, 1.0)
    return ops.take(ops.reshape(each, (-1,)), levels), present


def _levels(errors: Tensor) -> Tensor:
    """Whole numbers below `_LEVELS`, larger errors first."""
    largest = ops.maximum(ops.max(errors), 1e-30)
    return ops.cast((1.0 - errors / largest) * (_LEVELS - 1), "int32")


def _count(levels: Tensor, flags: Tensor, channels: int) -> Tensor:
    """The pixels with a flag on each level: int32 ``[C, _LEVELS]``."""
    counts = ops.segment_sum(
        ops.reshape(ops.cast(flags, "int32"), (-1,)), ops.reshape(levels, (-1,)), num_segments=channels * _LEVELS
    )
    return ops.reshape(counts, (channels, _LEVELS))


def _up_to(counts: Tensor) -> Tensor:
    """The pixels on each level and those before."""
    return ops.cumsum(counts, axis=-1)
