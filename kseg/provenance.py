"""Who wrote a file, and from which input. Only a file that the same command wrote for the same input is replaced.

The mark is in the file itself, wherever that is moved or copied to:

::

    PNG     a text chunk, the first chunk after the header
    JPEG    a comment, after the JFIF header
    NPZ     the comment of the ZIP archive
    JSON    "made_by", the last key
    SVG     a comment at the end
    YAML    a comment at the end, if the file begins with "# Written by kseg"

It names the command, the inputs relative to the file's folder (photographs and masks may move together), and the CRC-32
of the rest of the file: what was changed since, such as a mask corrected by hand, is no longer kseg's to replace.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from kseg.errors import OutputError, abbreviate
from kseg.files import write_bytes
from kseg.images import printable

__all__ = ["Origin", "display_path", "is_marked", "mark_file", "origin_of", "require_replaceable", "write_marked"]

_KEY: Final = b"kseg-made-by"
_HEAD: Final = 64
"""A marked PNG or JPEG has the key in its first 64 bytes."""


@dataclass(frozen=True)
class Origin:
    """Who wrote a file, and from which input.

    Args:
        command: The command: ``kseg predict``.
        inputs: The pictures, models or data that the file was made from: absolute paths, symbolic links resolved.
    """

    command: str
    inputs: tuple[Path, ...]

    @classmethod
    def of(cls, command: str, *inputs: str | os.PathLike[str]) -> Origin:
        """The origin of a file that this command makes from these inputs, each counted once."""
        return cls(command, tuple(dict.fromkeys(Path(os.path.realpath(path)) for path in inputs)))


def write_marked(path: Path, data: bytes, origin: Origin) -> None:
    """Write a PNG, JPEG, NPZ, JSON, SVG or YAML file with its mark, atomically. Raises OutputError."""
    write_bytes(path, _marked(data, path, origin))


def mark_file(path: Path, origin: Origin) -> None:
    """Mark a file that was just written; a file of another format than `write_marked` takes stays as it is."""
    data = path.read_bytes()
    if _format_of(data):
        write_marked(path, data, origin)


def is_marked(path: str | os.PathLike[str]) -> bool:
    """Whether kseg wrote this PNG or JPEG file, by its first bytes; False if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return _KEY in file.read(_HEAD)
    except OSError:
        return False


def origin_of(path: Path) -> Origin | None:
    """Who wrote a file; None if kseg did not, or if the file was changed since. Raises OutputError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OutputError(
            "the earlier file cannot be read", where=printable(path), found=error.strerror or str(error)
        ) from error
    kind = _format_of(data)
    note = kind.split(data) if kind else None
    return _parse(note, path) if note else None


def require_replaceable(path: Path, origin: Origin, *, option: str) -> None:
    """Check that a file is new, or that the same command wrote it for the same input.

    Args:
        path: The file that will be written.
        origin: Its command and inputs.
        option: The option that names the file, for the message.

    Raises:
        OutputError: Writing the file would replace another one.
    """
    if not path.exists():
        return
    where, remedy = printable(path), f"choose another {option}, or remove this file"
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no regular file"
        raise OutputError("not a file to write to", where=where, found=kind, remedy=f"choose another {option}")
    earlier = origin_of(path)
    if earlier is None or earlier.command != origin.command:
        raise OutputError(
            "a file is never replaced unless the same command wrote it", where=where, expected=f"one {_made(origin)}",
            found=f"one {_made(earlier)}" if earlier else "a file of yours, or one that was changed since",
            remedy=remedy,
        )  # fmt: skip
    if earlier.inputs != origin.inputs:
        raise OutputError(
            "the file was made from another input", where=where, expected=_names(origin), found=_names(earlier),
            remedy=remedy,
        )  # fmt: skip


def display_path(path: Path) -> str:
    """An absolute path for a message: relative to the current folder if it is inside."""
    return printable(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _names(origin: Origin) -> str:
    return abbreviate(map(display_path, origin.inputs), 3) or "no input"


def _made(origin: Origin) -> str:
    return f"that {origin.command} wrote"


class _Note(NamedTuple):
    """A mark as it is in a file, and the file's bytes without it."""

    text: bytes
    rest: bytes


class _Format(NamedTuple):
    """How a mark is put into the files of a format, and how it is taken out; None: there is no mark."""

    magic: bytes
    join: Callable[[bytes, bytes], bytes]
    split: Callable[[bytes], _Note | None]


