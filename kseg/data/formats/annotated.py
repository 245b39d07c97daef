"""Recognise the folders of annotation formats: COCO, YOLO, VOC, LabelMe, a manifest."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kseg.data.formats.layout_reading import LayoutReading
from kseg.data.formats.split_names import PathGroup, group_by_split
from kseg.data.formats.tree import Tree, join
from kseg.data.sample import SPLITS
from kseg.data.spec import Lists

__all__ = ["coco", "is_annotation", "labelme", "manifest", "voc", "yolo"]

_HEAD: Final = 1 << 20
"""Bytes of a JSON file that are searched, at its beginning and at its end."""
_COCO_KEYS: Final = ("images", "annotations", "categories")
_OTHER_TASKS: Final = re.compile(r"keypoints|captions|panoptic|stuff|image_info", re.IGNORECASE)
"""COCO's annotation files of other tasks than the segmentation of objects."""
_FILE_NAME: Final = re.compile(r'"file_name"\s*:\s*"((?:[^"\\]|\\.)+)"')
_YOLO_YAML: Final = re.compile(r"^(train|names)\s*:", re.MULTILINE)
_NOT_LABELS: Final = frozenset({"classes.txt", "labels.txt", "notes.txt", "readme.txt", "train.txt", "val.txt"})
_TOLERANCE: Final = 0.02
_MOST_READ: Final = 20
"""Files of a kind that are opened to recognise it."""


def is_annotation(tree: Tree, file: str) -> bool:
    """Whether a file is one of annotations: COCO or LabelMe JSON, YOLO's polygons, a manifest, or a list of a split."""
    path, name = tree.path(file), Path(file).name.lower()
    if name.endswith(".json"):
        return _holds(path, _COCO_KEYS) or _holds(path, ("shapes",))
    if name.endswith((".csv", ".tsv")):
        return _is_manifest(path)
    if name in {f"{split}.txt" for split in ("train", "val", "valid", "test", "trainval")}:
        return True
    return name.endswith(".txt") and "labels" in Path(file).parts[:-1] and _is_polygons(path) is True


def coco(tree: Tree) -> LayoutReading | None:
    """COCO: JSON files with images, annotations and categories."""
    files = [file for file in tree.named(".json") if _holds(tree.path(file), _COCO_KEYS)]
    others = [file for file in files if _OTHER_TASKS.search(Path(file).name)]
    files = [file for file in files if file not in others] or files
    if not files:
        return None
    groups = group_by_split([(_images_of(file, tree), file) for file in files])
    group = max(groups, key=lambda group: (len(group.members), -files.index(group.members[0][1])))
    images, annotations = group.paths
    settings = {"format": "coco", "images": images or ".", "annotations": annotations, **group.split}
    spare = {file: "COCO annotations of another task" for file in others if file not in files}
    return LayoutReading(settings, f"{group.members[0][1]} holds images, annotations and categories", spare=spare)


def _images_of(file: str, tree: Tree) -> str:
    """The folder with the images that a COCO file names; else the one whose name is in the file's; else the largest."""
    names = [name.replace("\\\\", "/").replace("\\/", "/") for name in _FILE_NAME.findall(_head(tree.path(file)))]
    folders = {_folder_with(name, tree, beside=os.path.dirname(file)) for name in names[:_MOST_READ]} - {None}
    if folders:
        return _common_folder({folder for folder in folders if folder is not None})
    named = [folder for folder in tree.pictures if folder and Path(folder).name.lower() in Path(file).stem.lower()]
    largest = max(tree.pictures, key=lambda folder: len(tree.pictures[folder]), default="images")
    return max(named, key=lambda folder: len(Path(folder).name), default=largest)


def _folder_with(name: str, tree: Tree, *, beside: str) -> str | None:
    """The folder that holds an image of this name, without the folders that the name itself has; None if none does."""
    folder, base = os.path.split(name)
    holding = [candidate for candidate, pictures in tree.pictures.items() if base in pictures]
    # Next to the annotations first, then the folder whose path the name ends with.
    holding.sort(key=lambda candidate: (candidate != beside, not candidate.endswith(folder)))
    if not holding:
        return None
    return holding[0].removesuffix(folder).rstrip("/") if folder else holding[0]


def _common_folder(folders: Iterable[str]) -> str:
    return os.path.commonpath([f"/{folder}" for folder in folders]).strip("/")


def yolo(tree: Tree) -> LayoutReading | None:
    """YOLO: text files of polygons, with or without a ``data.yaml``."""
    labels = [folder for folder, names in tree.files.items() if _has_polygons(tree, folder, names)]
    if not labels:
        return None
    described = [file for file in tree.named(".yaml", ".yml") if "/" not in file and _is_yolo_yaml(tree.path(file))]
    if len(described) == 1:
        return LayoutReading({"format": "yolo", "annotations": described[0]}, f"{described[0]} describes it")
    rows = [(images, folder) for folder in labels if (images := _images_beside(folder, tree)) is not None]
    if not rows:
        return None
    group = _largest(group_by_split(rows), tree)
    images, annotations = group.paths
    settings = {"format": "yolo", "images": images or ".", "annotations": annotations or ".", **group.split}
    return LayoutReading(settings, f"{labels[0] or '.'} holds text files of polygons")


