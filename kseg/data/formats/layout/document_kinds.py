"""What a text file of a data set is, by a look into it: COCO, LabelMe, YOLO's lines, a manifest."""

from __future__ import annotations

import csv
import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from kseg.data.formats.layout.tree import Tree, join

__all__ = ["LinesOfYolo", "coco_files", "head", "is_coco", "is_labelme", "is_manifest", "label_files", "lines_of_yolo"]

LinesOfYolo = Literal["polygons", "boxes"]

_HEAD: Final = 1 << 16
"""Bytes at the beginning of a file that are searched first."""
_COCO_KEYS: Final = ("images", "annotations", "categories")
_TOLERANCE: Final = 0.02
_MOST_READ: Final = 20
"""Files of a kind that are opened to recognise it."""
_MOST_DOCUMENTS: Final = 50
"""COCO files in a folder: a folder with more JSON files has them for something else."""
_NOT_LABELS: Final = frozenset({
    "classes.txt", "labels.txt", "notes.txt", "readme.txt", "train.txt", "val.txt", "valid.txt", "test.txt",
    "trainval.txt", "license.txt", "readme.roboflow.txt", "readme.dataset.txt",
})  # fmt: skip


def coco_files(tree: Tree) -> list[str]:
    """The COCO files, by a search for their keys; JSON files with the name of a picture are not opened."""
    files = []
    for folder, names in tree.files.items():
        documents = [
            name for name in names
            if name.lower().endswith(".json") and os.path.splitext(name)[0] not in tree.all_stems
        ]  # fmt: skip
        files += [join(folder, name) for name in documents[:_MOST_DOCUMENTS] if is_coco(tree.path(join(folder, name)))]
    return files


def is_coco(path: Path) -> bool:
    """Whether a file is JSON with images, annotations and categories; it is searched, not parsed."""
    start = head(path)
    return (
        start.lstrip().startswith("{")
        and any(f'"{key}"' in start for key in (*_COCO_KEYS, "info", "licenses"))
        and _holds(path, _COCO_KEYS)
    )


def _holds(path: Path, keys: Iterable[str]) -> bool:
    """Whether a file holds these keys anywhere: those of a large COCO file are far apart."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return all(data.find(f'"{key}"'.encode()) >= 0 for key in keys)
    except (OSError, ValueError):  # empty, or not readable
        return False


def is_labelme(path: Path) -> bool:
    """Whether a file is JSON with shapes."""
    start = head(path)
    return start.lstrip().startswith("{") and (
        '"shapes"' in start or ('"imagePath"' in start and _holds(path, ["shapes"]))
    )


def label_files(tree: Tree, folder: str) -> list[str]:
    """The names of the JSON files of a folder, if the first of them are LabelMe's; else none."""
    names = [name for name in tree.files[folder] if name.lower().endswith(".json")]
    # Those with the name of a picture first: there may be others, such as settings.
    names.sort(key=lambda name: os.path.splitext(name)[0] not in tree.all_stems)
    first = names[:_MOST_READ]
    return names if any(is_labelme(tree.path(join(folder, name))) for name in first) else []


def lines_of_yolo(tree: Tree, folder: str, stems: frozenset[str]) -> LinesOfYolo | None:
    """What the text files of a folder hold, if they are YOLO's: polygons, or boxes only.

    Args:
        tree: The files.
        folder: A folder of text files.
        stems: The stems of the images for it, whose files are read first.
    """
    texts = [name for name in tree.files[folder] if name.lower().endswith(".txt") and name.lower() not in _NOT_LABELS]
    texts.sort(key=lambda name: os.path.splitext(name)[0] not in stems)
    kinds = [kind for name in texts[:_MOST_READ] if (kind := _kind_of_lines(tree.path(join(folder, name)))) != ""]
    if not kinds or kinds.count(None) * 2 > len(kinds):
        return None
    return "polygons" if "polygons" in kinds else "boxes"


def _kind_of_lines(path: Path) -> LinesOfYolo | Literal[""] | None:
    """The kind of a file's first lines; "" if it is empty, None if they are no labels."""
    lines = [line.split() for line in head(path).splitlines()[:_MOST_READ] if line.strip()]
    try:
        numbers = [[float(word) for word in words] for words in lines]
    except ValueError:
        return None
    if not numbers:
        return ""
    is_label = all(
        len(line) >= 5 and line[0] >= 0 and line[0].is_integer()
        and min(line[1:]) >= -_TOLERANCE and max(line[1:]) <= 1 + _TOLERANCE
        for line in numbers[:-1] or numbers
    )  # fmt: skip
    return None if not is_label else "polygons" if any(len(line) >= 7 for line in numbers) else "boxes"


def is_manifest(path: Path) -> bool:
    """Whether a file is a table with the columns image and mask."""
    header = head(path).partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
    try:
        cells = next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        return False
    return {"image", "mask"} <= {cell.strip().lower() for cell in cells}


def head(path: Path) -> str:
    """The beginning of a text file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD).decode("utf-8-sig", "surrogateescape")
    except OSError:
        return ""