def _marked(data: bytes, path: Path, origin: Origin) -> bytes:
    folder = os.path.realpath(path.parent)
    inputs = [os.path.relpath(source, folder) for source in origin.inputs]
    note = {"command": origin.command, "inputs": inputs, "crc32": zlib.crc32(data)}
    kind = _format_of(data)
    assert kind is not None, "kseg marks the formats that it writes"
    # ASCII, whatever the names hold; and no "--", which ends the comments of SVG.
    return kind.join(data, json.dumps(note).replace("-", "\\u002d").encode("ascii"))


def _parse(note: _Note, path: Path) -> Origin | None:
    folder = os.path.realpath(path.parent)
    try:
        fields = json.loads(note.text)
        if fields["crc32"] != zlib.crc32(note.rest):
            return None
        inputs = (os.path.normpath(os.path.join(folder, name)) for name in fields["inputs"])
        return Origin(fields["command"], tuple(map(Path, inputs)))
    except (ValueError, KeyError, TypeError):
        return None


def _format_of(data: bytes) -> _Format | None:
    return next((kind for kind in _FORMATS if data.startswith(kind.magic)), None)


_PNG_HEADER: Final = 33
"""Bytes of the signature and of the chunk IHDR."""


def _join_png(data: bytes, text: bytes) -> bytes:
    body = b"tEXt" + _KEY + b"\0" + text
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:_PNG_HEADER] + chunk + data[_PNG_HEADER:]


def _split_png(data: bytes) -> _Note | None:
    start = _PNG_HEADER + 8 + len(_KEY) + 1
    if data[_PNG_HEADER + 4 : start] != b"tEXt" + _KEY + b"\0":
        return None
    end = _PNG_HEADER + 8 + int.from_bytes(data[_PNG_HEADER : _PNG_HEADER + 4], "big")
    return _Note(data[start:end], data[:_PNG_HEADER] + data[end + 4 :])


def _jpeg_header(data: bytes) -> int:
    """Bytes up to the end of the JFIF header, which must be the first segment of a file that has one."""
    return 4 + int.from_bytes(data[4:6], "big") if data[2:4] == b"\xff\xe0" else 2


def _join_jpeg(data: bytes, text: bytes) -> bytes:
    at = _jpeg_header(data)
    comment = _KEY + b" " + text
    return data[:at] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + data[at:]


def _split_jpeg(data: bytes) -> _Note | None:
    at = _jpeg_header(data)
    start = at + 4 + len(_KEY) + 1
    if data[at : at + 2] != b"\xff\xfe" or data[at + 4 : start] != _KEY + b" ":
        return None
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return _Note(data[start:end], data[:at] + data[end:])


def _join_zip(data: bytes, text: bytes) -> bytes:
    # The archive ends in the length of its comment, in 2 bytes, and the comment, which NumPy leaves empty.
    return data[:-2] + struct.pack("<H", len(_KEY) + 1 + len(text)) + _KEY + b" " + text


def _split_zip(data: bytes) -> _Note | None:
    before, key, text = data.rpartition(_KEY + b" ")
    return _Note(text, before[:-2] + b"\0\0") if key else None


_JSON_KEY: Final = b',\n  "made_by": '


def _join_json(data: bytes, text: bytes) -> bytes:
    return data.rstrip()[:-1].rstrip() + _JSON_KEY + text + b"\n}\n"


def _split_json(data: bytes) -> _Note | None:
    before, key, text = data.rpartition(_JSON_KEY)
    return _Note(text.rstrip()[:-1], before + b"\n}\n") if key else None


def _trailer(magic: bytes, start: bytes, end: bytes) -> _Format:
    """A format whose files may end in a comment."""

    def join(data: bytes, text: bytes) -> bytes:
        return data + start + _KEY + b" " + text + end

    def split(data: bytes) -> _Note | None:
        before, key, text = data.rpartition(start + _KEY + b" ")
        return _Note(text.removesuffix(end), before) if key else None

    return _Format(magic, join, split)


_FORMATS: Final = (
    _Format(b"\x89PNG\r\n\x1a\n", _join_png, _split_png),
    _Format(b"\xff\xd8", _join_jpeg, _split_jpeg),
    _Format(b"PK", _join_zip, _split_zip),
    _Format(b"{", _join_json, _split_json),
    _trailer(b"<?xml", b"<!-- ", b" -->\n"),
    _trailer(b"# Written by kseg", b"# ", b"\n"),
)
