"""Text files that list the samples of each split: ``train.txt``, ``val.txt``, ``test.txt``."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath
from typing import Final

from kseg.data.formats.layout.tree import Tree
from kseg.data.formats.walk import is_picture
from kseg.data.names import unquote_line
from kseg.data.sample import SPLITS
from kseg.data.spec import Lists

__all__ = ["LIST_NAMES", "is_list", "split_lists"]

LIST_NAMES: Final = {
    "train.txt": "train", "training.txt": "train", "trainval.txt": "",
    "val.txt": "val", "valid.txt": "val", "validation.txt": "val", "test.txt": "test", "testing.txt": "test",
}  # fmt: skip
"""Name of a file, in lower case → the split that it lists; "" if it lists several."""
_READ: Final = 200


def is_list(tree: Tree, file: str) -> bool:
    """Whether a file is named as a list of a split and lists images of the folder."""
    if PurePosixPath(file).name.lower() not in LIST_NAMES:
        return False
    stems = list(_listed_stems(tree, file))
    return bool(stems) and 2 * sum(stem in tree.all_stems for stem in stems) >= len(stems)


def split_lists(tree: Tree, images: Collection[str]) -> tuple[Lists | None, dict[str, str]]:
    """The lists of the splits, and those among them that say what the folders say.

    Args:
        tree: The files.
        images: The folders of the images.

    Returns:
        The lists, if exactly one lists the training images; and each list whose images are in one folder → why it is
        not needed where the folders are the splits.
    """
    files = [file for file in tree.named(".txt") if is_list(tree, file)]
    redundant = {
        file: "lists images of one folder" for file in files
        if any(tree.stems[folder].issuperset(_listed_stems(tree, file)) for folder in images)
    }  # fmt: skip
    by_split = {
        split: [file for file in files if LIST_NAMES[PurePosixPath(file).name.lower()] == split] for split in SPLITS
    }
    if any(len(same) > 1 for same in by_split.values()) or not by_split["train"]:
        return None, redundant
    return Lists(*(same[0] if same else "" for same in by_split.values())), redundant


def _listed_stems(tree: Tree, file: str) -> Iterable[str]:
    """The stem that each line names, of the first lines: by the whole line, else by its first word."""
    try:
        with tree.path(file).open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            texts = [line.strip() for line, _ in zip(lines, range(_READ), strict=False)]
    except OSError:
        texts = []
    for text in texts:
        if text and not text.startswith("#"):
            whole = _stem((unquote_line(text) or (text,))[0])
            yield whole if whole in tree.all_stems else _stem(text.split()[0].rstrip(",;"))


def _stem(name: str) -> str:
    base = name.replace("\\", "/").rpartition("/")[2]
    return os.path.splitext(base)[0] if is_picture(base) else base
