"""The losses of regions: the overlaps of whole classes.

The sums run over the whole batch, so that images without a class do not dominate. A class that the whole batch lacks
counts nowhere, as in segmentation_models.pytorch: its overlap would be near 0 however few pixels are found.
Cross-entropy still punishes such finds. With one channel there is the foreground alone. The shared arguments are
explained in `kseg.losses.prepare`.

In the formulas, of each class: S = Σ p·y the shared pixels, P = Σ p those found, Y = Σ y the true ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from keras import ops

from kseg.labels import Activation
from kseg.losses.prepare import IGNORE_INDEX, Batch, Tensor, power, prepare, weighted_mean

__all__ = ["dice", "focal_tversky", "generalized_dice", "jaccard", "log_jaccard", "tversky"]


def dice(
    ids: Tensor,
    logits: Tensor,
    *,
    smooth: float = 1.0,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Sequence[float] | None = None,
    activation: Activation = "softmax",
) -> Tensor:
    """1 - soft Dice over the batch: the foreground's with one channel, else the mean over the batch's classes.

    ``1 - (2 S + smooth) / (P + Y + smooth)`` (Milletari et al. 2016, https://arxiv.org/abs/1606.04797, with the sums
    unsquared).

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``.
        smooth: Pixels added to numerator and denominator, ≥ 0.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers; with one channel two, which change nothing.
        activation: ``softmax`` over the channels, or a ``sigmoid`` of each.

    Returns:
        A float32 scalar in 0..1; 0 where no class of the batch has a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0; or there is no such activation.
    """
    batch = prepare(ids, logits, ignore_index, class_weights, activation)
    sums = _sum(batch)
    return sums.mean(1.0 - sums.ratio(2.0 * sums.shared + smooth, sums.found + sums.true + smooth), batch)


def jaccard(
    ids: Tensor,
    logits: Tensor,
    *,
    smooth: float = 1.0,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Sequence[float] | None = None,
    activation: Activation = "softmax",
) -> Tensor:
    """1 - soft Jaccard index (IoU) over the batch: ``1 - (S + smooth) / (P + Y - S + smooth)``, a mean over classes.

    Rahman & Wang 2016, https://doi.org/10.1007/978-3-319-50835-1_22.

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``.
        smooth: Pixels added to numerator and denominator, ≥ 0.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers; with one channel two, which change nothing.
        activation: ``softmax`` over the channels, or a ``sigmoid`` of each.

    Returns:
        A float32 scalar in 0..1; 0 where no class of the batch has a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0; or there is no such activation.
    """
    batch = prepare(ids, logits, ignore_index, class_weights, activation)
    sums = _sum(batch)
    return sums.mean(1.0 - sums.ratio(sums.shared + smooth, sums.union + smooth), batch)


def log_jaccard(
    ids: Tensor,
    logits: Tensor,
    *,
    smooth: float = 1.0,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Sequence[float] | None = None,
    activation: Activation = "softmax",
) -> Tensor:
    """-log of the soft Jaccard index: ``log(P + Y - S + smooth) - log(S + smooth)``, a mean over the batch's classes.

    Its gradient grows where little is found yet, that of `jaccard` vanishes there (Iglovikov & Shvets 2018,
    https://arxiv.org/abs/1801.05746).

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``.
        smooth: Pixels added to numerator and denominator, > 0.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers; with one channel two, which change nothing.
        activation: ``softmax`` over the channels, or a ``sigmoid`` of each.

    Returns:
        A float32 scalar ≥ 0; 0 where no class of the batch has a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0; or there is no such activation.
    """
    batch = prepare(ids, logits, ignore_index, class_weights, activation)
    sums = _sum(batch)
    return sums.mean(ops.log(sums.union + smooth) - ops.log(sums.shared + smooth), batch)


def tversky(
    ids: Tensor,
    logits: Tensor,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Sequence[float] | None = None,
    activation: Activation = "softmax",
) -> Tensor:
    """Dice with a price of its own for pixels found in vain and for missed ones, a mean over the batch's classes.

    ``1 - (S + smooth) / (S + alpha (P - S) + beta (Y - S) + smooth)`` (Salehi et al. 2017,
    https://arxiv.org/abs/1706.05721). Both ½ are Dice (with twice the smooth), both 1 Jaccard.

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``.
        alpha: What a pixel found in vain counts, > 0.
        beta: What a missed pixel counts, > 0. Above alpha, more is found and less is missed.
        smooth: Pixels added to numerator and denominator, ≥ 0.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers; with one channel two, which change nothing.
        activation: ``softmax`` over the channels, or a ``sigmoid`` of each.

    Returns:
        A float32 scalar in 0..1; 0 where no class of the batch has a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0; or there is no such activation.
    """
    batch = prepare(ids, logits, ignore_index, class_weights, activation)
    sums = _sum(batch)
    return sums.mean(_tversky(sums, alpha, beta, smooth), batch)


def focal_tversky(
    ids: Tensor,
    logits: Tensor,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 4 / 3,
    smooth: float = 1.0,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Sequence[float] | None = None,
    activation: Activation = "softmax",
) -> Tensor:
    """`tversky` to the power of ``1 / gamma``, class by class, then the mean over the batch's classes.

    Abraham & Khan 2018, https://arxiv.org/abs/1810.07842, whose α is here beta: it weighs the missed pixels. Below a
    Tversky loss of 1e-7 the root is a straight line, since its gradient at 0 is infinite.

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``.
        alpha: What a pixel found in vain counts, > 0.
        beta: What a missed pixel counts, > 0.
        gamma: The root that is taken, > 0; 1 is `tversky`.
        smooth: Pixels added to numerator and denominator, ≥ 0.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers; with one channel two, which change nothing.
        activation: ``softmax`` over the channels, or a ``sigmoid`` of each.

    Returns:
        A float32 scalar in 0..1; 0 where no class of the batch has a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0; or there is no such activation.
    """
    batch = prepare(ids, logits, ignore_index, class_weights, activation)
    sums = _sum(batch)
    return sums.mean(power(_tversky(sums, alpha, beta, smooth), 1.0 / gamma), batch)


def generalized_dice(
    ids: Tensor,
    logits: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Sequence[float] | None = None,
    activation: Activation = "softmax",
) -> Tensor:
    """One Dice over all classes, each weighed by its volume: ``1 - 2 Σ w·S / Σ w·(P + Y)`` with ``w = 1 / Y²``.

    Sudre et al. 2017, https://arxiv.org/abs/1707.03237. One channel stands for two classes, background and foreground,
    as in the paper. A class that the batch lacks, whose weight would be infinite, counts nowhere.

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers that multiply the ``w``; with one channel two, background and foreground.
        activation: ``softmax`` over the channels, or a ``sigmoid`` of each.

    Returns:
        A float32 scalar in 0..1; 0 where no class of the batch has a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0; or there is no such activation.
    """
    batch = prepare(ids, logits, ignore_index, class_weights, activation)
    sums = _sum(batch, background=True)
    # Volumes in units of the smallest: squares of pixel counts and their inverses leave float32's digits.
    smallest = ops.min(ops.where(sums.true > 0, sums.true, float("inf")))
    weights = sums.present * ops.square(smallest / ops.maximum(sums.true, 1.0))
    weights = ops.where(sums.true > 0, weights, 0.0)
    if batch.weights is not None:
        weights = weights * batch.weights
    total = ops.sum(weights * (sums.found + sums.true))
    missing = total - 2.0 * ops.sum(weights * sums.shared)
    return missing / ops.where(total > 0, total, 1.0)


class _Sums(NamedTuple):
    """Pixels of each class, float32 ``[C]``."""

    shared: Tensor
    found: Tensor
    true: Tensor

    @property
    def union(self) -> Tensor:
        return self.found + self.true - self.shared

    @property
    def present(self) -> Tensor:
        return ops.cast(self.true > 0, "float32")

    def ratio(self, above: Tensor, below: Tensor) -> Tensor:
        """``above / below`` of the classes present; the others', without smooth, may be 0/0."""
        return above / ops.where(self.true > 0, below, 1.0)

    def mean(self, losses: Tensor, batch: Batch) -> Tensor:
        """The weighted mean over the classes present."""
        return weighted_mean(losses, self.present * batch.channel_weights())


def _sum(batch: Batch, *, background: bool = False) -> _Sums:
    """The sums over the batch; with ``background`` one channel gives two classes."""
    truth, scores = batch.truth(), batch.scores()
    if background and batch.channels == 1:
        valid = batch.valid[..., None]
        truth = ops.concatenate([valid - truth, truth], axis=-1)
        scores = ops.concatenate([valid * ops.sigmoid(-batch.logits), scores], axis=-1)
    axes = (0, 1, 2)
    return _Sums(ops.sum(truth * scores, axes), ops.sum(scores, axes), ops.sum(truth, axes))


def _tversky(sums: _Sums, alpha: float, beta: float, smooth: float) -> Tensor:
    wrong, missed = sums.found - sums.shared, sums.true - sums.shared
    return 1.0 - sums.ratio(sums.shared + smooth, sums.shared + alpha * wrong + beta * missed + smooth)
