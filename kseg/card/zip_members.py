"""A member of a zip archive, which may stand behind other content: read with limits, and replace atomically."""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from kseg.card.limits import check_size, read_bounded
from kseg.files import write_aside

__all__ = ["member_names", "read_member", "replace_member"]

_MAX_DIRECTORY: Final = 4 * 1024 * 1024
"""Bytes of the archive's list of members; a Keras file has some hundred."""
_BOUNDED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compressions that zipfile undoes in small steps; 4 kB of bzip2 or LZMA may become some hundred megabytes at once."""
_BROKEN: Final = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, RuntimeError, EOFError, OverflowError,
)  # fmt: skip
"""What zipfile raises for damaged archives, beside ValueError and OSError; RuntimeError for encrypted members."""


class _BoundedFile(io.FileIO):
    """A file that refuses to read a huge list of members, of which zipfile would make an object a member."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_DIRECTORY + 1:
            raise ValueError("the zip archive lists too many members")
        return super().read(size) or b""


def read_member(path: Path, name: str) -> bytes | None:
    """The content of a member, at most the size of a card; None if the archive has no such member.

    Raises:
        ValueError: It is no zip archive, it is damaged, or the member is too large, encrypted or of a rare compression.
        OSError: The file cannot be read.
    """
    with _damage_as_value_error(), _BoundedFile(path) as file, zipfile.ZipFile(file) as archive:
        if name not in archive.NameToInfo:
            return None
        member = archive.getinfo(name)
        check_size(member.file_size)
        if member.compress_type not in _BOUNDED:
            raise ValueError(f"{name} is compressed by method {member.compress_type}, which zip archives rarely use")
        with archive.open(member) as content:
            return read_bounded(content)


def member_names(path: Path) -> list[str]:
    """The names of all members. Raises as `read_member`."""
    with _damage_as_value_error(), _BoundedFile(path) as file, zipfile.ZipFile(file) as archive:
        return archive.namelist()


@contextmanager
def _damage_as_value_error() -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise ValueError(str(error) or type(error).__name__) from error


def replace_member(path: Path, name: str, data: bytes) -> None:
    """Replace or add a member, uncompressed; the other members, and what stands before the archive, stay as they are.

    TFLite's own reader of associated files maps them into memory, and so takes uncompressed members only.

    Raises:
        OutputError: The file cannot be written; it is then what it was.
        ValueError: The archive is damaged.
    """
    member = zipfile.ZipInfo(name)  # of 1980, so that equal content makes equal files
    member.external_attr = 0o644 << 16
    with _damage_as_value_error(), write_aside(path) as aside:
        _copy_without(path, aside, name)
        with zipfile.ZipFile(aside, "a") as archive:
            archive.writestr(member, data)


def _copy_without(path: Path, copy: Path, name: str) -> None:
    if not zipfile.is_zipfile(path) or name not in member_names(path):
        shutil.copyfile(path, copy)
        return
    with zipfile.ZipFile(path) as source, copy.open("wb") as file:
        members = source.infolist()
        _copy_start(path, file, min(member.header_offset for member in members))
        # On the open file, since by its name zipfile would add to an archive that the start may end with.
        with zipfile.ZipFile(file, "w") as target:
            target.comment = source.comment
            for member in members:
                if member.filename != name:
                    _copy_member(source, target, member)


def _copy_start(path: Path, copy: IO[bytes], size: int) -> None:
    with path.open("rb") as source:
        while size > 0 and (chunk := source.read(min(size, 1 << 20))):
            copy.write(chunk)
            size -= len(chunk)


def _copy_member(source: zipfile.ZipFile, target: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    # A copy of the entry, since writing changes its offset, which the source still needs.
    copied = zipfile.ZipInfo(member.filename, member.date_time)
    copied.compress_type, copied.external_attr = member.compress_type, member.external_attr
    large = member.file_size > zipfile.ZIP64_LIMIT // 2
    with source.open(member) as content, target.open(copied, "w", force_zip64=large) as file:
        shutil.copyfileobj(content, file, 1 << 20)
