"""Atomic writes: into a temporary file or folder beside the target, which is then renamed over it."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kseg.errors import OutputError

__all__ = [
    "cache_folder",
    "content_files",
    "content_sha256",
    "expand_home",
    "gzip_size",
    "link_or_copy",
    "make_folder",
    "new_folder",
    "remove_leftovers",
    "require_new",
    "safe_child",
    "write_aside",
    "write_bytes",
    "write_json",
    "write_text",
]

_STEM_SHOWN: Final = 32
"""Characters of a file's stem in the name of its temporary file."""
_LONGEST_SUFFIX: Final = 16
"""Characters of the longest suffix that may be one of a format."""


def cache_folder() -> Path:
    """The folder of caches: ``$KSEG_CACHE``, else ``$XDG_CACHE_HOME/kseg``, else ``~/.cache/kseg``; may not exist."""
    if named := os.environ.get("KSEG_CACHE"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kseg"


def content_files(path: Path) -> list[Path]:
    """A file itself; of a folder, all files in it at any depth, sorted."""
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def content_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; of a folder, of the names and contents of its files."""
    digest = hashlib.sha256()
    for file in content_files(path):
        if file != path:
            digest.update(file.relative_to(path).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def gzip_size(path: Path) -> int:
    """The size of a file in bytes after gzip, as packages for phones and web servers store it."""
    return len(gzip.compress(path.read_bytes(), mtime=0))


def expand_home(path: str | os.PathLike[str]) -> Path:
    """The path with the home folder for a leading ``~``, which no shell expands in ``--out=~/x`` or in Python."""
    return Path(os.path.expanduser(path))


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; the file or folder written there replaces ``path`` when the block ends.

    After a crash, a kill or an exception, ``path`` is what it was before. The temporary path has the same suffix, by
    which some writers choose the format.

    Raises:
        OutputError: It cannot be written; the message gives the reason.
    """
    aside = path.with_name(_hidden_name(path, "part") + (path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""))
    earlier = os.path.exists(path)
    try:
        yield aside
        if aside.is_file():
            with aside.open("rb") as written:
                os.fsync(written.fileno())
        _replace(aside, path)
    except OSError as error:
        too_long = error.errno == errno.ENAMETOOLONG
        raise OutputError(
            "cannot write the file", where=str(path), found=error.strerror or str(error),
            expected="a name that the file system allows, mostly of at most 255 bytes" if too_long else None,
            remedy="the earlier file is untouched" if earlier else None,
        ) from error  # fmt: skip
    finally:
        _remove(aside)


def _hidden_name(path: Path, kind: str) -> str:
    # A part of the stem, in at most 4 bytes a character: file systems allow names of 255 bytes.
    return f".{path.stem[:_STEM_SHOWN]}.{uuid.uuid4().hex[:8]}.{kind}"


def _replace(aside: Path, path: Path) -> None:
    if not (path.is_dir() and aside.is_dir()):
        aside.replace(path)  # fails where a file would take the place of a folder
        return
    # A folder cannot be renamed over another that holds files.
    earlier = path.with_name(_hidden_name(path, "old"))
    path.rename(earlier)
    try:
        aside.replace(path)
    except OSError:
        earlier.rename(path)
        raise
    _remove(earlier)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of `write_aside` that a killed process left in a folder."""
    for aside in folder.glob(".*.part*"):
        _remove(aside)


def link_or_copy(source: Path, path: Path) -> None:
    """Hard-link ``source`` to ``path``, or copy it where the file system has no hard links. Raises OutputError.

    Linked files must be replaced, as `write_aside` does, never modified in place: they share their bytes.
    """
    with write_aside(path) as aside:
        try:
            os.link(source, aside)
        except OSError:
            shutil.copyfile(source, aside)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically. Raises OutputError."""
    with write_aside(path) as aside:
        aside.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically. Raises OutputError."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, data: Any) -> None:
    """Write JSON atomically, indented, with a final newline. Raises OutputError."""
    write_text(path, json.dumps(data, indent=2) + "\n")


def make_folder(path: Path) -> Path:
    """Create a folder and its parents, and check that files can be created in it. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".{uuid.uuid4().hex[:8]}.probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            "the output folder cannot be written", where=str(path), found=error.strerror or str(error),
            remedy="choose another folder or correct its permissions",
        ) from error  # fmt: skip
    return path


def new_folder(parent: Path, name: str) -> Path:
    """Create ``parent/name``, or ``parent/name2``, ``name3`` … where it exists. Raises OutputError."""
    make_folder(parent)
    number = 1
    while True:
        folder = safe_child(parent, name if number == 1 else f"{name}{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1
        except OSError as error:
            raise OutputError("cannot create the folder", where=str(folder), found=error.strerror) from error


def require_new(path: Path, *, remedy: str) -> None:
    """Check that ``path`` does not exist yet. Raises OutputError with this remedy."""
    if path.exists():
        raise OutputError("the file exists already", where=str(path), remedy=remedy)


def safe_child(parent: Path, name: str) -> Path:
    """``parent / name``, refused where it would lie outside ``parent``. Raises OutputError."""
    child = parent / name
    inside = child.resolve().is_relative_to(parent.resolve()) and child.resolve() != parent.resolve()
    if not name or not inside:
        raise OutputError("the name leads out of the output folder", where=str(parent), found=repr(name))
    return child
