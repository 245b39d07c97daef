"""Recognise the folders of formats with annotations for the whole data set or a split: COCO, VOC, a manifest."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from kseg.data.formats.layout.coco_images import coco_images
from kseg.data.formats.layout.document_kinds import coco_files, is_manifest
from kseg.data.formats.layout.path_patterns import as_yaml, covers
from kseg.data.formats.layout.reading import LayoutReading
from kseg.data.formats.layout.split_names import group_by_split
from kseg.data.formats.layout.tree import Tree, join
from kseg.data.formats.legend.find import find_legend
from kseg.data.formats.voc import NAMES
from kseg.data.question import Question
from kseg.data.sample import SPLITS
from kseg.data.spec import Lists
from kseg.errors import abbreviate

__all__ = ["coco", "manifest", "voc"]

_OTHER_TASKS: Final = re.compile(r"keypoints|captions|panoptic|stuff|image_info", re.IGNORECASE)
"""COCO's annotation files of other tasks than the segmentation of objects."""


def coco(tree: Tree, annotations: str | None = None) -> LayoutReading | None:
    """COCO: JSON files with images, annotations and categories.

    Args:
        tree: The files.
        annotations: The file, with ``{split}`` in it or not, if the user says so.
    """
    every = coco_files(tree)
    files = [file for file in every if not _OTHER_TASKS.search(PurePosixPath(file).name)] or every
    spare = {file: "COCO annotations of another task" for file in every if file not in files}
    if annotations is not None:
        files = [file for file in every if covers(annotations, file)]
        spare |= {file: "not chosen" for file in every if file not in files}
    if not files:
        return None
    images_of = {file: coco_images(tree, file) for file in files}
    groups = group_by_split([(images_of[file].folder, file) for file in files])
    group = max(groups, key=lambda group: (len(group.members), -files.index(group.members[0][1])))
    first = group.members[0][1]
    images, path = group.paths
    settings = {"format": "coco", "images": images or ".", "annotations": path, **group.split}
    rivals = [row[1] for other in groups if other is not group for row in other.members]
    other_images = [folder for folder in images_of[first].rivals if not group.names]
    # The one that is read is named, too: with another answer it is not.
    not_chosen = [*rivals, *([images, *other_images] if other_images else [])]
    return LayoutReading(
        settings, f"{first} holds images, annotations and categories",
        (*_which_file(path, rivals), *_which_images(images, other_images, first)),
        {**spare, **dict.fromkeys(not_chosen, "not chosen")}, claims=tuple(every),
    )  # fmt: skip


def _which_file(annotations: str, rivals: Sequence[str]) -> tuple[Question, ...]:
    if not rivals:
        return ()
    return (
        Question(
            f"which file holds the annotations: {annotations} or {abbreviate(rivals)}?",
            "each of them describes images and their ground truth", {"data.annotations": annotations},
            otherwise=f"set data.annotations: {as_yaml(rivals[0])}",
        ),
    )  # fmt: skip


def _which_images(images: str, rivals: Sequence[str], annotations: str) -> tuple[Question, ...]:
    if not rivals:
        return ()
    return (
        Question(
            f"which folder holds the images: {images or '.'} or {abbreviate(rivals)}?",
            f"each has the file names of {annotations}", {"data.images": images or "."},
            otherwise=f"set data.images: {as_yaml(rivals[0])}",
        ),
    )  # fmt: skip


def voc(tree: Tree) -> LayoutReading | None:
    """Pascal VOC: ``JPEGImages`` and ``SegmentationClass``, once, with masks of the same names as images.

    Labelling tools export their own classes in these folders, and say them in a legend.
    """
    folders = [folder for folder in tree.pictures if PurePosixPath(folder).name == "SegmentationClass"]
    if len(folders) != 1:
        return None
    masks, parent = folders[0], os.path.dirname(folders[0])
    images = join(parent, "JPEGImages")
    common = tree.stems.get(images, frozenset()) & tree.stems[masks]
    if 2 * len(common) < len(tree.stems[masks]):
        return None
    lists_of = {name: join(parent, f"ImageSets/Segmentation/{name}.txt") for name in SPLITS}
    existing = {name: path if tree.path(path).is_file() else "" for name, path in lists_of.items()}
    split = {"split": Lists(*existing.values())} if existing["train"] else {}
    spare = {
        images: "VOC's images without a mask, which are for detection",
        join(parent, "SegmentationObject"): "VOC's masks of instances",
        join(parent, "ImageSets"): "VOC's lists of other splits and tasks",
    }
    form = "folders" if _has_other_classes(tree, masks) else "voc"
    settings = {"format": form, "images": images, "masks": masks, **split}
    why = f"{images} and {masks} are VOC's folders"
    return LayoutReading(settings, why, spare=spare, claims=(masks,))


def _has_other_classes(tree: Tree, masks: str) -> bool:
    """Whether a legend beside the masks names classes that are not Pascal VOC's."""
    legend = find_legend(tree.root, [tree.path(masks)])
    return legend is not None and not set(legend.names) <= set(NAMES)


def manifest(tree: Tree, annotations: str | None = None) -> LayoutReading | None:
    """A manifest: a table in the root with the columns image and mask.

    Args:
        tree: The files.
        annotations: The table, if the user says so.
    """
    tables = [file for file in tree.named(".csv", ".tsv") if "/" not in file and is_manifest(tree.path(file))]
    if annotations is not None:
        tables.sort(key=lambda file: not covers(annotations, file))
    if not tables or (annotations is not None and not covers(annotations, tables[0])):
        return None
    settings = {"format": "manifest", "annotations": tables[0]}
    return LayoutReading(
        settings, f"{tables[0]} has the columns image and mask", _which_file(tables[0], tables[1:]),
        dict.fromkeys(tables[1:], "not chosen"), claims=tuple(tables),
    )  # fmt: skip
