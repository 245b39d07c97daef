"""Which folders hold images, masks, or what is derived from images, by their names and by what is in them."""

from __future__ import annotations

import re
from functools import cache
from typing import Final, Literal

import numpy as np

from kseg.data.formats.layout.path_patterns import common_folder
from kseg.data.formats.layout.tree import Tree, join
from kseg.errors import ImageError
from kseg.images import read_mask

__all__ = ["Role", "Roles", "role_of", "role_of_name"]

Role = Literal["image", "mask", "derived", ""]
"""What a name says that pictures are; "" if nothing."""

_NEITHER: Final = re.compile(r"un-?(?:labell?ed|annotated|masked)|(?:labell?|annotat)ed")
"""Adjectives: ``unlabeled`` pictures are no labels."""
_DERIVED: Final = re.compile(
    r"overlay|depth|disparit|visuali|predict|preview|thumb|blend|heat_?map|edge_?map|optical|masked"
    r"|\b(?:vis|viz|preds?|edges?|normals|flows?|thermal|results?|outputs?|debug)\b"
)
_MASK: Final = re.compile(
    r"mask|annot|label|truth|segm|trimap|target|manual|semantic|instance|panoptic"
    r"|\b(?:gts?|seg|segs|lbls?|anns?|anno|annos)\b|(?:train|val|valid|test)(?:gt|seg|ann)\b"
)
_IMAGE: Final = re.compile(
    r"image|photo|picture|jpeg|source|frame|original|input|\b(?:imgs?|jpe?gs?|pics?|raw|rgb|src|scans?|orig)\b"
)
_ROLES: Final[tuple[tuple[re.Pattern[str], Role], ...]] = ((_DERIVED, "derived"), (_MASK, "mask"), (_IMAGE, "image"))
"""In the order in which they count: an overlay of masks is no mask, and the masks of images are."""

_READ: Final = 5
_FOLDERS_READ: Final = 40
_FEW_VALUES: Final = 64
"""Masks have fewer different values or colours; a photograph has thousands."""


def role_of_name(name: str) -> Role:
    """What the name of a folder or a part of a file's name says: ``trainannot`` → mask, ``depth`` → derived."""
    words = _NEITHER.sub(" ", _in_words(name))
    return next((role for pattern, role in _ROLES if pattern.search(words)), "")


@cache
def role_of(folder: str) -> Role:
    """What the path of a folder says; the innermost folder that says anything counts: ``masks/train`` → mask."""
    roles = (role_of_name(name) for name in reversed(folder.split("/")))
    return next((role for role in roles if role), "")


def _in_words(name: str) -> str:
    """The name in lower case, with blanks between its words: ``SegmentationClass_2`` → ``segmentation class``."""
    separate = re.sub(r"(?<=[a-z])(?=[A-Z])|[\W\d_]+", " ", name)
    return separate.lower()


class Roles:
    """What the pictures of the folders look like.

    Args:
        tree: The files.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._shared = len(common_folder(tree.pictures)) if tree.pictures else 0
        self._shares: dict[tuple[str, tuple[str, ...]], float] = {}

    def role_of(self, folder: str) -> Role:
        """What the path of a folder says, below the folder that all pictures have in common."""
        return role_of(folder[self._shared :].strip("/"))

    def look_like_masks(self, folder: str, names: tuple[str, ...] | None = None) -> bool:
        """Whether pictures have few values, as masks do.

        Args:
            folder: Their folder.
            names: Their names. Defaults to all.
        """
        names = (self._tree.pictures[folder] if names is None else names)[:_READ]
        if (folder, names) not in self._shares:
            few = sum(_has_few_values(self._tree, join(folder, name)) for name in names)
            self._shares[folder, names] = few / max(len(names), 1)
        return self._shares[folder, names] > 0.5

    def by_content(self) -> list[str]:
        """The folders whose pictures look like masks, if there are others whose pictures do not.

        Folders whose names say that they hold images, or what is derived from images, are not among them.
        """
        nameless = [folder for folder in self._tree.pictures if not self.role_of(folder)]
        if not nameless or len(nameless) > _FOLDERS_READ:
            return []
        masks = [folder for folder in nameless if self.look_like_masks(folder)]
        others = [folder for folder in self._tree.pictures if folder not in masks]
        return (
            masks
            if any(self.role_of(folder) == "image" or not self.look_like_masks(folder) for folder in others)
            else []
        )


def _has_few_values(tree: Tree, file: str) -> bool:
    try:
        pixels = read_mask(tree.path(file), colors=True)
    except ImageError:
        return False
    return len(np.unique(pixels)) <= _FEW_VALUES
