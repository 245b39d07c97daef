"""``cross_entropy + 0.5 * dice``: a sum of losses as text."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kseg.errors import ConfigError
from kseg.registry import lookup

__all__ = ["LOSS_NAMES", "Term", "parse_loss"]

LOSS_NAMES: Final = ("cross_entropy", "dice")
"""What `kseg.losses.functions.FUNCTIONS` holds; a test keeps the two equal."""

_TERM: Final = re.compile(r"\s*(?:(?P<weight>\d+\.?\d*|\.\d+)\s*\*\s*)?(?P<name>[A-Za-z_]\w*)\s*")


class Term(NamedTuple):
    """One addend: a weight and the name of a loss."""

    weight: float
    name: str


def parse_loss(text: str) -> tuple[Term, ...]:
    """Read a sum of losses.

    Raises:
        ConfigError: It is no such sum, or a weight is not positive.
        UnknownNameError: A name is not in `LOSS_NAMES`.
    """
    return tuple(_term(part, text) for part in text.split("+"))


def _term(part: str, text: str) -> Term:
    match = _TERM.fullmatch(part)
    weight = float(match["weight"] or 1.0) if match else 0.0
    if match is None or weight == 0.0:
        raise ConfigError(
            "not a loss", where="train.loss", expected="a sum such as 'cross_entropy + 0.5 * dice'",
            found=repr(text),
        )  # fmt: skip
    lookup(dict.fromkeys(LOSS_NAMES, True), match["name"], kind="loss", where="train.loss")
    return Term(weight, match["name"])
