"""The losses by name, as Keras classes for ``model.compile``: thin wrappers around the functions.

::

    from kseg.losses import CategoricalFocal, Dice

    model.compile("adam", loss=Dice() + 0.5 * CategoricalFocal(gamma=1))

Each class computes the function that its docstring names, where the formula and its paper stand. After their own
arguments all take those that they share, as keywords: ``class_weights``, ``ignore_index``, ``from_logits`` and, where
softmax and sigmoid both make sense, ``activation``, explained in `kseg.losses.batch.BatchOptions`; and ``name``.
``keras.saving.load_model`` loads a model that was compiled with them once this module has been imported, as by ``from
kseg.losses import Dice``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from kseg.labels import Activation
from kseg.losses.base import BatchLoss, BatchTerm, register
from kseg.losses.batch import BatchOptions
from kseg.losses.expression import LOSSES, Term
from kseg.registry import lookup

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "BinaryCrossentropy", "BinaryFocal", "Boundary", "CategoricalCrossentropy", "CategoricalFocal", "Dice",
    "FocalTversky", "GeneralizedDice", "Jaccard", "LogJaccard", "Lovasz", "NamedLoss", "Tversky",
]  # fmt: skip


class SharedArguments(TypedDict, total=False):
    """The keyword arguments of all losses. See `BatchOptions`."""

    class_weights: Sequence[float] | None
    ignore_index: int
    from_logits: bool
    name: str


class RegionArguments(SharedArguments, total=False):
    """The keyword arguments of the losses that take either activation. See `BatchOptions`."""

    activation: Activation | None


class NamedLoss(BatchLoss):
    """Base class of the losses by name.

    Args:
        loss: The name in `LOSSES`, also the default of ``name``.
        arguments: The arguments in `LOSSES`.
        shared: The shared arguments: those of `BatchOptions`, and ``name``.

    Raises:
        ConfigError: A value is wrong; `LOSSES` has the ranges.
        UnknownNameError: There is no such argument.
    """

    activation: ClassVar[Activation | None] = None
    """The activation of a loss that takes only one, and so has no such argument."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Spell out ``**shared`` in the signature that ``help`` and notebooks show."""
        super().__init_subclass__(**kwargs)
        own = [p for p in signature(cls.__init__).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        shared = {**{field.name: field.default for field in fields(BatchOptions)}, "name": None}
        if cls.activation is not None:
            del shared["activation"]
        keywords = [Parameter(key, Parameter.KEYWORD_ONLY, default=default) for key, default in shared.items()]
        cls.__init__.__signature__ = Signature([*own, *keywords])  # type: ignore[attr-defined]

    def __init__(self, loss: str, arguments: Mapping[str, float], shared: Mapping[str, Any]) -> None:
        kind, parameters = type(self).__name__, signature(type(self)).parameters
        for key in shared:
            lookup(parameters, key, kind=f"argument of {kind}")
        self.loss = loss
        self.arguments = {key: LOSSES[loss][key].read(value, f"{key} of {kind}") for key, value in arguments.items()}
        options = {key: value for key, value in shared.items() if key != "name"}
        self.options = BatchOptions(**{"activation": self.activation, **options})
        super().__init__([BatchTerm(Term(1.0, loss, self.arguments), self.options)], shared.get("name") or loss)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras saves them."""
        config = {**self.arguments, **self.options.to_plain(), "name": self.name}
        return {key: value for key, value in config.items() if key in signature(type(self)).parameters}

    def __repr__(self) -> str:
        defaults = {key: parameter.default for key, parameter in signature(type(self)).parameters.items()}
        defaults["name"] = self.loss
        changed = [f"{key}={value!r}" for key, value in self.get_config().items() if value != defaults[key]]
        return f"{type(self).__name__}({', '.join(changed)})"


@register
class CategoricalCrossentropy(NamedLoss):
    """Cross-entropy between classes that exclude one another: the loss to begin with, its gradients never vanish.

    Computes `kseg.losses.pixel.cross_entropy`; with one channel the same as `BinaryCrossentropy`. The keyword arguments
    are those of `kseg.losses.batch.BatchOptions`.

    Args:
        smoothing: The share of the truth that is spread evenly over the classes, 0 … 0.9, for noisy masks. Defaults to
            0.

    Example:

    >>> loss = CategoricalCrossentropy()
    >>> round(float(loss([[[0, 1]]], [[[[1.0, 0.0], [0.5, 0.5]]]])), 3)  # ½ log 2
    0.347
    """

    activation = "softmax"

    def __init__(self, smoothing: float = 0.0, **shared: Unpack[SharedArguments]) -> None:
        super().__init__("cross_entropy", {"smoothing": smoothing}, shared)


@register
class BinaryCrossentropy(NamedLoss):
    """Binary cross-entropy of one channel, or of several that do not exclude one another.

    Computes `kseg.losses.pixel.bce`. The keyword arguments are those of `kseg.losses.batch.BatchOptions`.

    Args:
        smoothing: The share of the truth that is spread evenly over yes and no, 0 … 0.9, for noisy masks. Defaults to
            0.

    Example:

    >>> loss = BinaryCrossentropy()
    >>> round(float(loss([[[0, 1]]], [[[[0.0], [0.5]]]])), 3)  # ½ log 2
    0.347
    """

    activation = "sigmoid"

    def __init__(self, smoothing: float = 0.0, **shared: Unpack[SharedArguments]) -> None:
        super().__init__("bce", {"smoothing": smoothing}, shared)


@register
class CategoricalFocal(NamedLoss):
    """Focal loss of classes that exclude one another: cross-entropy with little weight on easy pixels.

    Computes `kseg.losses.pixel.focal` with softmax; with one channel the same as `BinaryFocal`. The keyword arguments
    are those of `kseg.losses.batch.BatchOptions`.

    Args:
        gamma: How fast the weight falls with the probability of the truth, 0 … 10; 0 is cross-entropy. Defaults to 2.

    Example:

    >>> loss = CategoricalFocal(gamma=1)
    >>> round(float(loss([[[0, 1]]], [[[[1.0, 0.0], [0.5, 0.5]]]])), 3)  # ½ · ½ log 2
    0.173
    """

    activation = "softmax"

    def __init__(self, gamma: float = 2.0, **shared: Unpack[SharedArguments]) -> None:
        super().__init__("focal", {"gamma": gamma}, shared)


@register
class BinaryFocal(NamedLoss):
    """Focal loss of one channel, or of several that do not exclude one another.

    Computes `kseg.losses.pixel.focal` with sigmoid. The keyword arguments are those of
    `kseg.losses.batch.BatchOptions`.

    Args:
        gamma: How fast the weight falls with the probability of the truth, 0 … 10; 0 is cross-entropy. Defaults to 2.

    Example:

    >>> loss = BinaryFocal(gamma=1)
    >>> round(float(loss([[[0, 1]]], [[[[0.0], [0.5]]]])), 3)  # ½ · ½ log 2
    0.173
    """

    activation = "sigmoid"

    def __init__(self, gamma: float = 2.0, **shared: Unpack[SharedArguments]) -> None:
        super().__init__("focal", {"gamma": gamma}, shared)


@register
class Dice(NamedLoss):
    """1 - soft Dice: for small objects, beside a cross-entropy, since large and small classes have the same weight.

    Computes `kseg.losses.region.dice`. The keyword arguments are those of `kseg.losses.batch.BatchOptions`.

    Args:
        smooth: Pixels added to numerator and denominator, 0 … 1e6. Defaults to 1.

    Example:

    >>> loss = Dice(smooth=0)
    >>> round(float(loss([[[0, 1]]], [[[[0.5], [1.0]]]])), 3)  # 1 - 2 · 1 / (1.5 + 1)
    0.2
    """

    def __init__(self, smooth: float = 1.0, **shared: Unpack[RegionArguments]) -> None:
        super().__init__("dice", {"smooth": smooth}, shared)


@register
class GeneralizedDice(NamedLoss):
    """One Dice over all classes, small ones weighted up: for classes of very different sizes.

    Computes `kseg.losses.region.generalized_dice`. Classes of a few pixels dominate it. The keyword arguments are those
    of `kseg.losses.batch.BatchOptions`.

    Example:

    >>> loss = GeneralizedDice()
    >>> round(float(loss([[[0, 1]]], [[[[0.5], [1.0]]]])), 3)  # 1 - 2 · 1.5 / 4
    0.25
    """

    def __init__(self, **shared: Unpack[RegionArguments]) -> None:
        super().__init__("generalized_dice", {}, shared)


@register
class Jaccard(NamedLoss):
    """1 - soft Jaccard index: where IoU is the metric.

    Computes `kseg.losses.region.jaccard`. The keyword arguments are those of `kseg.losses.batch.BatchOptions`.

    Args:
        smooth: Pixels added to numerator and denominator, 0 … 1e6. Defaults to 1.

    Example:

    >>> loss = Jaccard(smooth=0)
    >>> round(float(loss([[[0, 1]]], [[[[0.5], [1.0]]]])), 3)  # 1 - 1 / 1.5
    0.333
    """

    def __init__(self, smooth: float = 1.0, **shared: Unpack[RegionArguments]) -> None:
        super().__init__("jaccard", {"smooth": smooth}, shared)


@register
class LogJaccard(NamedLoss):
    """-log of the soft Jaccard index: as `Jaccard`, with a strong gradient while the overlap is small.

    Computes `kseg.losses.region.log_jaccard`. The keyword arguments are those of `kseg.losses.batch.BatchOptions`.

    Args:
        smooth: Pixels added to numerator and denominator, 0.001 … 1e6. Defaults to 1.

    Example:

    >>> loss = LogJaccard(smooth=0.001)
    >>> round(float(loss([[[0, 1]]], [[[[0.5], [1.0]]]])), 3)  # log 1.501 - log 1.001
    0.405
    """

    def __init__(self, smooth: float = 1.0, **shared: Unpack[RegionArguments]) -> None:
        super().__init__("log_jaccard", {"smooth": smooth}, shared)


@register
class Tversky(NamedLoss):
    """Dice with weights of its own for false positives and false negatives.

    Computes `kseg.losses.region.tversky`. The keyword arguments are those of `kseg.losses.batch.BatchOptions`.

    Args:
        alpha: Weight of false positives, 0.01 … 10. Defaults to 0.3.
        beta: Weight of false negatives, 0.01 … 10. Above alpha, recall grows at the cost of precision. Defaults to 0.7.
        smooth: Pixels added to numerator and denominator, 0 … 1e6. Defaults to 1.

    Example:

    >>> loss = Tversky(smooth=0)
    >>> round(float(loss([[[0, 1]]], [[[[0.5], [1.0]]]])), 3)  # 1 - 1 / (1 + 0.3 · 0.5)
    0.13
    """

    def __init__(
        self, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0, **shared: Unpack[RegionArguments]
    ) -> None:
        super().__init__("tversky", {"alpha": alpha, "beta": beta, "smooth": smooth}, shared)


@register
class FocalTversky(NamedLoss):
    """A root of the Tversky loss: for small, hard objects, since classes of high loss gain weight.

    Computes `kseg.losses.region.focal_tversky`. The keyword arguments are those of `kseg.losses.batch.BatchOptions`.

    Args:
        alpha: Weight of false positives, 0.01 … 10. Defaults to 0.3.
        beta: Weight of false negatives, 0.01 … 10. Above alpha, recall grows at the cost of precision. Defaults to 0.7.
        gamma: The root that is taken, 0.25 … 4; 1 is `Tversky`. Defaults to 1.333.
        smooth: Pixels added to numerator and denominator, 0 … 1e6. Defaults to 1.

    Example:

    >>> loss = FocalTversky(gamma=2, smooth=0)
    >>> round(float(loss([[[0, 1]]], [[[[0.5], [1.0]]]])), 3)  # the square root of 0.13
    0.361
    """

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        gamma: float = 4 / 3,
        smooth: float = 1.0,
        **shared: Unpack[RegionArguments],
    ) -> None:
        arguments = {"alpha": alpha, "beta": beta, "gamma": gamma, "smooth": smooth}
        super().__init__("focal_tversky", arguments, shared)


@register
class Lovasz(NamedLoss):
    """The Lovász extension of the Jaccard loss: IoU itself, for fine-tuning or beside a cross-entropy.

    Computes `kseg.losses.lovasz.lovasz`. The keyword arguments are those of `kseg.losses.batch.BatchOptions`.

    Example:

    >>> loss = Lovasz()
    >>> round(float(loss([[[0, 1]]], [[[[0.5, 0.5], [0.0, 1.0]]]])), 3)  # the mean of ½ · 1 and ½ · ½
    0.375
    """

    def __init__(self, **shared: Unpack[RegionArguments]) -> None:
        super().__init__("lovasz", {}, shared)


@register
class Boundary(NamedLoss):
    """The distance of wrong pixels from the true boundary: to add to another loss, with a weight such as 10.

    Computes `kseg.losses.boundary.boundary`. The network must have images of one size. The keyword arguments are those
    of `kseg.losses.batch.BatchOptions`.

    Example:

    >>> loss = Boundary()
    >>> round(float(loss([[[0, 1]]], [[[[0.5], [1.0]]]])), 3)  # ½ pixel · ½ / 2 pixels / √5
    0.056
    """

    def __init__(self, **shared: Unpack[RegionArguments]) -> None:
        super().__init__("boundary", {}, shared)
