"""``bce + 0.5 * focal_tversky(gamma=2)``: a sum of losses as text, and the table of what may stand in it.

A term is ``[weight *] name [(argument=number, …)]``. Weights are positive numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kseg.errors import ConfigError
from kseg.registry import lookup

__all__ = ["LOSSES", "Argument", "LossExpression", "Term", "parse_loss"]


@dataclass(frozen=True)
class Argument:
    """Default and range of one argument of a loss.

    Args:
        default: The value that the loss uses by default.
        low: The least value.
        high: The greatest.
    """

    default: float
    low: float
    high: float

    def read(self, value: Any, name: str, *, where: str | None = None) -> float:
        """A value as a float.

        Args:
            value: A number, or its text.
            name: What the message calls the argument, e.g. "gamma of focal".
            where: The key that it came from.

        Raises:
            ConfigError: It is no number or out of its range.
        """
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not self.low <= number <= self.high:  # nor is NaN
            raise ConfigError(
                f"wrong {name}", where=where, expected=f"a number from {self.low:g} to {self.high:g}",
                found=repr(value),
            )  # fmt: skip
        return number


_SMOOTHING: Final = Argument(0.0, 0.0, 0.9)
_SMOOTH: Final = Argument(1.0, 0.0, 1e6)
_ALPHA: Final = Argument(0.3, 0.01, 10.0)
_BETA: Final = Argument(0.7, 0.01, 10.0)

LOSSES: Final[dict[str, dict[str, Argument]]] = {
    "cross_entropy": {"smoothing": _SMOOTHING},
    "bce": {"smoothing": _SMOOTHING},
    "focal": {"gamma": Argument(2.0, 0.0, 10.0)},
    "dice": {"smooth": _SMOOTH},
    "generalized_dice": {},
    "jaccard": {"smooth": _SMOOTH},
    # Without any smoothing it would be the logarithm of 0 where nothing overlaps.
    "log_jaccard": {"smooth": Argument(1.0, 1e-3, 1e6)},
    "tversky": {"alpha": _ALPHA, "beta": _BETA, "smooth": _SMOOTH},
    "focal_tversky": {"alpha": _ALPHA, "beta": _BETA, "gamma": Argument(4 / 3, 0.25, 4.0), "smooth": _SMOOTH},
    "lovasz": {},
    "boundary": {},
}
"""All losses with their arguments. `kseg.losses.functions.FUNCTIONS` computes them; a test keeps the two equal."""

_NUMBER: Final = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_TERM: Final = re.compile(
    rf"\s*(?:(?P<weight>{_NUMBER})\s*\*\s*)?(?P<name>[A-Za-z_]\w*)\s*(?:\((?P<arguments>[^()]*)\)\s*)?", re.ASCII
)
_ARGUMENT: Final = re.compile(r"\s*(?P<key>[A-Za-z_]\w*)\s*=\s*(?P<value>.*?)\s*", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class Term:
    """One addend of a sum of losses.

    Args:
        weight: What its value is multiplied by, > 0.
        name: The key of the loss in `LOSSES`.
        arguments: Those that the text gives.
    """

    weight: float
    name: str
    arguments: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LossExpression:
    """A sum of losses.

    Args:
        text: As it was written.
        terms: Its addends.
    """

    text: str
    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return self.text


def parse_loss(text: str) -> LossExpression:
    """Read a sum of losses.

    Raises:
        ConfigError: It is no such sum, a weight is not positive, or an argument is no number or out of its range.
        UnknownNameError: A loss or an argument is not in `LOSSES`.

    Example:

    >>> parse_loss("bce + 0.5 * focal(gamma=1)").terms[1]
    Term(weight=0.5, name='focal', arguments={'gamma': 1.0})
    """
    return LossExpression(text, tuple(_term(match, text) for match in _split(text)))


def _split(text: str) -> Iterator[re.Match[str]]:
    """The terms between the plus signs, of which those inside numbers (``1e+3``) are none."""
    start = 0
    while True:
        match = _TERM.match(text, start)
        if match is None or text[match.end() : match.end() + 1] not in ("", "+"):
            raise _no_loss(text)
        yield match
        if match.end() == len(text):
            return
        start = match.end() + 1


def _term(match: re.Match[str], text: str) -> Term:
    weight = float(match["weight"] or 1.0)
    if weight == 0.0 or math.isinf(weight):
        raise _no_loss(text)
    name = match["name"]
    table = lookup(LOSSES, name, kind="loss", where="train.loss")
    # `dice()` is `dice`.
    parts = match["arguments"].split(",") if (match["arguments"] or "").strip() else []
    arguments: dict[str, float] = {}
    for part in parts:
        key, value = _argument(part, name, table)
        if key in arguments:
            raise ConfigError(f"{key} of {name} is given twice", where="train.loss", found=repr(text))
        arguments[key] = value
    return Term(weight, name, arguments)


def _argument(part: str, name: str, table: Mapping[str, Argument]) -> tuple[str, float]:
    if not table:
        raise ConfigError(
            f"{name} takes no arguments", where="train.loss", expected=repr(name), found=repr(f"{name}({part.strip()})")
        )
    match = _ARGUMENT.fullmatch(part)
    if match is None:
        raise ConfigError(
            f"not an argument of {name}", where="train.loss",
            expected=" or ".join(f"{key}=NUMBER" for key in table), found=repr(part.strip()),
        )  # fmt: skip
    key = match["key"]
    argument = lookup(table, key, kind=f"argument of {name}", where="train.loss")
    return key, argument.read(match["value"], f"{key} of {name}", where="train.loss")


def _no_loss(text: str) -> ConfigError:
    return ConfigError(
        "not a loss", where="train.loss",
        expected="a sum such as 'cross_entropy + 0.5 * dice' or 'bce + focal_tversky(gamma=2)'", found=repr(text),
    )  # fmt: skip
