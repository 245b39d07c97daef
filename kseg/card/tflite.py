"""The card of a ``.tflite`` file: a member of the zip archive behind the flatbuffer.

There TFLite keeps *associated files*, such as labels.txt; interpreters do not look at them.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

from kseg.card.limits import CARD_NAME, MAX_CARD_BYTES
from kseg.card.zip_members import read_member, replace_member

__all__ = ["read", "write"]

_IDENTIFIER: Final = b"TFL3"


def read(path: Path) -> bytes | None:
    """The card's JSON; None for a flatbuffer without one. Raises ValueError, OSError."""
    with path.open("rb") as file:
        if file.read(8)[4:] != _IDENTIFIER:
            raise ValueError("no TFLite identifier at its start")
        if zipfile.is_zipfile(file):
            return read_member(path, CARD_NAME)
        file.seek(max(0, path.stat().st_size - MAX_CARD_BYTES))
        if CARD_NAME.encode() in file.read():
            raise ValueError("the archive behind the network, with the card, is cut off")
    return None


def write(path: Path, text: str) -> None:
    """Replace or add the card; the flatbuffer and the other associated files stay. Raises OutputError, ValueError."""
    replace_member(path, CARD_NAME, text.encode("utf-8"))
