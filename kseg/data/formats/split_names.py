"""The splits that paths name: ``train/images`` and ``trainannot`` belong to train."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from kseg.data.sample import SPLITS
from kseg.data.spec import Folders

__all__ = ["PathGroup", "group_by_split", "merge_parts", "split_named"]

_SPLIT: Final = re.compile(
    r"(?<![a-z])(training|train|validation|valid|val|development|dev|testing|test)(?![a-z])"
    r"|(?<![a-z])(train|valid|val|test)",
    re.IGNORECASE,
)
"""A split's name within a path: in ``train2017`` and ``testannot``, but not in ``interval``; whole words first."""
_KINDS: Final = {"tr": "train", "va": "val", "de": "val", "te": "test"}

Paths = tuple[str, ...]


@dataclass(frozen=True)
class PathGroup:
    """Paths that differ only in the name of their split.

    Args:
        paths: The paths, with ``{split}`` in place of the split's name; as they are where there is no split.
        names: Split → its name in the paths; empty where there is no split.
        members: The paths as they are, one row for each split.
    """

    paths: Paths
    names: Mapping[str, str]
    members: tuple[Paths, ...]

    @property
    def split(self) -> dict[str, Folders]:
        """The setting ``split`` of `DataSpec`; empty where there is none."""
        return {"split": Folders(*(self.names.get(name, "") for name in SPLITS))} if self.names else {}


def group_by_split(rows: Sequence[Paths]) -> list[PathGroup]:
    """Group rows of paths (an image folder and its mask folder) that differ only in the name of their split.

    ``[("train", "trainannot"), ("val", "valannot")]`` → one group, ``("{split}", "{split}annot")`` with the names
    ``{train: train, val: val}``. Rows without a training part beside them are groups of their own, unchanged.
    """
    names_of: dict[Paths, dict[str, str]] = defaultdict(dict)
    rows_of: dict[Paths, list[Paths]] = defaultdict(list)
    for row in rows:
        split, name, template = _template(row)
        if split and names_of[template].setdefault(split, name) != name:
            split, template = "", row  # train and training beside each other: which one is it?
        rows_of[template].append(row)
    groups: list[PathGroup] = []
    for template, members in rows_of.items():
        names = names_of.get(template, {})
        if "train" in names and len(names) > 1:
            groups.append(PathGroup(template, names, tuple(members)))
        else:
            groups += [PathGroup(row, {}, (row,)) for row in members]
    return groups


def _template(row: Paths) -> tuple[str, str, Paths]:
    """The split that all paths of a row name (else ""), its name there, and the paths with ``{split}`` in its place."""
    matches = [list(_SPLIT.finditer(path)) for path in row]
    if not all(matches):
        return "", "", row
    last = [found[-1] for found in matches]
    if len({match[0] for match in last}) > 1:
        return "", "", row
    template = tuple(
        f"{path[: match.start()]}{{split}}{path[match.end() :]}" for path, match in zip(row, last, strict=True)
    )
    return _KINDS[last[0][0][:2].lower()], last[0][0], template


def split_named(path: str) -> str:
    """The split that a path names: train, val or test; "" if none."""
    return _template((path,))[0]


def merge_parts(rows: Sequence[Paths], folders: Sequence[str]) -> Paths | None:
    """Rows of paths of several parts as one row of globs: ``part1/images``, ``part2/images`` → ``*/images``.

    Args:
        rows: Paths of the same kinds, such as an image folder and its mask folder.
        folders: All folders with images, of which the globs may match no other.

    Returns:
        The globs; None if no globs match exactly these paths.
    """
    globs = []
    for column in zip(*rows, strict=True):
        parts = [path.split("/") for path in column]
        if len({len(path) for path in parts}) > 1:
            return None
        globs.append("/".join(same[0] if len(set(same)) == 1 else "*" for same in zip(*parts, strict=True)))
    counts = {glob.count("*") for glob in globs}
    matching = [{folder for folder in folders if _matches(folder, glob)} for glob in globs]
    exact = all(folders_ == set(column) for folders_, column in zip(matching, zip(*rows, strict=True), strict=True))
    return tuple(globs) if exact and len(counts) == 1 and counts != {0} else None


def _matches(folder: str, glob: str) -> bool:
    parts, pattern = folder.split("/"), glob.replace("{split}", "*").split("/")
    return len(parts) == len(pattern) and all(map(fnmatchcase, parts, pattern))
