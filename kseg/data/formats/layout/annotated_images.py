"""Recognise the folders of formats with a file of annotations for each image: YOLO and LabelMe."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Final

import yaml

from kseg.data.formats.layout.document_kinds import head, label_files, lines_of_yolo
from kseg.data.formats.layout.path_patterns import as_yaml, common_folder, covers
from kseg.data.formats.layout.reading import LayoutReading
from kseg.data.formats.layout.split_names import PathGroup, group_by_split
from kseg.data.formats.layout.tree import Tree, join
from kseg.data.question import Question
from kseg.errors import abbreviate

__all__ = ["labelme", "yolo"]

_LABELS: Final = "labels"
_YAML: Final = (".yaml", ".yml")


# --- YOLO -------------------------------------------------------------------------------------------------------------


def yolo(tree: Tree, annotations: str | None = None) -> LayoutReading | None:
    """YOLO: text files of polygons, with or without a ``data.yaml``.

    Text files of boxes only are read only where there is nothing else, for the reader's message.

    Args:
        tree: The files.
        annotations: The YAML file or the folder of the labels, if the user says so.
    """
    kinds = {
        folder: kind
        for folder in _label_folders(tree)
        if (kind := lines_of_yolo(tree, folder, _stems_for(folder, tree)))
    }
    described = [file for file in tree.named(*_YAML) if _describes(tree, file)]
    if annotations is not None:
        kinds = {folder: kind for folder, kind in kinds.items() if described or covers(annotations, folder)}
        described = [file for file in described if covers(annotations, file)]
    if not kinds or (annotations is not None and not described and annotations.endswith(_YAML)):
        return None
    claims = tuple(
        folder if folder not in tree.pictures else f"{folder or '.'}/*.txt".removeprefix("./") for folder in kinds
    )
    is_boxes = "polygons" not in kinds.values()
    rows = [(images, folder) for folder in kinds if (images := _images_beside(folder, tree)) is not None]
    if described:
        return LayoutReading(
            {"format": "yolo", "annotations": described[0]}, f"{described[0]} describes YOLO's labels",
            _which_yaml(described), dict.fromkeys(described[1:], "not chosen"), claims, is_doubtful=is_boxes,
        )  # fmt: skip
    if not rows:
        return None
    group = _largest(group_by_split(rows), tree)
    images, annotations = group.paths
    settings = {"format": "yolo", "images": images or ".", "annotations": annotations or ".", **group.split}
    what = "boxes" if is_boxes else "polygons"
    return LayoutReading(
        settings, f"{rows[0][1] or '.'} holds YOLO's text files of {what}", claims=claims, is_doubtful=is_boxes
    )


def _which_yaml(described: Sequence[str]) -> tuple[Question, ...]:
    if len(described) == 1:
        return ()
    return (
        Question(
            f"which file describes the data: {abbreviate(described)}?", "each names images for training",
            {"data.annotations": described[0]}, otherwise=f"set data.annotations: {as_yaml(described[1])}",
        ),
    )  # fmt: skip


def _label_folders(tree: Tree) -> list[str]:
    """The folders that may hold label files: below ``labels``, or with images."""
    return [folder for folder in tree.files if _LABELS in folder.lower().split("/") or folder in tree.pictures]


def _stems_for(labels: str, tree: Tree) -> frozenset[str]:
    return tree.stems.get(_images_beside(labels, tree) or "", frozenset())


def _images_beside(labels: str, tree: Tree) -> str | None:
    """The image folder of a label folder: the same path with ``images`` for the last ``labels``, else the folder."""
    parts = labels.split("/")
    positions = [i for i, part in enumerate(parts) if part.lower() == _LABELS]
    if positions:
        parts[positions[-1]] = "images"
    images = "/".join(parts)
    # Images straight in the folder that holds the labels.
    above = "/".join(part for i, part in enumerate(labels.split("/")) if i not in positions[-1:])
    return next((folder for folder in (images, above) if folder in tree.pictures), None)


def _largest(groups: Iterable[PathGroup], tree: Tree) -> PathGroup:
    return max(groups, key=lambda group: sum(len(tree.pictures[row[0]]) for row in group.members))


def _describes(tree: Tree, file: str) -> bool:
    """Whether a YAML file says where images for training are."""
    text = head(tree.path(file))
    if "train" not in text:
        return False
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return "names" in text  # the reader has the message
    return isinstance(content, dict) and isinstance(content.get("train"), (str, list)) and (
        "names" in content or "nc" in content or "val" in content
    )  # fmt: skip


# --- LabelMe ----------------------------------------------------------------------------------------------------------


def labelme(tree: Tree, annotations: str | None = None) -> LayoutReading | None:
    """LabelMe: a JSON file with shapes for each image, beside it or in a folder of their own.

    Args:
        tree: The files.
        annotations: The folder of the JSON files, if the user says so.
    """
    folders = [folder for folder in tree.files if annotations is None or covers(annotations, folder)]
    files_of = {folder: names for folder in folders if (names := label_files(tree, folder))}
    if not files_of:
        return None
    claims = tuple(join(folder, "*.json") for folder in files_of)
    rows = [(_images_for(folder, names, tree), folder) for folder, names in files_of.items()]
    groups = group_by_split([(row[0],) if row[0] == row[1] else row for row in rows])
    settings: dict[str, object] = {"format": "labelme"}
    if len(groups) == 1:
        images, labels = groups[0].paths[0], groups[0].paths[-1]
        settings |= groups[0].split
    else:
        images, labels = (common_folder([row[i] for row in rows]) for i in (0, 1))
    settings["images"] = images or "."
    if images != labels:
        settings["annotations"] = labels or "."
    where = "beside each image" if images == labels else f"for each image of {images or '.'}"
    return LayoutReading(settings, f"{rows[0][1] or '.'} holds a JSON file with shapes {where}", claims=claims)


def _images_for(labels: str, files: Sequence[str], tree: Tree) -> str:
    """The folder with most images for the label files of a folder; that folder itself if there are none."""
    stems = {os.path.splitext(name)[0] for name in files}
    counts = {folder: len(stems & stems_of) for folder, stems_of in tree.stems.items()}
    return (
        max(counts, key=lambda folder: (counts[folder], folder == labels), default=labels)
        if any(counts.values())
        else labels
    )
