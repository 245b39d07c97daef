"""The splits that paths name: ``train/images`` and ``trainannot`` belong to train."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kseg.data.sample import SPLITS
from kseg.data.spec import Folders

__all__ = ["PathGroup", "group_by_split", "split_named"]

_WORDS: Final = "training|train|validation|valid|val|development|dev|testing|test"
_SPLIT: Final = re.compile(
    # A word of its own, in any case: train2017, val_images, but not trainers, latest or interval.
    rf"(?<![a-zA-Z])(?i:{_WORDS})(?![a-zA-Z])"
    # Before another word of a data set: trainannot, TestLabels.
    r"|(?<![a-zA-Z])(?i:train|valid|val|test)(?=(?i:annot|anno?s?(?![a-z])|image|img|mask|label|gt|seg|set|data|x|y)"
    r"|(?<=[a-z])[A-Z])"
    # A word that begins with a capital: imagesTrain, imagesTr.
    r"|(?<=[a-z])(?:Training|Train|Validation|Valid|Val|Testing|Test|Tr|Va|Ts)(?![a-z])"
)
"""A split's name within a path."""
_KINDS: Final = {"tr": "train", "va": "val", "de": "val", "te": "test", "ts": "test"}

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


def group_by_split(rows: Sequence[Paths], *, partial: bool = False) -> list[PathGroup]:
    """Group rows of paths (an image folder and its mask folder) that differ only in the name of their split.

    ``[("train", "trainannot"), ("val", "valannot")]`` → one group, ``("{split}", "{split}annot")`` with the names
    ``{train: train, val: val}``. Rows without a training part beside them are groups of their own, unchanged.

    Args:
        rows: The paths.
        partial: Whether rows may lack parts that other rows have: ``a/train``, ``a/val``, and ``b/train`` alone.
    """
    names_of: dict[Paths, dict[str, str]] = defaultdict(dict)
    rows_of: dict[Paths, list[Paths]] = defaultdict(list)
    for row in rows:
        split, name, template = _template(row)
        if split and names_of[template].setdefault(split, name) != name:
            split, template = "", row  # train and training beside each other: which one is it?
        rows_of[template].append(row)
    groups: list[PathGroup] = []
    partial = partial and any("train" in names and len(names) > 1 for names in names_of.values())
    for template, members in rows_of.items():
        names = names_of.get(template, {})
        if names and (partial or ("train" in names and len(names) > 1)):
            groups.append(PathGroup(template, names, tuple(members)))
        else:
            groups += [PathGroup(row, {}, (row,)) for row in members]
    return groups


def _template(row: Paths) -> tuple[str, str, Paths]:
    """The split that all paths of a row name (else ""), its name there, and the paths with ``{split}`` in its place."""
    matches = [list(_SPLIT.finditer(path)) for path in row]
    if not all(matches):
        return "", "", row
    last = [in_path[-1] for in_path in matches]
    if len({match[0] for match in last}) > 1:
        return "", "", row
    template = tuple(
        f"{path[: match.start()]}{{split}}{path[match.end() :]}" for path, match in zip(row, last, strict=True)
    )
    return _KINDS[last[0][0][:2].lower()], last[0][0], template


def split_named(path: str) -> str:
    """The split that a path names: train, val or test; "" if none."""
    return _template((path,))[0]
