"""Images that are only inside LabelMe's files (``imageData``), extracted to kseg's cache folder (see `kseg.files`)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path
from typing import Final

from kseg.data.formats.document import fail, item, mapping, read_json, shown
from kseg.files import cache_folder, make_folder, write_bytes
from kseg.images import printable

__all__ = ["extract"]

_SUFFIXES: Final = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"BM": ".bmp", b"II*\0": ".tif", b"MM\0*": ".tif"}
"""The first bytes of an image → its suffix."""


def extract(path: Path) -> Path:
    """Extract the image of a LabelMe file, as it is encoded there, unless that has been done before.

    Args:
        path: The JSON file.

    Raises:
        DataError: Its ``imageData`` is no image.
        OutputError: The cache folder cannot be written.
    """
    text = item(mapping(read_json(path), path), "imageData")
    try:
        data = base64.b64decode(text) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        data = b""
    suffix = next((suffix for start, suffix in _SUFFIXES.items() if data.startswith(start)), None)
    if suffix is None:
        fail(path, "imageData", expected="an image (JPEG, PNG, BMP, TIFF) in base64", found=shown(text))
    # Two files with the same image are two samples.
    digest = hashlib.sha256(os.fsencode(path) + b"\0" + data).hexdigest()
    folder = cache_folder() / "labelme" / digest[:32]
    image = folder / f"{printable(path.stem)}{suffix}"
    if not image.is_file():
        make_folder(folder)
        write_bytes(image, data)
    return image
