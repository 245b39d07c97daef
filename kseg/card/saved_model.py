"""The card of a SavedModel: a file of its folder ``assets.extra``, which TensorFlow leaves to others."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kseg.card.limits import CARD_NAME, read_file
from kseg.files import make_folder, write_text

__all__ = ["GRAPH", "read", "write"]

GRAPH: Final = "saved_model.pb"
"""The file that makes a folder a SavedModel."""
_EXTRA: Final = "assets.extra"


def read(folder: Path) -> bytes | None:
    """The card's JSON; None for a SavedModel without one. Raises ValueError, OSError."""
    card = folder / _EXTRA / CARD_NAME
    return read_file(card) if card.is_file() else None


def write(folder: Path, text: str) -> None:
    """Replace or add the card. Raises OutputError."""
    write_text(make_folder(folder / _EXTRA) / CARD_NAME, text)
