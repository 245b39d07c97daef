"""The Lovász losses: the Jaccard index itself, made convex in the errors of the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from keras import ops

from kseg.losses.prepare import IGNORE_INDEX, Batch, Head, Tensor, prepare, weighted_mean

__all__ = ["lovasz"]

_LAST: Final = -1e30
"""The error of ignored pixels: below all others, so that they are sorted behind them."""


def lovasz(
    ids: Tensor,
    logits: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Sequence[float] | None = None,
    head: Head = "softmax",
) -> Tensor:
    """The Lovász extension of the Jaccard loss over the batch: Lovász-softmax, or the Lovász hinge of sigmoids.

    With the errors *m* of all pixels sorted, largest first: ``Σ_i m_i · (J_i - J_(i-1))``, where ``J_i`` is the Jaccard
    loss if the first i pixels were wrong. The errors are ``|y - p|`` for softmax; for one channel or a sigmoid head the
    hinge ``max(0, 1 - x·(2y - 1))`` of the logits. Berman et al. 2018, https://arxiv.org/abs/1705.08790. The mean over
    the classes that the batch holds; with one channel a batch without foreground has no loss.

    Sorting all pixels takes most of the time: see docs/losses.md.

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers; with one channel two, which change nothing.
        head: Whether several channels compete (``softmax``) or are a yes or no each (``sigmoid``).

    Returns:
        A float32 scalar ≥ 0, for softmax ≤ 1; 0 where no class of the batch has a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0; or there is no such head.
    """
    batch = prepare(ids, logits, ignore_index, class_weights, head)
    truth = batch.truth()
    errors = ops.where(batch.valid[..., None] > 0, _errors(batch, truth), _LAST)
    errors, flags = (ops.transpose(ops.reshape(one, (-1, batch.channels))) for one in (errors, truth))
    order = ops.argsort(-ops.stop_gradient(errors), axis=-1)
    steps = _jaccard_steps(ops.cast(ops.take_along_axis(flags, order, axis=-1), "int32"))
    losses = ops.sum(ops.relu(ops.take_along_axis(errors, order, axis=-1)) * steps, axis=-1)
    present = ops.cast(ops.any(flags > 0, axis=-1), "float32")
    return weighted_mean(losses, present * batch.channel_weights())


def _errors(batch: Batch, truth: Tensor) -> Tensor:
    if batch.sigmoid:
        return 1.0 - batch.logits * (2.0 * truth - 1.0)
    return ops.abs(truth - batch.scores())


def _jaccard_steps(flags: Tensor) -> Tensor:
    """How much each further wrong pixel adds to the Jaccard loss: float32 ``[C, N]`` of 0 or 1 in the errors' order.

    A true pixel takes one from the intersection: ``1 / union``. Another adds one to the union:
    ``intersection / (union · (union - 1))``. In differences of J itself float32 would lose most digits, each being
    about 1 / N; and whole numbers count further than 2^24.
    """
    total = ops.sum(flags, axis=-1, keepdims=True)
    intersection = ops.cast(total - ops.cumsum(flags, axis=-1), "float32")
    union = ops.cast(total + ops.cumsum(1 - flags, axis=-1), "float32")
    added = intersection / (ops.maximum(union, 1.0) * ops.maximum(union - 1.0, 1.0))
    return ops.where(flags > 0, 1.0 / ops.maximum(union, 1.0), added)
