"""`Question`: what a data set does not decide, with the setting that is guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Question"]


@dataclass(frozen=True)
class Question:
    """A decision that more than one reading of the files allows.

    Args:
        what: What is to be decided, as a sentence without a full stop.
        why: What speaks for the guess, and what against it.
        guess: The settings guessed: dotted key → value.
        otherwise: What to set where the guess is wrong.
    """

    what: str
    why: str
    guess: Mapping[str, Any]
    otherwise: str | None = None
