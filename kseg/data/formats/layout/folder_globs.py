"""One folder or glob for several folders: ``part1/images``, ``part2/images`` → ``*/images``."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from kseg.data.formats.layout.path_patterns import common_end, common_start

__all__ = ["Merged", "merge_rows"]

Paths = tuple[str, ...]

_TOKEN: Final = re.compile(r"(\*\*/|\*|\[.\])")
_SPLIT: Final = "{split}"
_ROOT: Final = "."


@dataclass(frozen=True)
class Merged:
    """A folder or glob for each column of some rows.

    Args:
        paths: The folders or globs.
        others: Number of other folders with pictures that they match.
    """

    paths: Paths
    others: int


@dataclass(frozen=True)
class _Pattern:
    """A folder, which stands for those below it as well, or a glob of folders, and what its wildcards match."""

    text: str
    expression: re.Pattern[str]

    def key(self, folder: str) -> Paths | None:
        """The text by which a folder of images is paired with one of masks; None if it is not matched."""
        match = self.expression.fullmatch(folder)
        return match.groups() if match else None


def merge_rows(rows: Sequence[Paths], folders: Sequence[str], *, recursive: bool) -> Merged | None:
    """Rows of folders (of images, of masks) as one row of folders or globs, which pair the folders as the rows do.

    Args:
        rows: The folders; ``{split}`` in them stands for the name of a split.
        folders: All folders with pictures, those of the rows as in the rows.
        recursive: Whether a folder may stand for those below it.

    Returns:
        What matches fewest other folders; None if nothing pairs the folders as the rows do.
    """
    columns = list(zip(*rows, strict=True))
    candidates = [tuple(map(_parent, columns))] if recursive else []
    candidates += zip(*(_globs(column) for column in columns), strict=False)
    merged = [
        Merged(tuple(pattern.text for pattern in patterns), _others(patterns, columns, folders))
        for patterns in candidates if _pair_alike(patterns, rows)
    ]  # fmt: skip
    merged = [candidate for candidate in merged if _ROOT not in candidate.paths or not candidate.others]
    return min(merged, key=lambda candidate: candidate.others, default=None)


def _pair_alike(patterns: Sequence[_Pattern], rows: Sequence[Paths]) -> bool:
    """Whether the wildcards match the same text within each row, and another in each row."""
    if any(_SPLIT in path and _SPLIT not in pattern.text for pattern, path in zip(patterns, rows[0], strict=True)):
        return False
    keys = [{pattern.key(path) for pattern, path in zip(patterns, row, strict=True)} for row in rows]
    distinct = {key for row_keys in keys for key in row_keys}
    return all(len(row_keys) == 1 for row_keys in keys) and None not in distinct and len(distinct) == len(rows)


def _others(patterns: Sequence[_Pattern], columns: Sequence[Paths], folders: Sequence[str]) -> int:
    return sum(
        pattern.key(folder) is not None and folder not in column
        for pattern, column in zip(patterns, columns, strict=True) for folder in folders
    )  # fmt: skip


def _parent(column: Paths) -> _Pattern:
    """The folder that all have in common."""
    parent = os.path.commonpath([f"/{path}" for path in column]).lstrip("/")
    start = f"{re.escape(parent)}/" if parent else ""
    return _Pattern(parent or _ROOT, re.compile(rf"(?:{re.escape(parent)}()|{start}(.+))" if parent else "()()|(.+)"))


def _globs(column: Paths) -> Iterator[_Pattern]:
    """Globs of the folders: a wildcard for each part of their paths that differs, or for what differs within it."""
    parts = [path.split("/") for path in column]
    if len({len(path) for path in parts}) == 1:
        for wildcard in (_whole, _narrow):
            yield _from_glob("/".join(map(wildcard, zip(*parts, strict=True))))
        return
    shortest = min(map(len, parts))
    head = list(takewhile(_is_same, zip(*parts, strict=False)))[: shortest - 1]
    rest = [path[len(head) :] for path in parts]
    tail = list(takewhile(_is_same, zip(*(path[::-1] for path in rest), strict=False)))[::-1]
    if tail:
        yield _from_glob(
            "/".join([*(glob.escape(same[0]) for same in head), "**", *(glob.escape(same[0]) for same in tail)])
        )


def _is_same(parts: Sequence[str]) -> bool:
    return len(set(parts)) == 1


def _whole(parts: Sequence[str]) -> str:
    if _is_same(parts):
        return glob.escape(parts[0])
    return _narrow(parts) if any(_SPLIT in part for part in parts) else "*"


def _narrow(parts: Sequence[str]) -> str:
    """What the parts begin and end with, and a wildcard in between."""
    if _is_same(parts):
        return glob.escape(parts[0])
    before = re.sub(r"\d+$", "", common_start(parts))
    after = re.sub(r"^\d+", "", common_end([part[len(before) :] for part in parts]))
    return f"{glob.escape(before)}*{glob.escape(after)}"


def _from_glob(text: str) -> _Pattern:
    translated = {"**/": "((?:[^/]+/)*)", "*": "([^/]*)"}
    pieces = [
        translated.get(piece) or re.escape(piece[1] if _TOKEN.fullmatch(piece) else piece)
        for piece in _TOKEN.split(text)
        if piece
    ]
    return _Pattern(text, re.compile("".join(pieces)))
