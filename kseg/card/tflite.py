"""The card of a ``.tflite`` file: a member of the zip archive behind the flatbuffer.

There TFLite keeps *associated files*, such as labels.txt; interpreters do not look at them.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

from kseg.card.limits import CARD_NAME
from kseg.card.zip_members import read_member, replace_member

__all__ = ["read", "write"]

_IDENTIFIER: Final = b"TFL3"


def read(path: Path) -> bytes | None:
    """The card's JSON; None for a flatbuffer without one. Raises ValueError, OSError."""
    with path.open("rb") as file:
        if file.read(8)[4:] != _IDENTIFIER:
            raise ValueError("no TFLite identifier at its start")
    return read_member(path, CARD_NAME) if zipfile.is_zipfile(path) else None


def write(path: Path, text: str) -> None:
    """Replace or add the card; the flatbuffer and the other associated files stay. Raises OutputError, ValueError."""
    replace_member(path, CARD_NAME, text.encode("utf-8"))
