"""`READERS`: format name → reader; each reader has a module of its own."""

from __future__ import annotations

from typing import Final

from kseg.data.formats import folders, lists, manifest, tfds, voc
from kseg.data.formats.coco import read as coco
from kseg.data.formats.labelme import read as labelme
from kseg.data.formats.reader import Reader
from kseg.data.formats.yolo import read as yolo

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
