"""The card of an ``.onnx`` file: an entry of ``metadata_props``, found without the package onnx.

An ONNX file is one protocol buffer, a ``ModelProto``: a sequence of fields, each a tag (number and wire type), mostly a
length, and the content. The network is one of these fields, and is skipped unread::

    ModelProto.metadata_props = 14, repeated: StringStringEntryProto { key = 1; value = 2 }
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from kseg.card.limits import CARD_NAME, check_size
from kseg.files import write_aside

__all__ = ["read", "write"]

_METADATA: Final = 14
_KEY: Final = 1
_VALUE: Final = 2
_MAX_FIELDS: Final = 100_000
"""Fields of a ModelProto itself; a network, however large, is one field."""
_MAX_PARTS: Final = 8
"""Fields of an entry: key and value."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class _Field:
    """A field of a protocol buffer: positions in the file of its tag, of its content, and behind it."""

    number: int
    start: int
    content: int
    end: int

    def bytes(self, file: BinaryIO) -> bytes:
        file.seek(self.content)
        return file.read(self.end - self.content)


def read(path: Path) -> bytes | None:
    """The card's JSON; None for an ONNX file without one. Raises ValueError, OSError."""
    card = None
    with path.open("rb") as file:
        for field in _fields(file, 0, path.stat().st_size):
            value = _card_value(file, field)
            if value is not None:
                check_size(value.end - value.content)
                card = value.bytes(file)
    return card


def write(path: Path, text: str) -> None:
    """Replace or add the card; all other fields stay as they are. Raises OutputError, ValueError."""
    with write_aside(path) as aside, path.open("rb") as file, aside.open("wb") as copy:
        for field in _fields(file, 0, path.stat().st_size):
            if _card_value(file, field) is None:
                _copy(file, field, copy)
        entry = _length_delimited(_KEY, CARD_NAME.encode()) + _length_delimited(_VALUE, text.encode("utf-8"))
        copy.write(_length_delimited(_METADATA, entry))


def _card_value(file: BinaryIO, field: _Field) -> _Field | None:
    """The value of an entry of metadata_props whose key is the card's; None for every other field."""
    if field.number != _METADATA:
        return None
    key, value = b"", None
    for part in _fields(file, field.content, field.end, limit=_MAX_PARTS):
        if part.number == _KEY:
            key = part.bytes(file) if part.end - part.content == len(CARD_NAME) else b""
        elif part.number == _VALUE:
            value = part
    return value if key == CARD_NAME.encode() else None


def _fields(file: BinaryIO, position: int, end: int, limit: int = _MAX_FIELDS) -> Iterator[_Field]:
    """The fields of a message that stands at ``position``; the caller may move in the file. Raises ValueError."""
    for _ in range(limit):
        if position == end:
            return
        file.seek(position)
        number, wire_type = divmod(_varint(file), 8)
        length = _content_length(file, wire_type)
        field = _Field(number, position, file.tell(), file.tell() + length)
        if number == 0 or field.end > end:
            raise ValueError("not a whole protocol buffer")
        yield field
        position = field.end
    raise ValueError("not a protocol buffer of a network: too many fields")


def _content_length(file: BinaryIO, wire_type: int) -> int:
    """The length of a field's content; the file then stands at its start."""
    if wire_type == _VARINT:
        start = file.tell()
        _varint(file)
        length = file.tell() - start
        file.seek(start)
        return length
    if wire_type == _BYTES:
        return _varint(file)
    if wire_type in (_FIXED64, _FIXED32):
        return 8 if wire_type == _FIXED64 else 4
    raise ValueError("not a protocol buffer")


def _varint(file: BinaryIO) -> int:
    """A number in base 128, the lowest digit first; the top bit of a byte says that another one follows."""
    number = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it ends within a field")
        number |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return number
    raise ValueError("not a protocol buffer")


def _length_delimited(number: int, content: bytes) -> bytes:
    digits, length = bytearray(), len(content)
    while length > 127:
        digits.append(length & 127 | 128)
        length >>= 7
    return bytes([number * 8 + _BYTES, *digits, length]) + content


def _copy(file: BinaryIO, field: _Field, copy: BinaryIO) -> None:
    file.seek(field.start)
    remaining = field.end - field.start
    while remaining and (chunk := file.read(min(remaining, 1 << 20))):
        copy.write(chunk)
        remaining -= len(chunk)
