"""Look a name up in a table, and suggest the closest valid name where it is not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from kseg.errors import UnknownNameError

T = TypeVar("T")

__all__ = ["lookup", "nearest"]


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The valid name closest to ``name``, ignoring case; None if none is similar."""
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def lookup(table: Mapping[str, T], name: str, *, kind: str, where: str | None = None) -> T:
    """Return ``table[name]``.

    Args:
        table: Name → value.
        name: The name that the user gave.
        kind: What the table holds, singular, for the message ("encoder").
        where: The key or flag that the name came from.

    Raises:
        UnknownNameError: ``name`` is not in the table; the message suggests the closest one.
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
