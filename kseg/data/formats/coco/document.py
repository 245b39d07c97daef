"""`Document`: the contents of a COCO file, validated but for its annotations, which the reader validates one by one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kseg.data.formats.document import (
    SkippedObjects,
    array,
    class_name,
    fail,
    integer,
    item,
    mapping,
    read_json,
    text,
)
from kseg.data.objects import OBJECT_VOID
from kseg.errors import DataError
from kseg.images import printable
from kseg.sizes import Size

__all__ = ["Document", "Picture", "parse"]

_log = logging.getLogger("kseg")

_LARGEST_ID: Final = OBJECT_VOID - 1


@dataclass(frozen=True)
class Picture:
    """An entry of ``images``: its place in the file, file name, and size where it is stated."""

    place: str
    name: str
    size: Size | None


@dataclass
class Document:
    """A COCO file: images by id, mask value → category name, category id → mask value, and the raw annotations."""

    path: Path
    pictures: dict[int, Picture]
    names: dict[int, str]
    value_of: dict[int, int]
    annotations: list[Any]
    skipped: SkippedObjects = field(default_factory=SkippedObjects)


def parse(path: Path) -> Document:
    """Read a COCO file. Raises DataError, with the place in it, where it is malformed."""
    data = mapping(read_json(path), path)
    names, value_of = _categories(data, path)
    annotations = array(item(data, "annotations"), path, "annotations")
    pictures = _pictures(data, path)
    if not annotations:
        _log.warning("%s: no annotations: its %d images are all background", printable(path), len(pictures))
    return Document(path, pictures, names, value_of, annotations)


def _pictures(data: Mapping[str, Any], path: Path) -> dict[int, Picture]:
    pictures: dict[int, Picture] = {}
    for i, entry in enumerate(array(item(data, "images"), path, "images")):
        place = f"images[{i}]"
        entry = mapping(entry, path, place)
        number = integer(item(entry, "id"), path, f"{place}.id")
        if number in pictures:
            fail(path, f"{place}.id", expected="an id of its own", found=f"{number}, as in {pictures[number].place}")
        name = text(item(entry, "file_name"), path, f"{place}.file_name")
        pictures[number] = Picture(place, name, _stated_size(entry, path, place))
    if not pictures:
        raise DataError("the file lists no images", where=printable(path))
    return pictures


def _stated_size(entry: Mapping[str, Any], path: Path, place: str) -> Size | None:
    if entry.get("height") is None or entry.get("width") is None:
        return None
    return integer(entry["height"], path, f"{place}.height"), integer(entry["width"], path, f"{place}.width")


def _categories(data: Mapping[str, Any], path: Path) -> tuple[dict[int, str], dict[int, int]]:
    """Mask value → category name, in the order of the ids; and category id → mask value."""
    names: dict[int, str] = {}
    for i, entry in enumerate(array(item(data, "categories"), path, "categories")):
        entry = mapping(entry, path, f"categories[{i}]")
        number = integer(item(entry, "id"), path, f"categories[{i}].id")
        name = class_name(item(entry, "name"), path, f"categories[{i}].name")
        if names.setdefault(number, name) != name:
            fail(path, f"categories[{i}].id", expected="an id of its own", found=f"{number}, as {names[number]!r} has")
    if not names:
        raise DataError("the file lists no categories", where=printable(path))
    # 0 is where there is no object, and masks hold values up to 65535: an id outside gets the next free value.
    free = max([number for number in names if 0 < number <= _LARGEST_ID], default=0)
    value_of: dict[int, int] = {}
    for number in sorted(names):
        fits = 0 < number <= _LARGEST_ID
        free += not fits
        value_of[number] = number if fits else free
    return {value_of[number]: names[number] for number in sorted(names)}, value_of
