"""Which folders hold images and which masks, by their names and by what their files look like."""

from __future__ import annotations

import re
from functools import cache
from pathlib import PurePosixPath
from typing import Final

import numpy as np

from kseg.data.formats.tree import Tree, join
from kseg.errors import ImageError
from kseg.images import read_mask

__all__ = ["Roles", "is_mask_name"]

_MASK: Final = re.compile(r"mask|annot|label|(?<![a-z])gt(?![a-z])|truth|seg|trimap|target", re.IGNORECASE)
_IMAGE: Final = re.compile(r"image|img|photo|picture|jpeg|source|input|rgb|frame|original|raw", re.IGNORECASE)
_DERIVED: Final = re.compile(r"depth|overlay|visual|(?<![a-z])vis|pred|edge|normal|flow|thermal|preview|thumb|blend",
                             re.IGNORECASE)  # fmt: skip
_READ: Final = 5
_FEW_VALUES: Final = 64
"""Masks have fewer different values or colours; a photograph has thousands."""


def is_mask_name(folder: str) -> bool:
    """Whether the path of a folder names masks: ``annotations/trimaps``, ``trainannot``."""
    return bool(_MASK.search(folder)) and not _DERIVED.search(PurePosixPath(folder).name)


class Roles:
    """Scores of the folders of a data set as image folders and as mask folders.

    Args:
        tree: The files.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._share_of_masks = cache(self._measure)

    def image_score(self, folder: str) -> int:
        """2 if the name says images, 1 if it says nothing, 0 if it says something derived from images: depth maps."""
        name = PurePosixPath(folder).name
        return 0 if _DERIVED.search(name) else 2 if _IMAGE.search(folder) else 1

    def mask_score(self, folder: str) -> float:
        """How much a folder is like one of masks; the name of the last folder counts most."""
        name = PurePosixPath(folder).name
        return 2.0 * bool(_MASK.search(name)) - 2.0 * bool(_DERIVED.search(name)) + self._share_of_masks(folder)

    def looks_like_masks(self, folder: str) -> bool:
        """Whether the files have few values, as masks do."""
        return self._share_of_masks(folder) > 0.5

    def by_content(self) -> list[str]:
        """The folders whose files look like masks, if there are others whose files do not."""
        masks = [folder for folder in self._tree.pictures if self.looks_like_masks(folder)]
        return masks if len(masks) < len(self._tree.pictures) else []

    def _measure(self, folder: str) -> float:
        names = self._tree.pictures[folder][:_READ]
        return sum(_has_few_values(self._tree, join(folder, name)) for name in names) / len(names)


def _has_few_values(tree: Tree, file: str) -> bool:
    try:
        pixels = read_mask(tree.path(file), colors=True)
    except ImageError:
        return False
    return len(np.unique(pixels)) <= _FEW_VALUES
