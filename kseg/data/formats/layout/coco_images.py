"""The folder with the images of a COCO file, by the names in it, which are searched, not parsed."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kseg.data.formats.image_names import readings
from kseg.data.formats.layout.folder_roles import role_of
from kseg.data.formats.layout.path_patterns import common_folder
from kseg.data.formats.layout.tree import Tree

__all__ = ["CocoImages", "coco_images"]

_FILE_NAME: Final = re.compile(rb'"file_name"\s*:\s*"((?:[^"\\]|\\.)+)"')
_MOST_READ: Final = 20
"""Names of images without a folder that are looked for."""
_RANK: Final = {"image": 0, "": 1}


@dataclass(frozen=True)
class CocoImages:
    """Where the images of a COCO file are.

    Args:
        folder: Their folder; that of all of them, if they are in several.
        rivals: Other folders with files of the same names, where nothing says which one is meant.
    """

    folder: str
    rivals: tuple[str, ...] = ()


def coco_images(tree: Tree, file: str) -> CocoImages:
    """Find the images of a COCO file: by the names in it; else the folder named like it; else the largest."""
    candidates = [candidates for names in _names(tree, file) if (candidates := _holding(names, tree, file))]
    if candidates:
        rivals = tuple(candidates[0][1:]) if len(candidates) == 1 or candidates.count(candidates[0]) > 1 else ()
        return CocoImages(common_folder([folders[0] for folders in candidates]), rivals)
    named = [folder for folder in tree.pictures if folder and os.path.basename(folder).lower() in file.lower()]
    largest = max(tree.pictures, key=lambda folder: len(tree.pictures[folder]), default="images")
    return CocoImages(max(named, key=lambda folder: len(os.path.basename(folder)), default=largest))


def _names(tree: Tree, file: str) -> list[Sequence[str]]:
    """The paths that names of images may stand for: of one image of each folder, and of some without a folder."""
    by_folder: dict[str, str] = {}
    bare: list[str] = []
    with tree.path(file).open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for match in _FILE_NAME.finditer(data):
            name = match[1].decode("utf-8", "surrogateescape").replace("\\\\", "/").replace("\\/", "/")
            folder = os.path.dirname(name)
            if folder:
                by_folder.setdefault(folder, name)
            elif len(bare) < _MOST_READ:
                bare.append(name)
            elif not by_folder:
                break
    return [readings(name) for name in (*by_folder.values(), *bare)]


def _holding(names: Sequence[str], tree: Tree, file: str) -> list[str]:
    """The folders that hold an image of one of these names, the likeliest first; one alone where something says so."""
    for name in names:
        folder, base = os.path.split(name)
        holding = [candidate for candidate, pictures in tree.pictures.items() if base in pictures]
        if holding:
            return _likeliest(holding, folder, file)
    return []


def _likeliest(holding: Sequence[str], folder: str, file: str) -> list[str]:
    """Those whose path ends with the name's folder, or next to the annotations, or named like them; else all."""
    stem = os.path.splitext(file)[0].lower()
    rules = (
        [candidate for candidate in holding if folder and f"/{candidate}".endswith(f"/{folder}")],
        [candidate for candidate in holding if candidate == os.path.dirname(file)],
        [candidate for candidate in holding if candidate and os.path.basename(candidate).lower() in stem],
    )
    likely = next((same for same in rules if same), holding)
    best = min(_RANK.get(role_of(candidate), 2) for candidate in likely)
    return sorted(
        (candidate for candidate in likely if _RANK.get(role_of(candidate), 2) == best),
        key=lambda path: (len(path), path),
    )
