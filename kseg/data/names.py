"""Names of files: which are hidden, which spellings mean the same file, and how the line of a list quotes them.

Two spellings are compared as they are, then in Unicode's composed form (macOS writes ``é`` as ``e`` and an accent),
then without case. A looser comparison counts only where one name alone fits.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final, Generic, TypeVar

__all__ = ["NameIndex", "caseless", "composed", "is_hidden", "match_names", "quote_line", "unquote_line"]

Item = TypeVar("Item")

_DECODER: Final = json.JSONDecoder()
_ARCHIVE_FOLDER: Final = "__MACOSX"
"""Written by macOS into zip files; holds no pictures, but files of the pictures' names."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name never holds pictures: it begins with a dot, or is macOS' ``__MACOSX``."""
    return name.startswith(".") or name == _ARCHIVE_FOLDER


def composed(name: str) -> str:
    """The name in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", name)


def caseless(name: str) -> str:
    """The name in Unicode's composed form, without case."""
    return composed(composed(name).casefold())


_FOLDS: Final[tuple[Callable[[str], str], ...]] = (composed, caseless)


class NameIndex(Generic[Item]):
    """Items by name, found by other spellings of it, too, where these fit one item alone.

    Args:
        items: Name → item. Several names may stand for one item.
    """

    def __init__(self, items: Mapping[str, Item]) -> None:
        self._items = items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    @cached_property
    def _folded(self) -> list[dict[str, Item | None]]:
        return [_fold_names(self._items.items(), fold) for fold in _FOLDS]

    def get(self, name: str) -> Item | None:
        """The item of this very name, or None."""
        return self._items.get(name)

    def find(self, name: str) -> Item | None:
        """The item of this name; else the only one of the composed form; else the only one without case; else None."""
        if name in self._items:
            return self._items[name]
        candidates = (table.get(fold(name)) for fold, table in zip(_FOLDS, self._folded, strict=True))
        return next((item for item in candidates if item is not None), None)


def match_names(first: Iterable[str], second: Iterable[str]) -> dict[str, str]:
    """Pair the names of two sets: equal ones, then those of one composed form, then those that differ by case only.

    Names are paired by a looser comparison only if no other name of either set compares equal: ``P00`` and ``p00`` in
    one set are paired with their equals, or not at all.

    Returns:
        Name of the first set → name of the second, for those that have a counterpart.
    """
    names, others = dict.fromkeys(first), dict.fromkeys(second)
    pairs = {name: name for name in names if name in others}
    for fold in _FOLDS:
        if len(pairs) == min(len(names), len(others)):
            break
        counterparts = _fold_names(((other, other) for other in others), fold)
        for folded, name in _fold_names(((name, name) for name in names), fold).items():
            counterpart = counterparts.get(folded)
            if name is not None and counterpart is not None:
                pairs[name] = counterpart
    return pairs


def _fold_names(items: Iterable[tuple[str, Item]], fold: Callable[[str], str]) -> dict[str, Item | None]:
    """Folded name → its item; None where several items have this name."""
    table: dict[str, Item | None] = {}
    for name, item in items:
        folded = fold(name)
        table[folded] = item if table.get(folded, item) is item else None
    return table


def quote_line(*paths: str) -> str:
    """Paths as a line of a list: as they are, or as JSON strings where a reader would take them for something else."""
    line = " ".join(paths)
    plain = line == line.strip() and len(line.splitlines()) == 1 and line[0] not in '#"\ufeff'
    # Of one path only what looks like two, "a.png b.png"; quotes are for kseg alone.
    separable = not any(re.search(r"[\s,;]" if len(paths) > 1 else r"\.\w+[\s,;]", path) for path in paths)
    return line if plain and separable else " ".join(map(json.dumps, paths))


def unquote_line(line: str) -> tuple[str, ...]:
    """The paths of a line of JSON strings with blanks in between, as of `quote_line`; empty for any other line."""
    paths, at = [], 0
    while at < len(line):
        try:
            path, at = _DECODER.raw_decode(line, at)
        except ValueError:
            return ()
        if not isinstance(path, str) or line[at : at + 1].strip():
            return ()
        paths.append(path)
        at += len(line[at:]) - len(line[at:].lstrip())
    return tuple(paths)
