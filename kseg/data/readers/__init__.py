"""One reader a file, each from a published format to samples; `READERS` is the table of them."""

from __future__ import annotations

from typing import Final

from kseg.data.readers import coco, folders, labelme, lists, manifest, tfds, voc, yolo
from kseg.data.readers.base import Crowds, Listing, Reader, Source, Unpaired

__all__ = ["READERS", "Crowds", "Listing", "Reader", "Source", "Unpaired"]

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
