"""Which files of a folder hold annotations, in any of the formats."""

from __future__ import annotations

from kseg.data.formats.layout.document_kinds import coco_files, is_manifest, label_files, lines_of_yolo
from kseg.data.formats.layout.split_lists import is_list
from kseg.data.formats.layout.tree import Tree, join

__all__ = ["annotation_files"]


def annotation_files(tree: Tree) -> list[str]:
    """The files of COCO, LabelMe and YOLO, manifests, and lists of the images of a split.

    Of a folder with many files of a kind, the first ones are opened.
    """
    files = dict.fromkeys(coco_files(tree))
    for folder, names in tree.files.items():
        files |= dict.fromkeys(
            join(folder, name) for name in label_files(tree, folder) if join(folder, name) not in files
        )
        if lines_of_yolo(tree, folder, tree.all_stems) == "polygons":
            files |= dict.fromkeys(join(folder, name) for name in names if name.lower().endswith(".txt"))
    files |= dict.fromkeys(file for file in tree.named(".csv", ".tsv") if is_manifest(tree.path(file)))
    files |= dict.fromkeys(file for file in tree.named(".txt") if is_list(tree, file))
    return list(files)
