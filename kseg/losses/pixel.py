"""The losses that are a mean over pixels. The shared arguments are explained in `kseg.losses.prepare`."""

from __future__ import annotations

from collections.abc import Sequence

from keras import ops

from kseg.labels import Activation
from kseg.losses.prepare import IGNORE_INDEX, Batch, Tensor, power, prepare, weighted_mean

__all__ = ["bce", "cross_entropy", "focal"]


def cross_entropy(
    ids: Tensor,
    logits: Tensor,
    *,
    smoothing: float = 0.0,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Sequence[float] | None = None,
    activation: Activation = "softmax",
) -> Tensor:
    """Mean cross-entropy over the pixels that count: categorical, or `bce` with one channel or a sigmoid head.

    ``-Σ_c t_c log p_c`` a pixel, with ``t = (1 - smoothing) · onehot(y) + smoothing / K`` (Szegedy et al. 2015,
    https://arxiv.org/abs/1512.00567). With class weights *w* it is the weighted mean ``Σ w[y]·ce / Σ w[y]``, without
    smoothing the same as PyTorch's ``CrossEntropyLoss(weight=w)``.

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``.
        smoothing: The share of the truth that is spread evenly over the K classes, 0..0.9.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers; with one channel two, background and foreground.
        activation: ``softmax`` over the channels, or a ``sigmoid`` of each.

    Returns:
        A float32 scalar in nats, ≥ 0; 0 where no pixel has a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0; or there is no such activation.
    """
    batch = prepare(ids, logits, ignore_index, class_weights, activation)
    return weighted_mean(ops.mean(_entropies(batch, smoothing), axis=-1), batch.pixel_weights())


def bce(
    ids: Tensor,
    logits: Tensor,
    *,
    smoothing: float = 0.0,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Sequence[float] | None = None,
    activation: Activation = "softmax",
) -> Tensor:
    """Binary cross-entropy: the mean over the channels of yes-or-no cross-entropies, each by sigmoid whatever the head.

    ``-t log σ(x) - (1 - t) log(1 - σ(x))`` a pixel and channel, with ``t = (1 - smoothing) · y + smoothing / 2``. With
    one channel it is `cross_entropy`.

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``.
        smoothing: The share of the truth that is spread evenly over yes and no, 0..0.9.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers, by the pixel's true class; with one channel two, background and foreground.
        activation: Changes nothing here.

    Returns:
        A float32 scalar in nats, ≥ 0; 0 where no pixel has a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0; or there is no such activation.
    """
    batch = prepare(ids, logits, ignore_index, class_weights, activation)
    return weighted_mean(ops.mean(_binary_entropies(batch, smoothing), axis=-1), batch.pixel_weights())


def focal(
    ids: Tensor,
    logits: Tensor,
    *,
    gamma: float = 2.0,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Sequence[float] | None = None,
    activation: Activation = "softmax",
) -> Tensor:
    """Cross-entropy that all but forgets easy pixels: ``-(1 - p)^γ log p`` with *p* the score of the truth.

    Lin et al. 2017, https://arxiv.org/abs/1708.02002. Their α is here ``class_weights``. With one channel or a sigmoid
    head every channel is a yes or no, and a pixel's loss is the mean over the channels.

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``.
        gamma: γ, 0..10: how much easy pixels lose. 0 is `cross_entropy`.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers; with one channel two, background and foreground.
        activation: ``softmax`` over the channels, or a ``sigmoid`` of each.

    Returns:
        A float32 scalar in nats, ≥ 0; 0 where no pixel has a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0; or there is no such activation.
    """
    batch = prepare(ids, logits, ignore_index, class_weights, activation)
    entropies = _entropies(batch)
    # 1 - p from the entropy itself keeps its digits where p is near 1.
    losses = power(-ops.expm1(-entropies), gamma) * entropies
    return weighted_mean(ops.mean(losses, axis=-1), batch.pixel_weights())


def _entropies(batch: Batch, smoothing: float = 0.0) -> Tensor:
    """The cross-entropies of every pixel: ``[B, H, W, C]`` yes-or-no ones, or ``[B, H, W, 1]`` between the classes."""
    if batch.sigmoid:
        return _binary_entropies(batch, smoothing)
    entropies = ops.sparse_categorical_crossentropy(batch.ids, batch.logits, from_logits=True)[..., None]
    if smoothing:
        even = -ops.mean(ops.log_softmax(batch.logits), axis=-1, keepdims=True)
        entropies = (1.0 - smoothing) * entropies + smoothing * even
    return entropies


def _binary_entropies(batch: Batch, smoothing: float = 0.0) -> Tensor:
    target = (1.0 - smoothing) * batch.truth() + 0.5 * smoothing
    return ops.binary_crossentropy(target, batch.logits, from_logits=True)
