"""What a file holds, by its first bytes: for the message that it is not what its name says."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["describe_content"]

_SIGNATURES: Final = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file, as Keras wrote models (.h5) before version 3"),
    (b"PK\x03\x04", "a zip archive, as Keras files are"),
    (b"\x1f\x8b", "a gzip archive, which has to be unpacked first"),
    (b"\x80\x02", "a Python pickle, as PyTorch writes"),
    (b"version https://git-lfs", "a pointer of Git LFS (git lfs pull fetches the file itself)"),
    (b"<!doctype html", "a web page, such as a download page"),
    (b"<html", "a web page, such as a download page"),
    (b"<?xml", "XML, as OpenVINO networks are"),
)  # fmt: skip
_SHOWN: Final = 512


def describe_content(path: Path) -> str | None:
    """What the file holds, as ``a PNG image``; None if its first bytes say nothing."""
    try:
        with path.open("rb") as file:
            head = file.read(_SHOWN)
    except OSError:
        return None
    if head[4:8] == b"TFL3":
        return "a TFLite model"
    # Field 1 of an ONNX file is the version, and the next one the name of the program that wrote it.
    if head[:1] == b"\x08" and head[2:3] in (b"\x12", b"\x1a", b"\x3a"):
        return "an ONNX model"
    lowered = head.lstrip().lower()
    for signature, content in _SIGNATURES:
        if lowered.startswith(signature.lower()) or head.startswith(signature):
            return content
    if head and not head.strip(b"\0"):
        return "zeros"
    return "text" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last character may be cut off by the limit of what was read.
        if len(head) < _SHOWN or error.start < _SHOWN - 4:
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character.isspace() for character in text)
