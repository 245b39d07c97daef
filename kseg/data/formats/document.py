"""Read and validate annotation files: anything malformed is a DataError that names the place in the file."""

from __future__ import annotations

import codecs
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from kseg.data.spec import SkipObjects
from kseg.errors import DataError, abbreviate
from kseg.images import printable
from kseg.labels import canonical_name

__all__ = [
    "SkippedObjects",
    "array",
    "class_name",
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

_MOST_LOST: Final = 0.05
"""Share of the objects, of all or of a class, that may be left out with a warning only."""
_MOST_NAMED: Final = 6


def read_text(path: Path) -> str:
    """The text of a file, UTF-8 or, with a byte-order mark, UTF-16. Raises DataError.

    Bytes that are not UTF-8 become surrogate escapes, as in file names.
    """
    return _read(path, _text_encoding)


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, split at ``\\n``, ``\\r\\n`` and ``\\r`` only. Raises DataError."""
    # str.splitlines also splits at other characters, which file names may contain.
    return re.split(r"\r\n|\n|\r", read_text(path))


def _text_encoding(data: bytes) -> str:
    return "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def _read(path: Path, encoding_of: Callable[[bytes], str]) -> str:
    try:
        data = path.read_bytes()
        return data.decode(encoding_of(data), "surrogateescape")
    except OSError as error:
        raise DataError("cannot be read", where=printable(path), found=error.strerror or str(error)) from error
    except ValueError as error:
        raise DataError("not text", where=printable(path), found=str(error)) from error


def read_json(path: Path) -> Any:
    """The contents of a JSON file. Raises DataError, with line and column where it is malformed."""
    content = _read(path, json.detect_encoding)  # UTF-8, 16 or 32
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


def class_name(value: object, path: Path, place: str) -> str:
    """Return ``value`` as a class name, in the form of `canonical_name`; else raise DataError."""
    name = canonical_name(printable(text(value, path, place)))
    return text(name, path, place)


class SkippedObjects:
    """Counts the objects of an annotation file, and those left out, by class and by reason; reports them together.

    ::

        counter.count("cat")                                  every object that is to be drawn
        counter.skip("fewer than 3 points", place, "cat")     one of them that cannot be
        counter.cut("fewer than 3 points", place)             a part of one of them
    """

    def __init__(self) -> None:
        self._total: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._reasons: dict[str, tuple[int, str]] = {}
        self._places: set[str] = set()

    def count(self, name: str) -> None:
        """Count an object of a class that is to be drawn."""
        self._total[name] += 1

    def skip(self, reason: str, place: str, name: str) -> None:
        """Record that a counted object is left out.

        Args:
            reason: Why it cannot be drawn.
            place: Where it is in the file.
            name: Its class.
        """
        self._lost[name] += 1
        self.cut(reason, place)

    def cut(self, reason: str, place: str) -> None:
        """Record that a part of an object is left out."""
        self._places.add(place)
        times, first = self._reasons.get(reason, (0, place))
        self._reasons[reason] = times + 1, first

    def merge(self, other: SkippedObjects) -> None:
        """Add the counts of another instance."""
        self._total += other._total
        self._lost += other._lost
        self._places |= other._places
        for reason, (times, place) in other._reasons.items():
            before, first = self._reasons.get(reason, (0, place))
            self._reasons[reason] = before + times, first

    def report(self, path: Path, policy: SkipObjects | None) -> None:
        """Report the objects left out, if any: as an error where they are many, else in one warning.

        Args:
            path: The annotation file or folder.
            policy: The setting ``data.skip_objects``. None: more than 5 % of all objects, or of those of a class, are
                an error.

        Raises:
            DataError: No object can be drawn, or more are left out than ``policy`` accepts.
        """
        if not self._reasons:
            return
        total, lost = self._total.total(), self._lost.total()
        if lost and lost == total:
            raise DataError(
                f"none of the {total} objects can be drawn", where=printable(path), found=self._summary(),
                remedy="look at these places in the file",
            )  # fmt: skip
        if policy == "error" or (policy is None and self._many()):
            raise DataError(
                f"{len(self._places)} of {total} objects cannot be drawn, in whole or in part", where=printable(path),
                expected=f"at most {_MOST_LOST:.0%} of each class" if policy is None else "all",
                found=f"{self._classes()}{self._summary()}",
                remedy="correct these places, or accept the loss with data.skip_objects: skip",
            )  # fmt: skip
        _log.warning(
            "%s: %d of %d objects are left out, in whole or in part: %s", printable(path), len(self._places), total,
            self._summary(),
        )  # fmt: skip

    def _many(self) -> bool:
        if self._lost.total() > _MOST_LOST * self._total.total():
            return True
        return any(lost > _MOST_LOST * self._total[name] for name, lost in self._lost.items())

    def _classes(self) -> str:
        """``cat 3 of 10, dog 1 of 8: ``, most objects first; empty where only parts are left out."""
        counts = [f"{name} {lost} of {self._total[name]}" for name, lost in self._lost.most_common()]
        return f"{abbreviate(counts, _MOST_NAMED)}: " if counts else ""

    def _summary(self) -> str:
        reasons = sorted(self._reasons.items(), key=lambda entry: -entry[1][0])
        return "; ".join(f"{times} × {reason} (first {place})" for reason, (times, place) in reasons[:_MOST_NAMED])
