"""Losses that are a mean over pixels: cross-entropies and the focal loss.

With class weights *w* the mean is weighted by the pixels' true classes *y*, ``Σ w[y]·loss / Σ w[y]``. All return a
float32 scalar in nats, ≥ 0, and 0 where no pixel has a weight.
"""

from __future__ import annotations

from keras import ops

from kseg.losses.batch import Batch, Tensor, power, weighted_mean

__all__ = ["bce", "cross_entropy", "focal"]


def cross_entropy(batch: Batch, *, smoothing: float = 0.0) -> Tensor:
    """Categorical cross-entropy with softmax; with sigmoid, or one channel, `bce`.

    ``-Σ_c t_c log p_c`` per pixel, with ``t = (1 - smoothing) · onehot(y) + smoothing / K`` (Szegedy et al. 2015,
    https://arxiv.org/abs/1512.00567). Without smoothing the weighted mean is that of PyTorch's
    ``CrossEntropyLoss(weight=w)``.
    """
    return weighted_mean(ops.mean(_entropies(batch, smoothing), axis=-1), batch.pixel_weights)


def bce(batch: Batch, *, smoothing: float = 0.0) -> Tensor:
    """Binary cross-entropy of each channel by sigmoid, whatever the batch's activation: a mean over the channels.

    ``-t log σ(x) - (1 - t) log(1 - σ(x))`` per pixel and channel, with ``t = (1 - smoothing) · y + smoothing / 2``.
    """
    return weighted_mean(ops.mean(_binary_entropies(batch, smoothing), axis=-1), batch.pixel_weights)


def focal(batch: Batch, *, gamma: float = 2.0) -> Tensor:
    """Cross-entropy with little weight on easy pixels: ``-(1 - p)^γ log p``, *p* the probability of the truth.

    With sigmoid each channel is a binary decision, and the loss of a pixel is the mean over the channels. γ = 0 is
    `cross_entropy`. Lin et al. 2017, https://arxiv.org/abs/1708.02002, whose α are the class weights.
    """
    entropies = _entropies(batch)
    # 1 - p from the entropy itself keeps its digits where p is near 1.
    losses = power(-ops.expm1(-entropies), gamma) * entropies
    return weighted_mean(ops.mean(losses, axis=-1), batch.pixel_weights)


def _entropies(batch: Batch, smoothing: float = 0.0) -> Tensor:
    """The cross-entropies of every pixel: with softmax ``[B, H, W, 1]``, with sigmoid one a channel."""
    if batch.sigmoid:
        return _binary_entropies(batch, smoothing)
    entropies = ops.sparse_categorical_crossentropy(batch.ids, batch.logits, from_logits=True)[..., None]
    if smoothing:
        even = -ops.mean(ops.log_softmax(batch.logits), axis=-1, keepdims=True)
        entropies = (1.0 - smoothing) * entropies + smoothing * even
    return entropies


def _binary_entropies(batch: Batch, smoothing: float) -> Tensor:
    """The binary cross-entropies of every pixel and channel, ``[B, H, W, C]``."""
    target = (1.0 - smoothing) * batch.truth + 0.5 * smoothing
    return ops.binary_crossentropy(target, batch.logits, from_logits=True)
