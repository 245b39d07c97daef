"""What all losses make of class ids and logits, so that ignored pixels and class weights mean the same in each.

- ``ids`` are class ids ``[B, H, W]``, ``logits`` ``[B, H, W, C]`` with C = 1 for background against one class, else one
  channel a class.
- ``activation`` says how several channels become scores: ``softmax`` lets them compete, ``sigmoid`` makes each its own
  yes or no against the rest. One channel is always a sigmoid.
- Pixels whose id is ``ignore_index`` count nowhere, whatever their logits; where all are ignored a loss is 0.
- ``class_weights`` are K numbers ≥ 0, one a class, the background's first; only their ratios matter, and without them
  all classes weigh the same. A loss of pixels is the weighted mean over the pixels, each by its true class; a loss of
  regions the weighted mean over the classes that the batch holds, of which one channel has one, the foreground.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from keras import ops

from kseg.errors import ConfigError
from kseg.labels import IGNORE_INDEX, Activation

__all__ = ["IGNORE_INDEX", "Batch", "Tensor", "power", "prepare", "weighted_mean"]

Tensor = Any

_TINY: Final = 1e-7


@dataclass(frozen=True)
class Batch:
    """A batch, made ready.

    Args:
        ids: int32 ``[B, H, W]``, 0 where ignored.
        logits: float32 ``[B, H, W, C]``, 0 where ignored.
        valid: float32 ``[B, H, W]``: 1 where a pixel counts, else 0.
        weights: float32 ``[K]``, or None.
        sigmoid: Whether each channel is its own yes or no.
    """

    ids: Tensor
    logits: Tensor
    valid: Tensor
    weights: Tensor
    sigmoid: bool

    @property
    def channels(self) -> int:
        """C."""
        return int(self.logits.shape[-1])

    def truth(self) -> Tensor:
        """1 where a channel's class is, float32 ``[B, H, W, C]``; 0 where ignored."""
        if self.channels == 1:
            return ops.cast(self.ids == 1, "float32")[..., None]
        return ops.one_hot(self.ids, self.channels, dtype="float32") * self.valid[..., None]

    def scores(self) -> Tensor:
        """The probabilities, float32 ``[B, H, W, C]``; 0 where ignored."""
        activation = ops.sigmoid if self.sigmoid else ops.softmax
        return activation(self.logits) * self.valid[..., None]

    def pixel_weights(self) -> Tensor:
        """How much each pixel counts, float32 ``[B, H, W]``."""
        return self.valid if self.weights is None else self.valid * ops.take(self.weights, self.ids)

    def channel_weights(self) -> Tensor:
        """How much each channel's class counts, float32 ``[C]``; one channel has no other to be weighed against."""
        return ops.ones((self.channels,), "float32") if self.weights is None or self.channels == 1 else self.weights


def prepare(
    ids: Tensor, logits: Tensor, ignore_index: int, class_weights: Sequence[float] | None, activation: Activation
) -> Batch:
    """The batch in float32, with ignored pixels blanked.

    Raises:
        ConfigError: The weights are not K numbers ≥ 0, some of them > 0; or there is no such activation.
    """
    check_activation(activation)
    ids, logits = ops.cast(ids, "int32"), ops.cast(logits, "float32")
    counts = ops.not_equal(ids, ignore_index)
    channels = int(logits.shape[-1])
    return Batch(
        ids=ops.where(counts, ids, 0),
        # Blanked, not multiplied by 0: an infinite logit would leave NaN.
        logits=ops.where(counts[..., None], logits, 0.0),
        valid=ops.cast(counts, "float32"),
        weights=None if class_weights is None else _check_weights(class_weights, max(2, channels)),
        sigmoid=channels == 1 or activation == "sigmoid",
    )


def check_activation(activation: str) -> None:
    """Refuse what is no `Activation`."""
    if activation not in ("softmax", "sigmoid"):
        raise ConfigError("unknown activation", expected="softmax or sigmoid", found=repr(activation))


def _check_weights(weights: Sequence[float], classes: int) -> Tensor:
    """One float32 a class."""
    numbers = [float(weight) for weight in weights]
    if len(numbers) != classes or not any(numbers) or any(w < 0 or not math.isfinite(w) for w in numbers):
        raise ConfigError(
            "not weights of the classes", where="train.class_weights",
            expected=f"{classes} numbers >= 0, one a class, not all 0", found=str(numbers),
        )  # fmt: skip
    return ops.convert_to_tensor(numbers, dtype="float32")


def weighted_mean(losses: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean, a scalar; 0 where nothing has a weight."""
    total = ops.sum(weights)
    # Not max(total, 1): weights below 1 may well add up to less.
    return ops.sum(losses * weights) / ops.where(total > 0, total, 1.0)


def power(base: Tensor, exponent: float) -> Tensor:
    """``base ** exponent`` for base ≥ 0, straight below 1e-7: a root's gradient at 0 would be infinite."""
    base = ops.relu(base)  # rounding may have left it just below 0
    return base * ops.maximum(base, _TINY) ** (exponent - 1.0)
