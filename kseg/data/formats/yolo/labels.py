"""The text files of YOLO: where those of the images are, which of them are labels, and their lines."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kseg.data.formats.document import read_lines
from kseg.data.formats.outlines import FRACTION_SLACK
from kseg.data.formats.walk import visible_folders
from kseg.data.names import NameIndex, is_hidden
from kseg.images import printable

__all__ = ["BOX", "Line", "TextFiles", "parse"]

BOX: Final = "a box instead of an outline"
_SUFFIX: Final = ".txt"
_IMAGES: Final = "images"
_LABELS: Final = ("labels", "Labels", "LABELS")
_NAMES: Final = ("classes.txt", "obj.names", "classes.names")
"""Files of class names, in lower case, as labelling tools leave them among the labels."""


class TextFiles:
    """Finds the label files of images.

    Args:
        root: The folder of the data set.
        folder: The folder of the labels; None: ``labels`` in place of the last ``images`` in an image's path, or beside
            the image, as for Ultralytics.
    """

    def __init__(self, root: Path, folder: Path | None) -> None:
        self._root = root
        self._folder = folder
        self._by_stem: dict[Path, NameIndex[Path]] = {}
        self._common = [root / name for name in _LABELS]
        self._candidates: dict[Path, list[Path]] = {}

    def of(self, image: Path, key: str) -> Path | None:
        """The label file of an image; None if it has none.

        Args:
            image: The image.
            key: Its path below the folder of the images, without suffix.
        """
        for stem in self._stems(image, key):
            file = self._in(stem.parent).find(stem.name)
            if file is not None:
                return file
        return None

    def folders(self, folders_of_images: Iterable[Path]) -> list[Path]:
        """The folders of the labels for folders of images; where there is none, the one that Ultralytics expects."""
        if self._folder is not None:
            return [self._folder]
        return [self._existing(folder)[0] for folder in folders_of_images]

    def _existing(self, images: Path) -> list[Path]:
        """Where the labels for a folder of images may be: existing folders of labels, else the folder itself."""
        if images not in self._candidates:
            expected = list(_replaced(images, self._root)) or self._common
            existing = [folder for folder in expected if folder.is_dir()]
            self._candidates[images] = existing or ([images] if self._has_texts(images) else expected[:1])
        return self._candidates[images]

    def _stems(self, image: Path, key: str) -> Iterator[Path]:
        if self._folder is not None:
            yield self._folder / key
            return
        for folder in self._existing(image.parent):
            is_common = folder in self._common and image.parent.name.lower() != _IMAGES
            yield folder / (key if is_common else image.stem)

    def _in(self, folder: Path) -> NameIndex[Path]:
        """The text files of a folder by stem; each folder is listed once."""
        if folder not in self._by_stem:
            self._by_stem[folder] = NameIndex({os.path.splitext(name)[0]: folder / name for name in _texts(folder)})
        return self._by_stem[folder]

    def _has_texts(self, folder: Path) -> bool:
        return any(_holds_labels(folder / name) for name in _texts(folder))

    def without_image(self, folders: Iterable[Path], taken: Iterable[Path]) -> list[Path]:
        """The label files in these folders, at any depth, that belong to no image.

        Args:
            folders: The folders of labels.
            taken: The label files of images.
        """
        taken = set(taken)
        texts = {parent / name for folder in folders for parent, names in visible_folders(folder) for name in names
                 if name.lower().endswith(_SUFFIX)}  # fmt: skip
        return sorted(path for path in texts - taken if _holds_labels(path))

    def class_names(self, folders: Iterable[Path]) -> list[Path]:
        """The files of class names in folders of labels, in the folders above them, and in the root."""
        above = (parent for folder in folders for parent in (folder, *folder.parents) if self._is_below(parent))
        return [
            folder / name for folder in dict.fromkeys([*above, self._root]) if folder.is_dir()
            for name in sorted(os.listdir(folder)) if name.lower() in _NAMES
        ]  # fmt: skip

    def _is_below(self, folder: Path) -> bool:
        return folder.is_relative_to(self._root)


def _texts(folder: Path) -> list[str]:
    """The names of the text files of a folder, but hidden ones; none if there is no such folder."""
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    return [name for name in names if name.lower().endswith(_SUFFIX) and not is_hidden(name)]


def _replaced(images: Path, root: Path) -> Iterator[Path]:
    """A folder of images with ``labels`` in place of a part named ``images``, the last one first."""
    parts = images.relative_to(root).parts if images.is_relative_to(root) else ()
    for i in reversed(range(len(parts))):
        if parts[i].lower() == _IMAGES:
            yield from (root.joinpath(*parts[:i], name, *parts[i + 1 :]) for name in _LABELS)


def _holds_labels(path: Path) -> bool:
    """Whether a text file without an image may hold labels; notes, licences and lists of names do not."""
    first = next((line.split()[0] for line in read_lines(path) if line.strip()), "0")
    return path.name.lower() not in _NAMES and bool(_numbers([first]))


@dataclass(frozen=True)
class Line:
    """A line of a label file.

    Args:
        place: File and line number, for messages.
        index: The class index; None if it has none.
        fractions: The outline ``[x0, y0, x1, y1, …]`` in 0..1.
        reason: Why it cannot be drawn, as far as the line itself shows; else None.
    """

    place: str
    index: int | None
    fractions: list[float]
    reason: str | None


def parse(path: Path) -> list[Line]:
    """The lines of a label file that are not blank. Raises DataError where it is no text."""
    lines = []
    for number, line in enumerate(read_lines(path), 1):
        words = line.split()
        if words:
            numbers = _numbers(words)
            has_class = bool(numbers) and math.isfinite(numbers[0]) and numbers[0].is_integer() and numbers[0] >= 0
            place = f"{printable(path.name)} line {number}"
            lines.append(Line(place, int(numbers[0]) if has_class else None, numbers[1:], _reason(numbers, has_class)))
    return lines


def _numbers(words: Sequence[str]) -> list[float]:
    """The words as numbers; empty if one of them is not a number."""
    try:
        return [float(word) for word in words]
    except ValueError:
        return []


def _reason(numbers: Sequence[float], has_class: bool) -> str | None:
    if not numbers or not all(map(math.isfinite, numbers)):
        return "a line that is not all numbers"
    if not has_class:
        return "a class index that is no whole number"
    if len(numbers) == 5:
        return BOX
    if min(numbers[1:], default=0) < -FRACTION_SLACK or max(numbers[1:], default=0) > 1 + FRACTION_SLACK:
        return "coordinates outside 0..1"
    return None
