"""Read annotation files of unknown origin: what is broken ends in one line that names the place, in no traceback."""

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
    "LeftOut",
    "array",
    "fail",
    "item",
    "mapping",
    "read_json",
    "read_lines",
    "read_text",
    "shown",
    "text",
    "whole",
]

_log = logging.getLogger("kseg")


def read_text(path: Path) -> str:
    """A text file; bytes that are not UTF-8 become what file names with such bytes become. Raises DataError."""
    return _read(path, "utf-8-sig")


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, which end where an editor ends them. Raises DataError."""
    # Not str.splitlines, which also splits at characters that file names may hold.
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
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets in thousands of brackets
        raise DataError("malformed JSON", where=printable(path), found=str(error)) from error


def fail(path: Path, place: str, *, expected: str, found: str) -> NoReturn:
    """``file: annotations[12].segmentation: not what it should be; expected …; found …``."""
    where = f"{printable(path)}: {printable(place)}" if place else printable(path)
    raise DataError("not as the format has it", where=where, expected=expected, found=found)


_MISSING = object()


def shown(found: object) -> str:
    """A value of a file for a message, in short."""
    if found is _MISSING:
        return "nothing"
    if isinstance(found, (list, dict)):
        return f"a list of {len(found)}" if isinstance(found, list) else f"a mapping of {len(found)} keys"
    short = printable(repr(found))
    return short if len(short) <= 60 else f"{short[:57]}…"


def mapping(value: object, path: Path, place: str = "") -> Mapping[str, Any]:
    """``value`` where it is a JSON object. Raises DataError."""
    if not isinstance(value, dict):
        fail(path, place, expected="a mapping {…}", found=shown(value))
    return value


def array(value: object, path: Path, place: str = "") -> list[Any]:
    """``value`` where it is a JSON array. Raises DataError."""
    if not isinstance(value, list):
        fail(path, place, expected="a list […]", found=shown(value))
    return value


def item(data: Mapping[str, Any], key: str) -> Any:
    """``data[key]``, or what the checks here report as nothing."""
    return data.get(key, _MISSING)


def whole(value: object, path: Path, place: str) -> int:
    """``value`` where it is a whole number; exporters by way of tables write 1.0. Raises DataError."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        fail(path, place, expected="a whole number", found=shown(value))
    return value


def text(value: object, path: Path, place: str) -> str:
    """``value`` where it is text that is not empty. Raises DataError."""
    if not isinstance(value, str) or not value:
        fail(path, place, expected="text", found=shown(value))
    return value


class LeftOut:
    """Counts the objects that cannot be drawn, and why, for one warning."""

    def __init__(self) -> None:
        self._reasons: dict[str, list[Any]] = {}
        self._places: set[str] = set()

    def add(self, reason: str, place: str) -> None:
        """One object, and where it stands."""
        self._places.add(place)
        self._reasons.setdefault(reason, [0, place])[0] += 1

    def add_all(self, other: LeftOut) -> None:
        """What another one counted."""
        self._places |= other._places
        for reason, (count, place) in other._reasons.items():
            self._reasons.setdefault(reason, [0, place])[0] += count

    def __len__(self) -> int:
        return len(self._places)

    def tell(self, path: Path, drawn: int, total: int) -> None:
        """One warning.

        Args:
            path: The file or folder.
            drawn: How many objects can be drawn, at least in part.
            total: How many there are.

        Raises:
            DataError: No object can be drawn.
        """
        if not self._reasons:
            return
        reasons = sorted(self._reasons.items(), key=lambda one: -one[1][0])
        told = "; ".join(f"{count} × {reason} (first {place})" for reason, (count, place) in reasons[:6])
        if not drawn:
            raise DataError(
                f"none of the {total} objects can be drawn", where=printable(path), found=told,
                remedy="look at these places in the file",
            )  # fmt: skip
        _log.warning(
            "%s: %d of %d objects are left out, in whole or in part: %s", printable(path), len(self), total, told
        )
