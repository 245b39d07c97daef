"""Look a name up in a plain, visible table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from kseg.errors import UnknownNameError

T = TypeVar("T")

__all__ = ["lookup", "nearest"]


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The valid name that is most like ``name``, or None if none is near."""
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def lookup(table: Mapping[str, T], name: str, *, kind: str, where: str | None = None) -> T:
    """Return ``table[name]``.

    Args:
        table: The names and what they stand for.
        name: The name that the user gave.
        kind: What the table holds, singular, for the message ("encoder").
        where: The key or flag that the name came from.

    Raises:
        UnknownNameError: ``name`` is not in the table; the message names the nearest one.
    """
    if name in table:
        return table[name]
    near = nearest(name, table)
    raise UnknownNameError(
        f"unknown {kind} {name!r}",
        where=where,
        expected=f"one of {', '.join(sorted(table))}",
        remedy=f"did you mean {near!r}?" if near else None,
    )
