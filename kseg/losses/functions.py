"""The losses as functions of class ids and logits.

Shapes and meaning are the same in all: ``ids`` are class ids ``[B, H, W]``, ``logits`` ``[B, H, W, C]`` with C = 1 for
background against one class, else one channel a class; the result is one float32 number. Pixels whose id is
`ignore_index` count nowhere; where all are ignored the loss is 0. ``class_weights`` are K numbers ≥ 0, one a class, the
background's first; only their ratios matter, and without them all classes weigh the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import keras
from keras import ops

from kseg.errors import ConfigError
from kseg.labels import IGNORE_INDEX
from kseg.losses.expression import parse_loss

__all__ = ["FUNCTIONS", "LossFunction", "SegmentationLoss", "cross_entropy", "dice"]

LossFunction = Callable[..., Any]

DICE_SMOOTH: Final = 1.0
"""Pixels added to numerator and denominator: keeps the gradient finite where a class has next to no pixels."""


def cross_entropy(
    ids: Any, logits: Any, *, ignore_index: int = IGNORE_INDEX, class_weights: Sequence[float] | None = None
) -> Any:
    """Mean cross-entropy over the pixels that count: binary with one channel, else categorical.

    With class weights *w* it is the weighted mean ``Σ w[y]·ce / Σ w[y]``, as PyTorch's ``CrossEntropyLoss(weight=w)``.

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers; with one channel two, background and foreground.

    Returns:
        A float32 scalar in nats, ≥ 0; 0 where no pixel has a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0.
    """
    valid, ids, logits = _prepare(ids, logits, ignore_index)
    if logits.shape[-1] == 1:
        losses = ops.binary_crossentropy(ops.cast(ids[..., None], "float32"), logits, from_logits=True)[..., 0]
    else:
        losses = ops.sparse_categorical_crossentropy(ids, logits, from_logits=True)
    if class_weights is not None:
        valid = valid * ops.take(_check_weights(class_weights, logits.shape[-1]), ids)
    return _mean(losses, valid)


def dice(
    ids: Any, logits: Any, *, ignore_index: int = IGNORE_INDEX, class_weights: Sequence[float] | None = None
) -> Any:
    """1 - soft Dice over the batch: the foreground's with one channel, else the mean over the batch's classes.

    ``1 - (2 Σ p·y + 1) / (Σ p + Σ y + 1)`` (Milletari et al. 2016, https://arxiv.org/abs/1606.04797, with the sums
    unsquared). The sums run over the whole batch, so that images without a class do not dominate. A class that the
    whole batch lacks counts nowhere, as in segmentation_models.pytorch: its Dice would be near 0 however few pixels are
    found. Cross-entropy still punishes such finds.

    With class weights the mean over the batch's classes is weighted. With one channel there is the foreground alone,
    and weights change nothing.

    Args:
        ids: Class ids ``[B, H, W]``.
        logits: ``[B, H, W, C]``.
        ignore_index: The id of pixels that do not count.
        class_weights: K numbers; with one channel two, background and foreground.

    Returns:
        A float32 scalar in 0..1; 0 where no class of the batch has a weight.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0.
    """
    valid, ids, logits = _prepare(ids, logits, ignore_index)
    if logits.shape[-1] == 1:
        truth, scores = ops.cast(ids[..., None], "float32"), ops.sigmoid(logits)
    else:
        truth, scores = ops.one_hot(ids, logits.shape[-1], dtype="float32"), ops.softmax(logits)
    truth, scores = truth * valid[..., None], scores * valid[..., None]
    shared = ops.sum(truth * scores, axis=(0, 1, 2))
    total = ops.sum(truth, axis=(0, 1, 2)) + ops.sum(scores, axis=(0, 1, 2))
    losses = 1.0 - (2.0 * shared + DICE_SMOOTH) / (total + DICE_SMOOTH)
    present = ops.cast(ops.any(truth > 0, axis=(0, 1, 2)), "float32")
    if class_weights is not None:
        weights = _check_weights(class_weights, logits.shape[-1])
        present = present if logits.shape[-1] == 1 else present * weights
    return _mean(losses, present)


def _mean(losses: Any, weights: Any) -> Any:
    """The weighted mean; 0 where nothing has a weight."""
    total = ops.sum(weights)
    # Not max(total, 1): weights below 1 may well add up to less.
    return ops.sum(losses * weights) / ops.where(total > 0, total, 1.0)


def _check_weights(weights: Sequence[float], channels: int) -> Any:
    """One float32 a class."""
    numbers = [float(weight) for weight in weights]
    classes = max(2, channels)
    if len(numbers) != classes or not any(numbers) or any(w < 0 or not math.isfinite(w) for w in numbers):
        raise ConfigError(
            "not weights of the classes", where="train.class_weights",
            expected=f"{classes} numbers >= 0, one a class, not all 0", found=str(numbers),
        )  # fmt: skip
    return ops.convert_to_tensor(numbers, dtype="float32")


def _prepare(ids: Any, logits: Any, ignore_index: int) -> tuple[Any, Any, Any]:
    """Which pixels count (float32), ids with 0 where they don't, and float32 logits."""
    ids = ops.cast(ids, "int32")
    counts = ops.not_equal(ids, ignore_index)
    return ops.cast(counts, "float32"), ops.where(counts, ids, 0), ops.cast(logits, "float32")


FUNCTIONS: Final[dict[str, LossFunction]] = {"cross_entropy": cross_entropy, "dice": dice}


@keras.saving.register_keras_serializable(package="kseg")
class SegmentationLoss(keras.losses.Loss):
    """A weighted sum of the losses above, for ``model.compile``.

    Args:
        expression: What `kseg.losses.parse_loss` reads, e.g. ``cross_entropy + dice``.
        class_weights: One number ≥ 0 a class, for all terms. Defaults to the same for all.
    """

    def __init__(self, expression: str, *, class_weights: Sequence[float] | None = None, name: str = "loss") -> None:
        super().__init__(name=name, reduction=None, dtype="float32")
        self.expression = expression
        self.class_weights = None if class_weights is None else tuple(float(weight) for weight in class_weights)
        self._terms = [(term.weight, FUNCTIONS[term.name]) for term in parse_loss(expression)]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of class ids ``[B, H, W]`` and logits ``[B, H, W, C]``: a float32 scalar."""
        losses = [
            weight * function(y_true, y_pred, class_weights=self.class_weights) for weight, function in self._terms
        ]
        return sum(losses[1:], losses[0])

    def get_config(self) -> dict[str, Any]:
        """For Keras' serialisation."""
        weights = None if self.class_weights is None else list(self.class_weights)
        return {"expression": self.expression, "class_weights": weights, "name": self.name}
