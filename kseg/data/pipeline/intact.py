"""Whether a file is intact, so that TensorFlow decodes it to the pixels that `kseg.images` reads.

TensorFlow refuses files that Pillow reads in spite of their damage: a JPEG without its end marker, a PNG with a wrong
checksum. These functions find such damage without decoding the image: they follow a JPEG's markers, and a PNG's chunks
and its compressed data. Of files that they call intact, both readers make the same.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final

__all__ = ["is_intact_gray_png", "is_intact_jpeg"]

_SEGMENT: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE})
"""JPEG markers of the segments that precede scans: frame, tables, scan, restart interval, application, comment."""
_SCAN: Final = 0xDA
_END: Final = 0xD9
_MARKER_IN_SCAN: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""The marker that ends a scan: not a stuffed byte, not a fill byte, not a restart marker."""

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GRAY_8_BITS: Final = b"\x08\x00\x00\x00\x00"
"""A PNG's bit depth 8, colour type 0 (grey), and its only compression, filter method and plain order of rows."""
_LAST_FILTER: Final = 4


def is_intact_jpeg(content: bytes) -> bool:
    """Whether a JPEG file's segments follow one another up to the end marker; what follows that does not count."""
    if not content.startswith(b"\xff\xd8"):
        return False
    position = 2
    while content[position : position + 1] == b"\xff":
        marker = content[position + 1] if position + 1 < len(content) else None
        if marker == _END:
            return True
        if marker not in _SEGMENT or position + 4 > len(content):
            return False
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
        if marker == _SCAN:
            end = _MARKER_IN_SCAN.search(content, position)
            if end is None:
                return False
            position = end.start()
    return False


def is_intact_gray_png(content: bytes) -> bool:
    """Whether a file is a grey PNG of 8 bits, not interlaced, with right checksums and all of its pixels."""
    header, last_kind = b"", b""
    pixels: list[bytes] = []
    for kind, data in _chunks(content):
        if kind == b"IHDR" and not last_kind:
            header = data
        elif kind == b"IDAT" and (not pixels or last_kind == b"IDAT"):
            pixels.append(data)
        elif kind == b"IEND":
            return _is_complete(header, b"".join(pixels))
        elif kind[:1].isupper():
            return False  # a second header, a palette, pixels in two places
        last_kind = kind
    return False


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind and the data of each chunk of a PNG, up to the first that is damaged."""
    position = len(_PNG_SIGNATURE) if content.startswith(_PNG_SIGNATURE) else len(content)
    while position + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        end = position + 8 + length
        checksum = content[end : end + 4]
        if zlib.crc32(memoryview(content)[position + 4 : end]).to_bytes(4, "big") != checksum:
            return
        yield content[position + 4 : position + 8], content[position + 8 : end]
        position = end + 4


def _is_complete(header: bytes, compressed: bytes) -> bool:
    """Whether the compressed pixels are those of the header's size, with valid row filters and a right checksum."""
    if len(header) != 13 or header[8:] != _GRAY_8_BITS:
        return False
    width, height = struct.unpack_from(">II", header)
    stream = zlib.decompressobj()
    try:
        rows = stream.decompress(compressed, height * (width + 1) + 1)
    except zlib.error:
        return False
    filters = rows[:: width + 1]
    return stream.eof and not stream.unused_data and len(rows) == height * (width + 1) and max(filters) <= _LAST_FILTER
