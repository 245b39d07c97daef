"""A batch of ground truth and predictions, prepared once for all losses of a step.

Every loss is a function of a prepared `Batch`, so ignored pixels, class weights and activations mean the same in each::

    batch = prepare(y_true, y_pred, BatchOptions(from_logits=True))
    loss = dice(batch) + 0.5 * focal(batch, gamma=1.0)
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from keras import ops

from kseg.errors import ConfigError, UsageError
from kseg.labels import IGNORE_INDEX, Activation
from kseg.truth import is_one_hot

__all__ = ["Batch", "BatchOptions", "Tensor", "power", "prepare", "weighted_mean"]

Tensor = Any

_TINY: Final = 1e-7


@dataclass(frozen=True)
class BatchOptions:
    """How losses read ``y_true`` and ``y_pred``: the arguments that all of them share.

    Args:
        class_weights: One number ≥ 0 a class, the background's first; only their ratios matter. Cross-entropies and
            focal losses become the weighted mean over the pixels, each with the weight of its true class; region
            losses the weighted mean over the classes of the batch. Predictions of one channel take two weights, which
            change nothing in a region loss, since that has the foreground alone. Defaults to the same for all.
        ignore_index: The class id of pixels that count nowhere, whatever their predictions. Defaults to 255.
        from_logits: Whether ``y_pred`` are logits. Defaults to False, probabilities, as of a network that ends in a
            softmax or sigmoid; they are clipped to 1e-7 … 1 - 1e-7 and turned back into logits.
        activation: What turns logits into probabilities: ``softmax``, where the classes exclude one another, or
            ``sigmoid``, where each channel is decided by itself. One channel, the foreground of two classes, is always
            a sigmoid. Defaults to None: softmax for several channels, sigmoid for one.

    Raises:
        ConfigError: The weights are not numbers ≥ 0, some of them > 0; the ignored id is no whole number; or there is
            no such activation.
    """

    class_weights: Sequence[float] | None = None
    ignore_index: int = IGNORE_INDEX
    from_logits: bool = False
    activation: Activation | None = None

    def __post_init__(self) -> None:
        if self.class_weights is not None:
            object.__setattr__(self, "class_weights", _check_weights(self.class_weights))
        try:
            object.__setattr__(self, "ignore_index", operator.index(self.ignore_index))
        except TypeError:
            raise ConfigError("wrong ignore_index", expected="a whole number", found=repr(self.ignore_index)) from None
        if self.activation not in (None, "softmax", "sigmoid"):
            raise ConfigError("unknown activation", expected="softmax or sigmoid", found=repr(self.activation))

    def resolve(self, channels: int) -> BatchOptions:
        """The same options with the activation that predictions of so many channels have."""
        return replace(self, activation="sigmoid" if channels == 1 else self.activation or "softmax")

    def to_plain(self) -> dict[str, Any]:
        """As plain JSON types, by name."""
        weights = None if self.class_weights is None else list(self.class_weights)
        return {**vars(self), "class_weights": weights}


@dataclass(frozen=True, eq=False)
class Batch:
    """A prepared batch: float32, with ignored pixels blanked. `prepare` makes it.

    K classes have C = K channels; K = 2 may have C = 1, the foreground.

    Args:
        ids: Class ids, int32 ``[B, H, W]``, 0 where ignored. None where the truth is `multi_hot`.
        multi_hot: 1 for each class of a pixel, else 0, float32 ``[B, H, W, C]``; None where each has one class.
        logits: float32 ``[B, H, W, C]``, 0 where ignored.
        valid: 1 where a pixel counts, else 0, float32 ``[B, H, W]``.
        weights: The class weights, float32 ``[K]``, or None.
        sigmoid: Whether each channel is decided by itself.
    """

    ids: Tensor
    multi_hot: Tensor
    logits: Tensor
    valid: Tensor
    weights: Tensor
    sigmoid: bool

    @property
    def channels(self) -> int:
        """C, the number of channels of the predictions."""
        return int(self.logits.shape[-1])

    @cached_property
    def truth(self) -> Tensor:
        """1 where a pixel is of the channel's class, else 0, float32 ``[B, H, W, C]``; 0 where ignored."""
        if self.multi_hot is not None:
            return self.multi_hot
        if self.channels == 1:
            return ops.cast(self.ids == 1, "float32")[..., None]
        return ops.one_hot(self.ids, self.channels, dtype="float32") * self.valid[..., None]

    @cached_property
    def probabilities(self) -> Tensor:
        """The predictions after softmax or sigmoid, float32 ``[B, H, W, C]``; 0 where ignored."""
        activation = ops.sigmoid if self.sigmoid else ops.softmax
        return activation(self.logits) * self.valid[..., None]

    @property
    def pixel_weights(self) -> Tensor:
        """The weight of each pixel in a mean over pixels, float32 ``[B, H, W]``.

        Raises:
            UsageError: There are class weights, but a pixel may have several classes.
        """
        if self.weights is None:
            return self.valid
        if self.ids is None:
            raise UsageError(
                "class_weights of a mean over pixels need one class per pixel",
                expected="y_true as class ids [B, H, W]", found="one-hot y_true with sigmoid",
                remedy="convert y_true by argmax, or leave class_weights out",
            )  # fmt: skip
        return self.valid * ops.take(self.weights, self.ids)

    @property
    def channel_weights(self) -> Tensor:
        """The weight of each channel in a mean over classes, float32 ``[C]``; 1 for a single channel."""
        return ops.ones((self.channels,), "float32") if self.weights is None or self.channels == 1 else self.weights


