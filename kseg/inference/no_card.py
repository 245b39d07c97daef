"""Models without a card: the caller says what they take and return, and it is checked where it can be.

A card says that a network takes RGB images with the raw values 0..255, and returns scores in 0..1. Of the size and the
number of classes, the tensors of the network tell, and the runtimes compare them. That values are scores, and not
logits, shows only when the network runs, so that is checked at each call. What cannot be checked is logged: the order
of the channels and the range of the input.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from kseg.card import CardContradiction, ModelCard, find_card, read_card
from kseg.errors import ArtifactError, ConfigError, UsageError
from kseg.images import printable
from kseg.labels import LabelMap
from kseg.sizes import Size, format_size

if TYPE_CHECKING:
    from kseg.inference.predictor import Run

__all__ = ["card_of", "check_scores", "misfit"]

_log = logging.getLogger("kseg")

_MAX_SIDE: Final = 16384
_TOLERANCE: Final = 1e-3
"""How far rounding may carry scores out of 0..1."""


def card_of(model: Path, size: Size | None, classes: Sequence[str] | None) -> ModelCard:
    """The card in the file, or, of a model without one, the card that the caller's words make.

    Args:
        model: The model's file or folder.
        size: Height and width of the network's input in pixels, of a model without a card.
        classes: Its classes, in the order of its channels; background and one class are one channel, of the latter.

    Raises:
        ArtifactError: There is no such model, it is damaged, or it has no card and nothing is said of it.
        UsageError: Something is said of a model with a card, only half is said, or it is wrong in itself.
    """
    if size is None and classes is None:
        return read_card(model)
    card = find_card(model)
    if card is not None:
        raise UsageError(
            "the model has a card, which says what it takes and returns", where=_flags(size, classes),
            found=f"{format_size((card.height, card.width))} and {', '.join(card.labels.names)} in {model}",
            remedy="leave --size and --classes out",
        )  # fmt: skip
    declared = _declared(model, size, classes)
    _log.warning(
        "%s has no kseg card: assumed that it takes RGB images of %s with values 0..255 and returns scores in 0..1 of "
        "%s; masks hold %s", printable(model), format_size((declared.height, declared.width)), _channels(declared),
        ", ".join(f"{value} ({name})" for value, name in declared.labels.values.items()),
    )  # fmt: skip
    return declared


def _flags(size: Size | None, classes: Sequence[str] | None) -> str:
    return " and ".join(flag for flag, value in (("--size", size), ("--classes", classes)) if value is not None)


def _declared(model: Path, size: Size | None, classes: Sequence[str] | None) -> ModelCard:
    if size is None:
        raise UsageError("the size is missing", where=str(model), remedy="add --size HEIGHT WIDTH")
    if classes is None:
        raise UsageError("the classes are missing", where=str(model), remedy="add --classes background,NAME")
    if len(size) != 2 or not all(1 <= side <= _MAX_SIDE for side in size):
        raise UsageError(
            "not a size", where="--size", expected=f"height and width in 1..{_MAX_SIDE} pixels",
            found=" ".join(map(str, size)),
        )  # fmt: skip
    return ModelCard(model.stem, "unknown", size[0], size[1], _labels(classes))


def _labels(classes: Sequence[str]) -> LabelMap:
    try:
        return LabelMap(tuple(classes))
    except ConfigError as error:
        raise UsageError(
            error.what, where="--classes", found=error.found or ",".join(classes),
            expected="two or more different names, in the order of the scores, the background first if there is one",
        ) from error  # fmt: skip


def _channels(card: ModelCard) -> str:
    names = card.labels.names
    if card.channels == 1:
        return f"{names[1]}, in one channel (threshold {card.threshold:g} where --threshold says no other)"
    return f"{', '.join(names)}, in this order"


def misfit(error: CardContradiction, card: ModelCard) -> UsageError:
    """The error of a network that is not as the caller said."""
    pair = f"; two scores a pixel, of which the higher wins, are --classes other,{card.labels.names[1]}"
    return UsageError(
        "the model does not fit --size and --classes", where=error.where, expected=error.expected, found=error.found,
        remedy="take the size and the number of classes of the network" + (pair if card.channels == 1 else ""),
    )  # fmt: skip


def check_scores(run: Run, model: Path) -> Run:
    """The network, which raises ArtifactError if it returns values that are no scores in 0..1."""

    def checked(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        scores = run(images)
        low, high = float(scores.min()), float(scores.max())
        if low < -_TOLERANCE or high > 1 + _TOLERANCE:
            raise ArtifactError(
                "the model returns no scores", where=str(model), expected="values in 0..1",
                found=f"values in {low:.4g}..{high:.4g}, as logits are",
                remedy="export it with a sigmoid or softmax at its end",
            )  # fmt: skip
        return scores

    return checked
