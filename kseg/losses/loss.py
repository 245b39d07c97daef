"""The losses by name, and their sums as one Keras loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import keras
from keras import ops

from kseg.labels import Activation
from kseg.losses.boundary import boundary
from kseg.losses.expression import parse_loss
from kseg.losses.lovasz import lovasz
from kseg.losses.pixel import bce, cross_entropy, focal
from kseg.losses.prepare import Tensor, check_activation
from kseg.losses.region import dice, focal_tversky, generalized_dice, jaccard, log_jaccard, tversky

__all__ = ["FUNCTIONS", "LossFunction", "SegmentationLoss", "SupervisedLoss"]

LossFunction = Callable[..., Tensor]

FUNCTIONS: Final[dict[str, LossFunction]] = {
    "cross_entropy": cross_entropy,
    "bce": bce,
    "focal": focal,
    "dice": dice,
    "generalized_dice": generalized_dice,
    "jaccard": jaccard,
    "log_jaccard": log_jaccard,
    "tversky": tversky,
    "focal_tversky": focal_tversky,
    "lovasz": lovasz,
    "boundary": boundary,
}
"""Each takes class ids ``[B, H, W]`` and logits ``[B, H, W, C]`` and returns a float32 scalar."""


@keras.saving.register_keras_serializable(package="kseg")
class SegmentationLoss(keras.losses.Loss):
    """A weighted sum of the losses, for ``model.compile``.

    Args:
        expression: What `kseg.losses.parse_loss` reads, e.g. ``bce + 0.5 * focal_tversky(gamma=2)``.
        class_weights: One number ≥ 0 a class, for all terms. Defaults to the same for all.
        activation: ``softmax`` over the channels, or a ``sigmoid`` of each.
        name: Defaults to ``"loss"``.

    Raises:
        ConfigError: The expression is none, an argument in it is wrong, or there is no such activation.
        UnknownNameError: The expression names an unknown loss or argument.

    Example:

    >>> loss = SegmentationLoss("cross_entropy + dice")
    >>> float(loss([[[0, 1, 255]]], keras.ops.array([[[[-30.0], [30.0], [0.0]]]])))
    0.0
    """

    def __init__(
        self,
        expression: str,
        *,
        class_weights: Sequence[float] | None = None,
        activation: Activation = "softmax",
        name: str = "loss",
    ) -> None:
        super().__init__(name=name, reduction=None, dtype="float32")
        check_activation(activation)
        self.expression = expression
        self.class_weights = None if class_weights is None else tuple(float(weight) for weight in class_weights)
        self.activation = activation
        self._terms = [
            (term.weight, partial(FUNCTIONS[term.name], **term.arguments)) for term in parse_loss(expression)
        ]

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of class ids ``[B, H, W]`` and logits ``[B, H, W, C]``: a float32 scalar."""
        losses = [
            weight * function(y_true, y_pred, class_weights=self.class_weights, activation=self.activation)
            for weight, function in self._terms
        ]
        return sum(losses[1:], losses[0])

    def get_config(self) -> dict[str, Any]:
        """For Keras' serialisation."""
        weights = None if self.class_weights is None else list(self.class_weights)
        return {
            "expression": self.expression,
            "class_weights": weights,
            "activation": self.activation,
            "name": self.name,
        }


@keras.saving.register_keras_serializable(package="kseg")
class SupervisedLoss(SegmentationLoss):
    """The same loss of several heads, for a deep supervision (Lee et al. 2015, https://arxiv.org/abs/1409.5185).

    ``Σ wᵢ · loss(truth, logitsᵢ)``

    Args:
        expression: As `SegmentationLoss` takes it.
        heads: The weight wᵢ of each head, whose logits stand side by side in the channels.
        class_weights: As `SegmentationLoss` takes it.
        activation: As `SegmentationLoss` takes it.
        name: Defaults to ``"loss"``.

    Raises:
        ConfigError, UnknownNameError: As `SegmentationLoss` does.

    Example:

    >>> loss = SupervisedLoss("cross_entropy", heads=(0.75, 0.25))
    >>> float(loss([[[0, 1]]], keras.ops.array([[[[-30.0, 0.0], [30.0, 0.0]]]])))  # 0.25 · log 2
    0.17328...
    """

    def __init__(
        self,
        expression: str,
        *,
        heads: Sequence[float],
        class_weights: Sequence[float] | None = None,
        activation: Activation = "softmax",
        name: str = "loss",
    ) -> None:
        super().__init__(expression, class_weights=class_weights, activation=activation, name=name)
        self.heads = tuple(float(weight) for weight in heads)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of class ids ``[B, H, W]`` and logits ``[B, H, W, heads · C]``: a float32 scalar."""
        parts = ops.split(y_pred, len(self.heads), axis=-1)
        losses = [
            weight * super(SupervisedLoss, self).call(y_true, part)
            for weight, part in zip(self.heads, parts, strict=True)
        ]
        return sum(losses[1:], losses[0])

    def get_config(self) -> dict[str, Any]:
        """For Keras' serialisation."""
        return {**super().get_config(), "heads": list(self.heads)}
