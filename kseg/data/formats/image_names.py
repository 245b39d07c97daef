"""Paths of images as labelling tools write them → paths to look for in the data set."""

from __future__ import annotations

import posixpath
import re
from typing import Final
from urllib.parse import unquote

__all__ = ["readings"]

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/]*/([^?#]*).*")
_LOCAL_FILES: Final = re.compile(r".*/local-files/\?d=([^&#]*).*")
"""Label Studio's address of a file on its own disk."""


def readings(name: str) -> list[str]:
    """The relative paths that a path, or the address of an image, may stand for; the most literal one first.

    None of them leads out of the folder that it is relative to.

    >>> readings("../images/my%20cat.jpg")
    ['images/my%20cat.jpg', 'images/my cat.jpg']
    >>> readings("/data/local-files/?d=pets/cat.jpg")[-1], readings("s3://bucket/pets/cat.jpg")[-1]
    ('pets/cat.jpg', 'pets/cat.jpg')
    """
    slashed = name.strip().replace("\\", "/")
    matches = [pattern.fullmatch(slashed) for pattern in (_LOCAL_FILES, _ADDRESS)]
    plain = [slashed, *(match[1] for match in matches if match)]
    decoded = [unquote(path, errors="surrogateescape").replace("\\", "/") for path in plain]
    return [path for path in dict.fromkeys(map(_inside, plain + decoded)) if path]


def _inside(path: str) -> str:
    parts = posixpath.normpath(path).split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..") and not part.endswith(":"))
