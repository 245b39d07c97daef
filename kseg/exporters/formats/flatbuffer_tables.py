"""Tables of values as a flatbuffer, for schemas of which only a few tables are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import flatbuffers

__all__ = ["Byte", "Floats", "Int", "Table", "Value", "encode"]

_VECTOR_ALIGNMENT = 16


@dataclass(frozen=True)
class Byte:
    """A field of the type byte: an enumeration, or the kind of a union."""

    value: int


@dataclass(frozen=True)
class Int:
    """A field of the type int or uint, 0 or more."""

    value: int


@dataclass(frozen=True)
class Floats:
    """A vector of floats."""

    values: tuple[float, ...]


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        fields: The number of a field in its schema, from 0, where a union counts as two → its value.
    """

    fields: Mapping[int, Value]


Value = str | bytes | Byte | Int | Floats | Table | Sequence[Table]
"""A string, a vector of bytes (which is aligned to 16 bytes), scalars, a vector of floats, a table or several."""


def encode(root: Table, identifier: bytes) -> bytes:
    """The flatbuffer of a table.

    Args:
        root: The root table.
        identifier: The file identifier of the schema, of 4 bytes.
    """
    builder = flatbuffers.Builder(1024)
    builder.Finish(_table(builder, root), identifier)
    return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, table: Table) -> int:
    # A flatbuffer is written from its end, so that everything comes before what refers to it.
    offsets = {
        number: _offset(builder, value) for number, value in table.fields.items() if not isinstance(value, (Byte, Int))
    }
    builder.StartObject(max(table.fields, default=-1) + 1)
    for number, value in table.fields.items():
        if isinstance(value, Byte):
            builder.PrependInt8Slot(number, value.value, 0)
        elif isinstance(value, Int):
            builder.PrependInt32Slot(number, value.value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(number, offsets[number], 0)
    return int(builder.EndObject())


def _offset(builder: flatbuffers.Builder, value: str | bytes | Floats | Table | Sequence[Table]) -> int:
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, Table):
        return _table(builder, value)
    if isinstance(value, bytes):
        return _bytes(builder, value)
    if isinstance(value, Floats):
        builder.StartVector(4, len(value.values), 4)
        for number in reversed(value.values):
            builder.PrependFloat32(number)
        return int(builder.EndVector())
    offsets = [_table(builder, table) for table in value]
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _bytes(builder: flatbuffers.Builder, data: bytes) -> int:
    builder.StartVector(1, len(data), _VECTOR_ALIGNMENT)
    for byte in reversed(data):
        builder.PrependByte(byte)
    return int(builder.EndVector())
