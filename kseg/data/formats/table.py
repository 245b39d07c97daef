"""`READERS`: format name → reader; each reader has a module of its own."""

from __future__ import annotations

from typing import Final

from kseg.data.formats import coco, folders, labelme, lists, manifest, tfds, voc, yolo
from kseg.data.formats.reader import Reader

__all__ = ["READERS"]

READERS: Final[dict[str, Reader]] = {
    "folders": folders.read,
    "lists": lists.read,
    "manifest": manifest.read,
    "coco": coco.read,
    "labelme": labelme.read,
    "yolo": yolo.read,
    "voc": voc.read,
    "tfds": tfds.read,
}
