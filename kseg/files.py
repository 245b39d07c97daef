"""Write files and folders so that nothing good is ever lost: aside first, then rename."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kseg.errors import OutputError

__all__ = [
    "cache_folder",
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


def cache_folder() -> Path:
    """Where what can be made again is kept: ``$KSEG_CACHE``, else ``$XDG_CACHE_HOME/kseg``, else ``~/.cache/kseg``."""
    if named := os.environ.get("KSEG_CACHE"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kseg"


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write a file or a folder to; it takes the place of ``path`` when the block ends.

    A crash, a full disk or a kill leaves whatever stood at ``path`` before. The suffix is kept, since some writers
    choose the format by it.

    Raises:
        OutputError: It cannot be written; the message says why and that the earlier one is still there.
    """
    aside = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.part{path.suffix}")
    earlier = path.exists()
    try:
        yield aside
        if aside.is_file():
            with aside.open("rb") as written:
                os.fsync(written.fileno())
        _replace(aside, path)
    except OSError as error:
        raise OutputError(
            "cannot write the file", where=str(path), found=error.strerror or str(error),
            remedy="the earlier file is untouched" if earlier else None,
        ) from error  # fmt: skip
    finally:
        _remove(aside)


def _replace(aside: Path, path: Path) -> None:
    if not path.is_dir():
        aside.replace(path)
        return
    # A folder cannot be renamed over another that holds files.
    earlier = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.old")
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
    """Remove what `write_aside` could not finish in a folder when it was killed."""
    for aside in folder.glob(".*.part*"):
        _remove(aside)


def link_or_copy(source: Path, path: Path) -> None:
    """Give a whole file a second name, or copy it where the file system has no hard links. Raises OutputError.

    Files that are only ever replaced by `write_aside` can share their bytes: replacing one leaves the other.
    """
    with write_aside(path) as aside:
        try:
            os.link(source, aside)
        except OSError:
            shutil.copyfile(source, aside)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file or leave the earlier one. Raises OutputError."""
    with write_aside(path) as aside:
        aside.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 file or leave the earlier one. Raises OutputError."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, data: Any) -> None:
    """Write JSON, indented, with a final newline. Raises OutputError."""
    write_text(path, json.dumps(data, indent=2) + "\n")


def make_folder(path: Path) -> Path:
    """Create a folder and its parents, and see that it can be written. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".{uuid.uuid4().hex[:8]}.probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            "the output folder cannot be written", where=str(path), found=error.strerror or str(error),
            remedy="choose another folder or mend its permissions",
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
    """See that nothing stands at ``path`` yet, so that nothing is lost. Raises OutputError."""
    if path.exists():
        raise OutputError("the file is there already", where=str(path), remedy=remedy)


def safe_child(parent: Path, name: str) -> Path:
    """``parent / name``, refused where it would lie outside ``parent``. Raises OutputError."""
    child = parent / name
    inside = child.resolve().is_relative_to(parent.resolve()) and child.resolve() != parent.resolve()
    if not name or not inside:
        raise OutputError("the name leads out of the output folder", where=str(parent), found=repr(name))
    return child
