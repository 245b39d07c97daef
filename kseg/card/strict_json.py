"""JSON of strangers: parsed with limits, and without the liberties that Python's parser takes."""

from __future__ import annotations

import json
from typing import Any, Final

from kseg.card.limits import check_size

__all__ = ["parse_object"]

_MAX_DEPTH: Final = 32


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        ValueError: The text is too large, not UTF-8, no JSON object, or nested too deeply; it repeats a key, or holds
            NaN, an infinity, half of a surrogate pair or a number of thousands of digits.
    """
    check_size(len(text))
    try:
        data = json.loads(
            text.decode("utf-8") if isinstance(text, bytes) else text,
            object_pairs_hook=_object, parse_constant=_refuse, parse_float=_finite,
        )  # fmt: skip
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
    if not isinstance(data, dict):
        raise ValueError(f"JSON of a {type(data).__name__} instead of an object")
    _check(data, _MAX_DEPTH)
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in data if keys.count(key) > 1)
        raise ValueError(f"the key {repeated[:40]!r} twice")
    return data


def _refuse(constant: str) -> Any:
    raise ValueError(f"the number {constant}")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:40]}")
    return number


def _check(value: Any, levels: int) -> None:
    """Raise ValueError for nesting of more than ``levels``, and for text that cannot be written as UTF-8."""
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, (dict, list)):
        if not levels:
            raise ValueError("JSON that is nested too deeply")
        for child in value:
            _check(child, levels - 1)
        for child in value.values() if isinstance(value, dict) else ():
            _check(child, levels - 1)
