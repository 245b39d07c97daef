"""One reader a file, each from a published format to samples; `READERS` is the table of them."""

from __future__ import annotations

from typing import Final

from kseg.data.readers import folders
from kseg.data.readers.base import Crowds, Listing, Reader, Source, Unpaired

__all__ = ["READERS", "Crowds", "Listing", "Reader", "Source", "Unpaired"]

READERS: Final[dict[str, Reader]] = {
    "folders": folders.read,
}