def _largest(groups: Iterable[PathGroup], tree: Tree) -> PathGroup:
    return max(groups, key=lambda group: sum(len(tree.pictures[row[0]]) for row in group.members))


def _images_beside(labels: str, tree: Tree) -> str | None:
    """The image folder of a label folder: the same path with ``images`` for the last ``labels``, else the folder."""
    parts = labels.split("/")
    positions = [i for i, part in enumerate(parts) if part.lower() == "labels"]
    if positions:
        parts[positions[-1]] = "images"
    images = "/".join(parts)
    return images if images in tree.pictures else None


def _has_polygons(tree: Tree, folder: str, names: Iterable[str]) -> bool:
    if "labels" not in folder.lower().split("/") and folder not in tree.pictures:
        return False
    stems = tree.stems.get(_images_beside(folder, tree) or "", frozenset())
    texts = [name for name in names if name.lower().endswith(".txt") and name.lower() not in _NOT_LABELS]
    texts = [name for name in texts if os.path.splitext(name)[0] in stems] or texts
    answers = (_is_polygons(tree.path(join(folder, name))) for name in texts[:_MOST_READ])
    return next((answer for answer in answers if answer is not None), False)


def _is_polygons(path: Path) -> bool | None:
    """Whether a text file has lines of a class index and numbers in 0..1; None if it is empty."""
    try:
        words = path.read_text("utf-8-sig").split("\n", 1)[0].split()
        numbers = [float(word) for word in words[1:]]
    except (OSError, ValueError):
        return False
    if not words:
        return None
    inside = all(-_TOLERANCE <= number <= 1 + _TOLERANCE for number in numbers)
    return words[0].isdecimal() and len(numbers) >= 4 and inside


def _is_yolo_yaml(path: Path) -> bool:
    return bool(_YOLO_YAML.search(_head(path)))


def voc(tree: Tree) -> LayoutReading | None:
    """Pascal VOC: ``JPEGImages`` and ``SegmentationClass``."""
    for folder in tree.files:
        parent = os.path.dirname(folder)
        images = join(parent, "JPEGImages")
        if Path(folder).name == "SegmentationClass" and images in tree.files:
            lists_of = {name: join(parent, f"ImageSets/Segmentation/{name}.txt") for name in SPLITS}
            existing = {name: path if tree.path(path).is_file() else "" for name, path in lists_of.items()}
            split = {"split": Lists(*existing.values())} if existing["train"] else {}
            spare = {
                images: "VOC's images without a mask, which are for detection",
                join(parent, "SegmentationObject"): "VOC's masks of instances",
                join(parent, "ImageSets"): "VOC's lists of other splits and tasks",
            }
            settings = {"format": "voc", "images": images, "masks": folder, **split}
            return LayoutReading(settings, "JPEGImages and SegmentationClass are VOC's folders", spare=spare)
    return None


def labelme(tree: Tree) -> LayoutReading | None:
    """LabelMe: a JSON file with shapes beside each image."""
    folders = [folder for folder, names in tree.files.items() if _has_shapes(tree, folder, names)]
    if not folders:
        return None
    groups = group_by_split([(folder,) for folder in folders])
    if len(groups) == 1:
        settings = {"format": "labelme", "images": groups[0].paths[0] or ".", **groups[0].split}
    else:
        settings = {"format": "labelme", "images": _common_folder(folders) or "."}
    return LayoutReading(settings, f"{folders[0] or '.'} holds a JSON file with shapes beside each image")


def _has_shapes(tree: Tree, folder: str, names: Iterable[str]) -> bool:
    stems = tree.stems.get(folder, frozenset())
    documents = [name for name in names if name.lower().endswith(".json") and os.path.splitext(name)[0] in stems]
    return any(_holds(tree.path(join(folder, name)), ("shapes",)) for name in documents[:_MOST_READ])


def manifest(tree: Tree) -> LayoutReading | None:
    """A manifest: a table in the root with the columns image and mask."""
    tables = [file for file in tree.named(".csv", ".tsv") if "/" not in file and _is_manifest(tree.path(file))]
    if not tables:
        return None
    return LayoutReading(
        {"format": "manifest", "annotations": tables[0]}, f"{tables[0]} has the columns image and mask"
    )


def _is_manifest(path: Path) -> bool:
    header = _head(path).lstrip("\ufeff").partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
    try:
        cells = next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        return False
    return {"image", "mask"} <= {cell.strip().lower() for cell in cells}


def _holds(path: Path, keys: Iterable[str]) -> bool:
    """Whether a JSON file seems to have these keys, by a text search at its beginning and end; it is not parsed."""
    text = _head(path) + _tail(path)
    return all(f'"{key}"' in text for key in keys)


def _head(path: Path) -> str:
    """The beginning of a text file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def _tail(path: Path) -> str:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - _HEAD))
            return file.read().decode("utf-8", "surrogateescape") if size > _HEAD else ""
    except OSError:
        return ""