def prepare(y_true: Tensor, y_pred: Tensor, options: BatchOptions | None = None) -> Batch:
    """Prepare ground truth and predictions for the losses.

    Args:
        y_true: Class ids ``[B, H, W]`` or ``[B, H, W, 1]``, or one-hot ``[B, H, W, C]`` of 0 and 1. In one-hot truth a
            pixel with a value above 1 is ignored, and one without any class too, as ``one_hot`` leaves it of the id
            255. With C > 1 and sigmoid, though, a pixel may have any number of classes, even none: multi-label.
        y_pred: Logits or probabilities ``[B, H, W, C]``; C = 1 for the foreground of two classes.
        options: How to read them. Defaults to those of `BatchOptions`.

    Raises:
        UsageError: The shape of ``y_true`` does not fit that of ``y_pred``.
        ConfigError: The number of class weights is not that of the classes.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.cast(ops.convert_to_tensor(y_pred), "float32")
    one_hot = is_one_hot(y_true.shape, y_pred.shape)
    channels = int(y_pred.shape[-1])
    options = (options or BatchOptions()).resolve(channels)
    sigmoid = options.activation == "sigmoid"
    ids = multi_hot = None
    if one_hot and sigmoid:
        y_true = ops.cast(y_true, "float32")
        counts = ops.max(y_true, axis=-1) <= 1
        multi_hot = ops.cast(ops.logical_and(y_true > 0.5, counts[..., None]), "float32")
    else:
        ids = _class_ids(y_true, one_hot, options.ignore_index)
        counts = ops.not_equal(ids, options.ignore_index)
        ids = ops.where(counts, ids, 0)
    # Blanked, not multiplied by 0: an infinite logit would leave NaN.
    blank = 0.0 if options.from_logits else 0.5 if sigmoid else 1.0
    y_pred = ops.where(counts[..., None], y_pred, blank)
    return Batch(
        ids=ids,
        multi_hot=multi_hot,
        logits=y_pred if options.from_logits else _logits(y_pred, sigmoid),
        valid=ops.cast(counts, "float32"),
        weights=_weights(options.class_weights, max(2, channels)),
        sigmoid=sigmoid,
    )


def _class_ids(y_true: Tensor, one_hot: bool, ignore_index: int) -> Tensor:
    """Class ids int32 ``[B, H, W]``, `ignore_index` where one-hot truth has no class or a value above 1."""
    if one_hot:
        y_true = ops.cast(y_true, "float32")
        highest = ops.max(y_true, axis=-1)
        ids = ops.cast(ops.argmax(y_true, axis=-1), "int32")
        return ops.where(ops.logical_and(highest > 0, highest <= 1), ids, ignore_index)
    ids = ops.cast(y_true, "int32")
    return ids[..., 0] if len(ids.shape) == 4 else ids


def _logits(probabilities: Tensor, sigmoid: bool) -> Tensor:
    """The logits whose softmax or sigmoid the probabilities are, clipped where they would be infinite."""
    if sigmoid:
        clipped = ops.clip(probabilities, _TINY, 1.0 - _TINY)
        return ops.log(clipped) - ops.log1p(-clipped)
    return ops.log(ops.clip(probabilities, _TINY, 1.0))


def _check_weights(weights: Any) -> tuple[float, ...]:
    try:
        numbers = tuple(float(weight) for weight in weights)
    except (TypeError, ValueError):
        numbers = ()
    if not any(numbers) or any(number < 0 or not math.isfinite(number) for number in numbers):
        raise ConfigError("wrong class_weights", expected="numbers >= 0, one per class, not all 0", found=repr(weights))
    return numbers


def _weights(weights: Sequence[float] | None, classes: int) -> Tensor:
    """The class weights as a float32 tensor, or None."""
    if weights is None:
        return None
    if len(weights) != classes:
        raise ConfigError(
            "class_weights do not fit y_pred", expected=f"{classes} numbers, one per class", found=str(len(weights))
        )
    return ops.convert_to_tensor(weights, dtype="float32")


def weighted_mean(losses: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean as a scalar; 0 where the weights add up to 0."""
    total = ops.sum(weights)
    # Not max(total, 1): weights below 1 may well add up to less.
    return ops.sum(losses * weights) / ops.where(total > 0, total, 1.0)


def power(base: Tensor, exponent: float) -> Tensor:
    """``base ** exponent`` for base ≥ 0, a straight line below 1e-7: a root's gradient at 0 would be infinite."""
    base = ops.relu(base)  # rounding may have left it just below 0
    return base * ops.maximum(base, _TINY) ** (exponent - 1.0)
