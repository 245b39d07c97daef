"""What all Keras losses of kseg share: sums, and one preparation of the batch for all of their terms.

::

    keras.losses.Loss
    ├── BatchLoss              weighted terms, functions of prepared batches; has + and *
    │   ├── LossSum            what + and * make
    │   ├── NamedLoss          one loss of the table: Dice, BinaryFocal, … in kseg.losses.keras_losses
    │   └── SegmentationLoss   of an expression, in kseg.losses.loss
    └── SupervisedLoss         a SegmentationLoss of several heads
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import keras

from kseg.errors import ConfigError, UsageError
from kseg.losses.batch import Batch, BatchOptions, Tensor, prepare
from kseg.losses.expression import Term
from kseg.losses.functions import FUNCTIONS

__all__ = ["BatchLoss", "LossSum"]

register = keras.saving.register_keras_serializable(package="kseg.losses")


@dataclass(frozen=True)
class BatchTerm:
    """A term of a sum of losses, and how it reads the batch."""

    term: Term
    options: BatchOptions


class BatchLoss(keras.losses.Loss):
    """Base class of the losses: a weighted sum of terms, computed in float32.

    Losses add up: ``Dice() + 0.5 * CategoricalFocal()`` is a loss too, and so is ``sum([Dice(), Lovasz()]) / 2``. Terms
    that read the batch alike share its preparation.

    Args:
        terms: The terms of the sum.
        name: Of the loss.

    Calling the loss takes ``y_true`` as class ids ``[B, H, W]`` or ``[B, H, W, 1]``, or one-hot ``[B, H, W, C]``, and
    ``y_pred`` ``[B, H, W, C]``; see `kseg.losses.batch.prepare`. It returns a float32 scalar.
    """

    def __init__(self, terms: Sequence[BatchTerm], name: str) -> None:
        super().__init__(name=name, reduction=None, dtype="float32")
        self.terms = tuple(terms)

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Tensor:
        """Compute the loss. Raises UsageError where there are sample weights: a region loss has no use for them."""
        if sample_weight is not None:
            raise UsageError(
                f"{type(self).__name__} takes no sample_weight",
                remedy="leave pixels out by ignore_index, or weigh classes with class_weights",
            )
        return super().__call__(keras.ops.convert_to_tensor(y_true), keras.ops.convert_to_tensor(y_pred))

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The weighted sum of the terms, each batch prepared once."""
        batches: dict[BatchOptions, Batch] = {}
        losses = []
        for part in self.terms:
            options = part.options.resolve(y_pred.shape[-1])
            if options not in batches:
                batches[options] = prepare(y_true, y_pred, options)
            function = FUNCTIONS[part.term.name]
            losses.append(part.term.weight * function(batches[options], **part.term.arguments))
        return sum(losses[1:], losses[0])

    def __add__(self, other: object) -> LossSum:
        return LossSum([*_parts(self), *_parts(other)]) if isinstance(other, BatchLoss) else NotImplemented

    def __radd__(self, other: object) -> BatchLoss:
        # `sum` begins with 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __mul__(self, factor: object) -> LossSum:
        if not isinstance(factor, Real):
            return NotImplemented
        return LossSum([(float(factor) * weight, loss) for weight, loss in _parts(self)])

    __rmul__ = __mul__

    def __truediv__(self, divisor: object) -> LossSum:
        return self * (1.0 / float(divisor)) if isinstance(divisor, Real) else NotImplemented


@register
class LossSum(BatchLoss):
    """A weighted sum of losses, as ``Dice() + 0.5 * CategoricalFocal()`` makes it.

    Args:
        parts: Weights > 0 and losses.
        name: Defaults to ``"loss"``.

    Raises:
        ConfigError: A weight is not a number above 0.

    Example:

    >>> from kseg.losses import BinaryCrossentropy, Dice
    >>> BinaryCrossentropy() + 0.5 * Dice(smooth=0)
    BinaryCrossentropy() + 0.5 * Dice(smooth=0.0)
    """

    def __init__(self, parts: Sequence[tuple[float, BatchLoss]], name: str = "loss") -> None:
        for weight, _ in parts:
            if not 0 < weight < math.inf:
                raise ConfigError("wrong weight of a loss", expected="a number above 0", found=f"{weight:g}")
        scaled = [
            replace(part, term=replace(part.term, weight=weight * part.term.weight))
            for weight, loss in parts
            for part in loss.terms
        ]
        super().__init__(scaled, name)
        self.parts = tuple(parts)

    def __repr__(self) -> str:
        return " + ".join(f"{loss!r}" if weight == 1 else f"{weight:g} * {loss!r}" for weight, loss in self.parts)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras saves them."""
        serialize = keras.saving.serialize_keras_object
        return {"parts": [[weight, serialize(loss)] for weight, loss in self.parts], "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LossSum:
        """The loss of what `get_config` returned."""
        deserialize = keras.saving.deserialize_keras_object
        parts = [(weight, deserialize(loss)) for weight, loss in config["parts"]]
        return cls(parts, config["name"])


def _parts(loss: BatchLoss) -> tuple[tuple[float, BatchLoss], ...]:
    """The weights and losses that a loss adds to a sum."""
    return loss.parts if isinstance(loss, LossSum) else ((1.0, loss),)
