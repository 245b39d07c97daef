"""``bce + 0.5 * focal_tversky(gamma=2)``: a sum of losses as text, and the table of what may stand in it.

A term is ``[weight *] name [(argument=number, …)]``. Weights are positive numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from kseg.errors import ConfigError
from kseg.registry import lookup

__all__ = ["LOSSES", "Argument", "LossExpression", "Term", "parse_loss"]


@dataclass(frozen=True)
class Argument:
    """What one argument of a loss may be.

    Args:
        default: Its value where none is given.
        low: The least value.
        high: The greatest.
        text: What it means.
    """

    default: float
    low: float
    high: float
    text: str

    @property
    def expected(self) -> str:
        """What a value should be, for messages."""
        return f"a number from {self.low:g} to {self.high:g}"

    def fits(self, value: float) -> bool:
        """Whether it may be ``value``; never true of NaN."""
        return self.low <= value <= self.high


_SMOOTHING: Final = Argument(0.0, 0.0, 0.9, "The share of the truth that is spread evenly over the classes.")
_SMOOTH: Final = Argument(1.0, 0.0, 1e6, "Pixels added to numerator and denominator: tames classes of few pixels.")
_FALSE_POSITIVE: Final = Argument(0.3, 0.01, 10.0, "What a pixel found in vain counts.")
_FALSE_NEGATIVE: Final = Argument(0.7, 0.01, 10.0, "What a missed pixel counts.")

LOSSES: Final[dict[str, dict[str, Argument]]] = {
    "cross_entropy": {"smoothing": _SMOOTHING},
    "bce": {"smoothing": _SMOOTHING},
    "focal": {"gamma": Argument(2.0, 0.0, 10.0, "How much easy pixels lose; 0 is cross-entropy.")},
    "dice": {"smooth": _SMOOTH},
    "generalized_dice": {},
    "jaccard": {"smooth": _SMOOTH},
    # The logarithm of 0 is what `smooth` keeps away.
    "log_jaccard": {"smooth": Argument(1.0, 1e-3, 1e6, _SMOOTH.text)},
    "tversky": {"alpha": _FALSE_POSITIVE, "beta": _FALSE_NEGATIVE, "smooth": _SMOOTH},
    "focal_tversky": {
        "alpha": _FALSE_POSITIVE,
        "beta": _FALSE_NEGATIVE,
        "gamma": Argument(4 / 3, 0.25, 4.0, "The root that is taken; above 1 badly found classes count more."),
        "smooth": _SMOOTH,
    },
    "lovasz": {},
    "boundary": {},
}
"""All losses with their arguments. `kseg.losses.loss.FUNCTIONS` computes them; a test keeps the two equal."""

_NUMBER: Final = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_TERM: Final = re.compile(
    rf"\s*(?:(?P<weight>{_NUMBER})\s*\*\s*)?(?P<name>[A-Za-z_]\w*)\s*(?:\((?P<arguments>[^()]*)\)\s*)?", re.ASCII
)
_ARGUMENT: Final = re.compile(r"\s*(?P<key>[A-Za-z_]\w*)\s*=\s*(?P<value>.*?)\s*", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class Term:
    """One addend: a weight, the name of a loss, and the arguments that differ from its defaults."""

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
    """
    return LossExpression(text, tuple(_term(match, text) for match in _split(text)))


def _split(text: str) -> Iterator[re.Match[str]]:
    """The terms between the plus signs; a plus inside a number is none."""
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
    known = lookup(LOSSES, name, kind="loss", where="train.loss")
    # `dice()` is `dice`.
    parts = match["arguments"].split(",") if (match["arguments"] or "").strip() else []
    arguments: dict[str, float] = {}
    for part in parts:
        key, value = _argument(part, name, known)
        if key in arguments:
            raise ConfigError(f"{key} of {name} is given twice", where="train.loss", found=repr(text))
        arguments[key] = value
    return Term(weight, name, arguments)


def _argument(part: str, name: str, known: Mapping[str, Argument]) -> tuple[str, float]:
    if not known:
        raise ConfigError(
            f"{name} takes no arguments", where="train.loss", expected=repr(name), found=repr(f"{name}({part.strip()})")
        )
    match = _ARGUMENT.fullmatch(part)
    if match is None:
        raise ConfigError(
            f"not an argument of {name}", where="train.loss",
            expected=" or ".join(f"{key}=NUMBER" for key in known), found=repr(part.strip()),
        )  # fmt: skip
    argument = lookup(known, match["key"], kind=f"argument of {name}", where="train.loss")
    try:
        value = float(match["value"])
    except ValueError:
        value = math.nan
    if not argument.fits(value):
        raise ConfigError(
            f"wrong {match['key']} of {name}", where="train.loss", expected=argument.expected,
            found=repr(match["value"]),
        )  # fmt: skip
    return match["key"], value


def _no_loss(text: str) -> ConfigError:
    return ConfigError(
        "not a loss", where="train.loss",
        expected="a sum such as 'cross_entropy + 0.5 * dice' or 'bce + focal_tversky(gamma=2)'", found=repr(text),
    )  # fmt: skip
