"""The losses that kseg trains with: those of an expression, on logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kseg.labels import Activation
from kseg.losses.base import BatchLoss, BatchTerm, register
from kseg.losses.batch import BatchOptions, Tensor
from kseg.losses.expression import LossExpression, parse_loss

__all__ = ["SegmentationLoss", "SupervisedLoss"]


@register
class SegmentationLoss(BatchLoss):
    """A weighted sum of losses of logits, given as an expression.

    Args:
        expression: What `kseg.losses.parse_loss` returns, or its text, e.g. ``bce + 0.5 * focal_tversky(gamma=2)``.
        class_weights: See `kseg.losses.batch.BatchOptions`.
        activation: See `kseg.losses.batch.BatchOptions`.
        name: Defaults to ``"loss"``.

    Raises:
        ConfigError: The expression is none, an argument in it is wrong, or so are the weights or the activation.
        UnknownNameError: The expression names an unknown loss or argument.

    Example:

    >>> loss = SegmentationLoss("cross_entropy + dice")
    >>> round(float(loss([[[0, 1, 255]]], [[[[-30.0], [30.0], [0.0]]]])), 6)
    0.0
    """

    def __init__(
        self,
        expression: LossExpression | str,
        *,
        class_weights: Sequence[float] | None = None,
        activation: Activation = "softmax",
        name: str = "loss",
    ) -> None:
        self.expression = parse_loss(expression) if isinstance(expression, str) else expression
        self.options = BatchOptions(class_weights, from_logits=True, activation=activation)
        super().__init__([BatchTerm(term, self.options) for term in self.expression.terms], name)

    def __repr__(self) -> str:
        return f"SegmentationLoss({self.expression.text!r})"

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras saves them."""
        options = self.options.to_plain()
        shared = {key: options[key] for key in ("class_weights", "activation")}
        return {"expression": self.expression.text, **shared, "name": self.name}


@register
class SupervisedLoss(keras.losses.Loss):
    """The same loss of several heads, for deep supervision: ``Σ wᵢ · loss(y_true, logitsᵢ)``.

    Lee et al. 2015, https://arxiv.org/abs/1409.5185.

    Args:
        expression: As of `SegmentationLoss`.
        heads: The weight wᵢ of each head, whose logits stand side by side in the channels.
        class_weights: As of `SegmentationLoss`.
        activation: As of `SegmentationLoss`.
        name: Defaults to ``"loss"``.

    Raises:
        ConfigError, UnknownNameError: As `SegmentationLoss` does.

    Example:

    >>> loss = SupervisedLoss("cross_entropy", heads=(0.75, 0.25))
    >>> logits = keras.ops.array([[[[-30.0, 0.0], [30.0, 0.0]]]])
    >>> round(float(loss([[[0, 1]]], logits)), 3)  # 0.25 · log 2
    0.173
    """

    def __init__(
        self,
        expression: LossExpression | str,
        *,
        heads: Sequence[float],
        class_weights: Sequence[float] | None = None,
        activation: Activation = "softmax",
        name: str = "loss",
    ) -> None:
        super().__init__(name=name, reduction=None, dtype="float32")
        self.heads = tuple(float(weight) for weight in heads)
        self.loss = SegmentationLoss(expression, class_weights=class_weights, activation=activation, name=name)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of class ids ``[B, H, W]`` and logits ``[B, H, W, heads · C]``: a float32 scalar."""
        logits = ops.split(y_pred, len(self.heads), axis=-1)
        losses = [weight * self.loss.call(y_true, part) for weight, part in zip(self.heads, logits, strict=True)]
        return sum(losses[1:], losses[0])

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras saves them."""
        return {**self.loss.get_config(), "heads": list(self.heads)}
