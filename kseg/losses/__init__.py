"""Losses for ``model.compile``, on probabilities or logits, that add up: ``Dice() + 0.5 * CategoricalFocal()``.

Functions first, Keras classes as thin wrappers around them. ``keras.ops`` only, float32::

    expression     the table LOSSES of names and arguments; parse_loss. Loads no Keras
    batch          y_true and y_pred, prepared once for all terms: Batch, prepare, and the shared arguments
    pixel          cross_entropy, bce, focal     a mean over pixels
    region         dice, jaccard, tversky, …     a mean over the classes of the batch
    lovasz         lovasz                        the same, by sorting
    boundary       boundary                      by distances to the true boundaries
    functions      FUNCTIONS: the functions by name
    base           sums: + and *
    keras_losses   Dice, Tversky, …: a class each
    loss           SegmentationLoss, of an expression and logits: what kseg trains with

The classes are imported, and Keras with them, when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kseg.lazy import lazy

if TYPE_CHECKING:
    from kseg.losses.expression import LOSSES, parse_loss
    from kseg.losses.keras_losses import (
        BinaryCrossentropy,
        BinaryFocal,
        Boundary,
        CategoricalCrossentropy,
        CategoricalFocal,
        Dice,
        FocalTversky,
        GeneralizedDice,
        Jaccard,
        LogJaccard,
        Lovasz,
        Tversky,
    )

__all__ = [
    "LOSSES", "BinaryCrossentropy", "BinaryFocal", "Boundary", "CategoricalCrossentropy", "CategoricalFocal", "Dice",
    "FocalTversky", "GeneralizedDice", "Jaccard", "LogJaccard", "Lovasz", "Tversky", "parse_loss",
]  # fmt: skip

__getattr__, __dir__ = lazy(
    __name__,
    {
        "LOSSES": "kseg.losses.expression",
        "BinaryCrossentropy": "kseg.losses.keras_losses",
        "BinaryFocal": "kseg.losses.keras_losses",
        "Boundary": "kseg.losses.keras_losses",
        "CategoricalCrossentropy": "kseg.losses.keras_losses",
        "CategoricalFocal": "kseg.losses.keras_losses",
        "Dice": "kseg.losses.keras_losses",
        "FocalTversky": "kseg.losses.keras_losses",
        "GeneralizedDice": "kseg.losses.keras_losses",
        "Jaccard": "kseg.losses.keras_losses",
        "LogJaccard": "kseg.losses.keras_losses",
        "Lovasz": "kseg.losses.keras_losses",
        "Tversky": "kseg.losses.keras_losses",
        "parse_loss": "kseg.losses.expression",
    },
)
