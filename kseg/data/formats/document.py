"""Read and validate annotation files: anything malformed is a DataError that names the place in the file."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from kseg.errors import DataError
from kseg.images import printable

__all__ = [
    "SkippedObjects",
    "array",
    "fail",
    "integer",
    "item",
    "mapping",
    "read_json",
    "read_lines",
    "read_text",
    "shown",
    "text",
]

_log = logging.getLogger("kseg")


def read_text(path: Path) -> str:
    """The text of a file; bytes that are not UTF-8 become surrogate escapes, as in file names. Raises DataError."""
    return _read(path, "utf-8-sig")


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, split at ``\\n``, ``\\r\\n`` and ``\\r`` only. Raises DataError."""
    # str.splitlines also splits at other characters, which file names may contain.
    return re.split(r"\r\n|\n|\r", read_text(path))


def _read(path: Path, encoding: str | None) -> str:
    try:
        data = path.read_bytes()
        return data.decode(encoding or json.detect_encoding(data), "surrogateescape")
    except OSError as error:
        raise DataError("cannot be read", where=printable(path), found=error.strerror or str(error)) from error
    except ValueError as error:
        raise DataError("not text", where=printable(path), found=str(error)) from error


def read_json(path: Path) -> Any:
    """The contents of a JSON file. Raises DataError, with line and column where it is malformed."""
    content = _read(path, None)  # UTF-8, 16 or 32
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        place = f"{error.msg} at line {error.lineno}, column {error.colno}" if content.strip() else "an empty file"
        raise DataError("malformed JSON", where=printable(path), found=place) from error
    except (ValueError, RecursionError) as error:  # a number with thousands of digits, or thousands of nested brackets
        raise DataError("malformed JSON", where=printable(path), found=str(error)) from error


def fail(path: Path, place: str, *, expected: str, found: str) -> NoReturn:
    """Raise a DataError for a place in a file, such as ``annotations[12].segmentation``."""
    where = f"{printable(path)}: {printable(place)}" if place else printable(path)
    raise DataError("not valid in this format", where=where, expected=expected, found=found)


_MISSING = object()


def shown(value: object) -> str:
    """A value from a file, shortened for a message."""
    if value is _MISSING:
        return "nothing"
    if isinstance(value, (list, dict)):
        return f"a list of {len(value)}" if isinstance(value, list) else f"a mapping of {len(value)} keys"
    short = printable(repr(value))
    return short if len(short) <= 60 else f"{short[:57]}…"


def mapping(value: object, path: Path, place: str = "") -> Mapping[str, Any]:
    """Return ``value`` if it is a JSON object, else raise DataError."""
    if not isinstance(value, dict):
        fail(path, place, expected="a mapping {…}", found=shown(value))
    return value


def array(value: object, path: Path, place: str = "") -> list[Any]:
    """Return ``value`` if it is a JSON array, else raise DataError."""
    if not isinstance(value, list):
        fail(path, place, expected="a list […]", found=shown(value))
    return value


def item(data: Mapping[str, Any], key: str) -> Any:
    """``data[key]``, or a marker for a missing key, which the checks here refuse and report as "nothing"."""
    return data.get(key, _MISSING)


def integer(value: object, path: Path, place: str) -> int:
    """Return ``value`` as int if it is a whole number (also 1.0, which some exporters write), else raise DataError."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        fail(path, place, expected="a whole number", found=shown(value))
    return value


def text(value: object, path: Path, place: str) -> str:
    """Return ``value`` if it is text that is not empty, else raise DataError."""
    if not isinstance(value, str) or not value:
        fail(path, place, expected="text", found=shown(value))
    return value


class SkippedObjects:
    """Counts objects that cannot be drawn, by reason, and reports them in one warning."""

    def __init__(self) -> None:
        self._reasons: dict[str, list[Any]] = {}
        self._places: set[str] = set()

    def add(self, reason: str, place: str) -> None:
        """Count one object.

        Args:
            reason: Why it cannot be drawn.
            place: Where it is in the file.
        """
        self._places.add(place)
        self._reasons.setdefault(reason, [0, place])[0] += 1

    def add_all(self, other: SkippedObjects) -> None:
        """Add the counts of another instance."""
        self._places |= other._places
        for reason, (count, place) in other._reasons.items():
            self._reasons.setdefault(reason, [0, place])[0] += count

    def __len__(self) -> int:
        return len(self._places)

    def report(self, path: Path, drawn: int, total: int) -> None:
        """Log one warning about all objects counted, if any.

        Args:
            path: The annotation file or folder.
            drawn: Number of objects that are drawn, at least in part.
            total: Number of objects.

        Raises:
            DataError: No object can be drawn.
        """
        if not self._reasons:
            return
        reasons = sorted(self._reasons.items(), key=lambda entry: -entry[1][0])
        summary = "; ".join(f"{count} × {reason} (first {place})" for reason, (count, place) in reasons[:6])
        if not drawn:
            raise DataError(
                f"none of the {total} objects can be drawn", where=printable(path), found=summary,
                remedy="look at these places in the file",
            )  # fmt: skip
        _log.warning(
            "%s: %d of %d objects are left out, in whole or in part: %s", printable(path), len(self), total, summary
        )
