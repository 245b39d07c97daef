"""Region losses: how much predicted and true regions overlap, class by class.

In the formulas, with *p* the probability and *y* the truth (0 or 1) of a class at each pixel::

    S = Σ p·y    the intersection        smooth    pixels added to numerator and denominator
    P = Σ p      the predicted area      alpha     weight of false positives, P - S
    Y = Σ y      the true area           beta      weight of false negatives, Y - S

The sums run over the whole batch, so that images without a class do not dominate. The loss is the weighted mean over
the classes that the batch holds, with one channel the foreground's. A class missing from the batch is left out, as in
segmentation_models.pytorch: its overlap would be near 0 whatever the network predicts. A cross-entropy beside it still
punishes false positives of such a class. All return a float32 scalar ≥ 0, all but `log_jaccard` ≤ 1, and 0 where no
class of the batch has a weight.
"""

from __future__ import annotations

from typing import NamedTuple

from keras import ops

from kseg.losses.batch import Batch, Tensor, power, weighted_mean

__all__ = ["dice", "focal_tversky", "generalized_dice", "jaccard", "log_jaccard", "tversky"]


def dice(batch: Batch, *, smooth: float = 1.0) -> Tensor:
    """1 - soft Dice: ``1 - (2 S + smooth) / (P + Y + smooth)``.

    Milletari et al. 2016, https://arxiv.org/abs/1606.04797, without their squares in the sums.
    """
    areas = _areas(batch)
    index = areas.fraction(2.0 * areas.intersection + smooth, areas.predicted + areas.true + smooth)
    return areas.mean(1.0 - index, batch)


def jaccard(batch: Batch, *, smooth: float = 1.0) -> Tensor:
    """1 - soft Jaccard index (IoU): ``1 - (S + smooth) / (P + Y - S + smooth)``.

    Rahman & Wang 2016, https://doi.org/10.1007/978-3-319-50835-1_22.
    """
    areas = _areas(batch)
    return areas.mean(1.0 - areas.fraction(areas.intersection + smooth, areas.union + smooth), batch)


def log_jaccard(batch: Batch, *, smooth: float = 1.0) -> Tensor:
    """-log of the soft Jaccard index: ``log(P + Y - S + smooth) - log(S + smooth)``.

    Its gradient grows as the overlap shrinks, where that of `jaccard` vanishes. Iglovikov & Shvets 2018,
    https://arxiv.org/abs/1801.05746.
    """
    areas = _areas(batch)
    return areas.mean(ops.log(areas.union + smooth) - ops.log(areas.intersection + smooth), batch)


def tversky(batch: Batch, *, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0) -> Tensor:
    """Dice with weights of its own for false positives and false negatives.

    ``1 - (S + smooth) / (S + alpha (P - S) + beta (Y - S) + smooth)``. Both ½ are Dice (with twice the smooth), both 1
    Jaccard. Salehi et al. 2017, https://arxiv.org/abs/1706.05721.
    """
    areas = _areas(batch)
    return areas.mean(_tversky(areas, alpha, beta, smooth), batch)


def focal_tversky(
    batch: Batch, *, alpha: float = 0.3, beta: float = 0.7, gamma: float = 4 / 3, smooth: float = 1.0
) -> Tensor:
    """`tversky` of each class to the power of ``1 / gamma``; gamma = 1 is `tversky`.

    Abraham & Khan 2018, https://arxiv.org/abs/1810.07842, whose α is here beta. Below a Tversky loss of 1e-7 the root
    is a straight line, since its gradient at 0 is infinite.
    """
    areas = _areas(batch)
    return areas.mean(power(_tversky(areas, alpha, beta, smooth), 1.0 / gamma), batch)


def generalized_dice(batch: Batch) -> Tensor:
    """One Dice over all classes, small ones weighted up: ``1 - 2 Σ w·S / Σ w·(P + Y)`` with ``w = 1 / Y²``.

    Class weights multiply the w. One channel stands for two classes, background and foreground, as in the paper (Sudre
    et al. 2017, https://arxiv.org/abs/1707.03237). A class missing from the batch has no w and is left out.
    """
    areas = _areas(batch, background=True)
    # Areas in units of the smallest: squares of pixel counts and their inverses exceed float32's precision.
    smallest = ops.min(ops.where(areas.true > 0, areas.true, float("inf")))
    weights = areas.present * ops.square(smallest / ops.maximum(areas.true, 1.0))
    weights = ops.where(areas.true > 0, weights, 0.0)
    if batch.weights is not None:
        weights = weights * batch.weights
    total = ops.sum(weights * (areas.predicted + areas.true))
    missing = total - 2.0 * ops.sum(weights * areas.intersection)
    return missing / ops.where(total > 0, total, 1.0)


class _Areas(NamedTuple):
    """Soft pixel counts of each class over the batch: S, P and Y, each float32 ``[C]``."""

    intersection: Tensor
    predicted: Tensor
    true: Tensor

    @property
    def union(self) -> Tensor:
        return self.predicted + self.true - self.intersection

    @property
    def present(self) -> Tensor:
        return ops.cast(self.true > 0, "float32")

    def fraction(self, numerator: Tensor, denominator: Tensor) -> Tensor:
        """The quotient for the classes of the batch; that of the others, without smooth, may be 0/0."""
        return numerator / ops.where(self.true > 0, denominator, 1.0)

    def mean(self, losses: Tensor, batch: Batch) -> Tensor:
        """The weighted mean over the classes of the batch."""
        return weighted_mean(losses, self.present * batch.channel_weights)


def _areas(batch: Batch, *, background: bool = False) -> _Areas:
    """The sums over the batch; with ``background`` one channel gives two classes."""
    truth, probabilities = batch.truth, batch.probabilities
    if background and batch.channels == 1:
        valid = batch.valid[..., None]
        truth = ops.concatenate([valid - truth, truth], axis=-1)
        probabilities = ops.concatenate([valid * ops.sigmoid(-batch.logits), probabilities], axis=-1)
    axes = (0, 1, 2)
    return _Areas(ops.sum(truth * probabilities, axes), ops.sum(probabilities, axes), ops.sum(truth, axes))


def _tversky(areas: _Areas, alpha: float, beta: float, smooth: float) -> Tensor:
    """The Tversky loss of each class, ``[C]``."""
    intersection = areas.intersection
    errors = alpha * (areas.predicted - intersection) + beta * (areas.true - intersection)
    return 1.0 - areas.fraction(intersection + smooth, intersection + errors + smooth)
