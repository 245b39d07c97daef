"""The name and the largest size of a card, and reading no more than that."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Final

__all__ = ["CARD_NAME", "MAX_CARD_BYTES", "check_size", "read_bounded", "read_file"]

CARD_NAME: Final = "kseg_card.json"
MAX_CARD_BYTES: Final = 4 * 1024 * 1024
"""Larger texts are refused before they are read or decompressed; kseg's own cards have some kilobytes."""


def check_size(size: int) -> None:
    """Raise ValueError if a card of this many bytes is too large."""
    if size > MAX_CARD_BYTES:
        raise ValueError(f"a model card of {size} bytes; at most {MAX_CARD_BYTES} are read")


def read_bounded(file: IO[bytes]) -> bytes:
    """The rest of an open file, if it is small enough for a card. Raises ValueError."""
    data = file.read(MAX_CARD_BYTES + 1)
    check_size(len(data))
    return data


def read_file(path: Path) -> bytes:
    """The content of a file, if it is small enough for a card. Raises ValueError, OSError."""
    with path.open("rb") as file:
        return read_bounded(file)
