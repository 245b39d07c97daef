"""The card of a ``.keras`` file: a member of the zip archive that Keras writes; Keras ignores it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kseg.card.limits import CARD_NAME
from kseg.card.zip_members import member_names, read_member, replace_member

__all__ = ["read", "write"]

_CONFIG: Final = "config.json"


def read(path: Path) -> bytes | None:
    """The card's JSON; None for a Keras file without one. Raises ValueError, OSError."""
    card = read_member(path, CARD_NAME)
    if card is None and _CONFIG not in (names := member_names(path)):
        raise ValueError(f"a zip archive without {_CONFIG}" + (f", with {', '.join(names[:3])}" if names else ""))
    return card


def write(path: Path, text: str) -> None:
    """Replace or add the card. Raises OutputError, ValueError."""
    replace_member(path, CARD_NAME, text.encode("utf-8"))
