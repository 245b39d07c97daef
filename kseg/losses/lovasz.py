"""The Lovász loss.

The Jaccard loss of a set of wrong pixels is a function of sets, without a gradient. Its Lovász extension joins the
values on sets by straight lines: sort the pixels by error, let them become wrong one after the other, and weigh each
error with what its pixel adds to the Jaccard loss. Berman et al. 2018, https://arxiv.org/abs/1705.08790.
"""

from __future__ import annotations

from typing import Final

from keras import ops

from kseg.losses.batch import Batch, Tensor, weighted_mean

__all__ = ["lovasz"]

_LEVELS: Final = 65_536
"""The number of different errors between 0 and the largest."""


def lovasz(batch: Batch) -> Tensor:
    """The Lovász extension of the Jaccard loss: Lovász-softmax, or with sigmoid the Lovász hinge.

    With the errors *m* of all pixels of the batch sorted, largest first: ``Σ_i m_i · (J_i - J_(i-1))``, where ``J_i``
    is the Jaccard loss if the first i pixels were wrong. The errors are ``|y - p|`` for softmax, for sigmoid the hinge
    ``max(0, 1 - x·(2y - 1))`` of the logits. The weighted mean over the classes that the batch holds; with one channel
    a batch without foreground has no loss.

    Errors closer than 1/65536 of the largest are counted, not sorted: pixels on one level share its step of J evenly.
    That is off by at most 1/65536 of the largest error, and counting takes a tenth of sorting's time.

    Returns:
        A float32 scalar ≥ 0, for softmax ≤ 1; 0 where no class of the batch has a weight.
    """
    errors = ops.relu(_errors(batch)) * batch.valid[..., None]
    steps, present = _jaccard_steps(ops.stop_gradient(errors), batch.truth, batch.valid)
    # Row by row: in one float32 sum of a million steps the last ones would fall below its digits.
    losses = ops.sum(ops.sum(errors * steps, axis=2), axis=(0, 1))
    return weighted_mean(losses, present * batch.channel_weights)


def _errors(batch: Batch) -> Tensor:
    if batch.sigmoid:
        return 1.0 - batch.logits * (2.0 * batch.truth - 1.0)
    return ops.abs(batch.truth - batch.probabilities)


def _jaccard_steps(errors: Tensor, truth: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """What each pixel adds to the Jaccard loss of each class, if it becomes wrong after all with larger errors.

    t true pixels and f others on a level turn ``intersection / union`` into ``(intersection - t) / (union + f)``. The
    difference is computed as one fraction: between two values of J, float32 would lose most digits of a step of 1 / N.

    Returns:
        The steps, float32 ``[B, H, W, C]``; and 1 for each class that the batch holds, else 0, float32 ``[C]``.
    """
    channels = int(errors.shape[-1])
    levels = _levels(errors) + _LEVELS * ops.arange(channels, dtype="int32")
    valid = ops.broadcast_to(valid[..., None], ops.shape(truth))
    true, other = (_histogram(levels, flags, channels) for flags in (truth, valid - truth))
    total = ops.sum(true, axis=-1, keepdims=True)
    # Whole numbers count further than 2^24.
    intersection = ops.cast(total - (ops.cumsum(true, axis=-1) - true), "float32")
    union = ops.maximum(ops.cast(total + ops.cumsum(other, axis=-1) - other, "float32"), 1.0)
    true, other = ops.cast(true, "float32"), ops.cast(other, "float32")
    added = (true * union + intersection * other) / (union * (union + other))
    per_pixel = added / ops.maximum(true + other, 1.0)
    present = ops.cast(ops.squeeze(total > 0, axis=-1), "float32")
    return ops.take(ops.reshape(per_pixel, (-1,)), levels), present


def _levels(errors: Tensor) -> Tensor:
    """The errors as whole numbers below `_LEVELS`, 0 for the largest."""
    largest = ops.maximum(ops.max(errors), 1e-30)
    return ops.cast((1.0 - errors / largest) * (_LEVELS - 1), "int32")


def _histogram(levels: Tensor, flags: Tensor, channels: int) -> Tensor:
    """The number of flagged pixels on each level: int32 ``[C, _LEVELS]``."""
    counts = ops.segment_sum(
        ops.reshape(ops.cast(flags, "int32"), (-1,)), ops.reshape(levels, (-1,)), num_segments=channels * _LEVELS
    )
    return ops.reshape(counts, (channels, _LEVELS))
