"""``coco``: one JSON file with images, categories and annotations (polygons and run lengths), as COCO publishes them.

::

    {"images":      [{"id": 7, "file_name": "cat.jpg", "height": 480, "width": 640}],
     "categories":  [{"id": 17, "name": "cat"}],
     "annotations": [{"image_id": 7, "category_id": 17, "iscrowd": 0, "segmentation": [[x, y, x, y, …], …]}]}

An object's mask value is the id of its category; 0 is where there is no object. An image without annotations is all
background. Format: https://cocodataset.org/#format-data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kseg.data.formats.common import Choice, choose, picture_sizes, report_unpaired
from kseg.data.formats.document import SkippedObjects, array, fail, integer, item, mapping, read_json, shown, text
from kseg.data.formats.finder import Finder
from kseg.data.formats.listing import ImageFiles, list_files
from kseg.data.formats.outlines import draw_polygons, draw_runs
from kseg.data.formats.reader import SPLIT, Listing, in_split
from kseg.data.objects import OBJECT_VOID, Objects, draw_order
from kseg.data.run_lengths import Encoded, Unusable
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable
from kseg.sizes import Size, format_size

__all__ = ["read"]

_LARGEST_ID: Final = OBJECT_VOID - 1
_USUAL: Final = (
    "annotations/instances_{part}2017.json", "annotations/instances_{part}.json", "annotations/{part}.json",
    "{images}/_annotations.coco.json", "annotations/instances_default.json", "annotations.json",
)  # fmt: skip


@dataclass(frozen=True)
class _Picture:
    """An entry of ``images``: its place in the file, file name, and size where it is stated."""

    place: str
    name: str
    size: Size | None


@dataclass
class _Document:
    """A COCO file: images by id, mask value → category name, category id → mask value, and the raw annotations."""

    path: Path
    pictures: dict[int, _Picture]
    names: dict[int, str]
    value_of: dict[int, int]
    annotations: list[Any]
    skipped: SkippedObjects = field(default_factory=SkippedObjects)


def read(spec: DataSpec, part: str | None) -> Listing:
    """Read the images of a COCO file with their objects.

    Raises:
        ConfigError: There is no such file or folder; a class of the configuration is not in the file.
        DataError: The file is malformed; images are missing, or not listed; sizes differ; nothing can be drawn.
    """
    document = _parse(_annotation_file(spec, part))
    images = list_files(spec.root, in_split(spec.images, part), key="data.images")
    files = _locate(document, images, spec)
    choice = choose(document.names, spec, document.path, voids=spec.crowds == "ignore")
    sizes = _drawing_sizes(document, files, spec)
    objects = _draw(document, sizes, choice, crowds_are_void=spec.crowds == "ignore")
    samples = [Sample(images.key(files[number]), files[number], objects[number]) for number in sizes]
    return Listing(tuple(sorted(samples, key=lambda sample: sample.key)), choice.values)


def _annotation_file(spec: DataSpec, part: str | None) -> Path:
    if spec.annotations is not None:
        relative = in_split(spec.annotations, part) if SPLIT in spec.annotations or part is None else spec.annotations
        path = spec.root / relative
        if part is not None and SPLIT not in spec.annotations and not (spec.root / relative).is_dir():
            raise ConfigError(
                "one annotation file for all splits", where="data.annotations", found=printable(path),
                expected=f"a path with {SPLIT} in it, or data.split by fractions or lists",
            )  # fmt: skip
        if not path.is_file():
            raise ConfigError("no such file", where="data.annotations", found=printable(path))
        return path
    candidates = [form.format(part=part or "", images=in_split(spec.images, part)) for form in _USUAL]
    existing = [spec.root / name for name in candidates if (spec.root / name).is_file()]
    if not existing and part is None:
        existing = sorted((spec.root / "annotations").glob("*.json")) or sorted(spec.root.glob("*.json"))
    if len(existing) != 1 and not (existing and part is not None):
        raise ConfigError(
            "which file holds the annotations?", where="data.annotations", expected="the path of a COCO JSON file",
            found=abbreviate(printable(path) for path in existing) if existing else f"none of {abbreviate(candidates)}",
        )  # fmt: skip
    return existing[0]


# --- the file ---------------------------------------------------------------------------------------------------------


def _parse(path: Path) -> _Document:
    data = mapping(read_json(path), path)
    names, value_of = _categories(data, path)
    annotations = array(item(data, "annotations"), path, "annotations")
    return _Document(path, _pictures(data, path), names, value_of, annotations)


def _pictures(data: Mapping[str, Any], path: Path) -> dict[int, _Picture]:
    pictures: dict[int, _Picture] = {}
    for i, entry in enumerate(array(item(data, "images"), path, "images")):
        place = f"images[{i}]"
        entry = mapping(entry, path, place)
        number = integer(item(entry, "id"), path, f"{place}.id")
        if number in pictures:
            fail(path, f"{place}.id", expected="an id of its own", found=f"{number}, as in {pictures[number].place}")
        name = text(item(entry, "file_name"), path, f"{place}.file_name")
        pictures[number] = _Picture(place, name, _stated_size(entry, path, place))
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
        name = printable(text(item(entry, "name"), path, f"categories[{i}].name"))
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


# --- the pictures -----------------------------------------------------------------------------------------------------


def _locate(document: _Document, images: ImageFiles, spec: DataSpec) -> dict[int, Path]:
    """Image id → its file. Reports images that are missing and files that are not listed."""
    finder, where = Finder(images.folder, spec.root), printable(document.path)
    image_files, files, missing = set(images.files), {}, []
    by_name: dict[str, list[Path]] = {}
    for image in images.files:
        by_name.setdefault(image.name, []).append(image)
    for number, picture in document.pictures.items():
        file = finder.find(picture.name, where=f"{where}: {picture.place}.file_name")
        same_name = by_name.get(picture.name, [])
        if file not in image_files and len(same_name) == 1:  # at any depth, if the name is unique
            file = same_name[0]
        if file is None or file not in image_files:
            missing.append(printable(picture.name))
        else:
            files[number] = file
    _require_single(document, files)
    unlisted = sorted(image_files - set(files.values()))
    problems = []
    if missing:
        problems.append(
            f"{len(missing)} of {len(document.pictures)} images of the file are missing ({abbreviate(missing)})"
        )
    if unlisted:
        names = abbreviate(printable(images.key(file)) for file in unlisted)
        problems.append(f"{len(unlisted)} of {len(image_files)} images are not in the file ({names})")
    report_unpaired(
        problems, where=where, expected=f"the images of {printable(images.folder)}", unpaired=spec.unpaired,
        remaining=len(files),
    )  # fmt: skip
    return files


def _require_single(document: _Document, files: Mapping[int, Path]) -> None:
    first_number: dict[Path, int] = {}
    for number, file in files.items():
        if first_number.setdefault(file, number) != number:
            places = [document.pictures[number].place for number in (first_number[file], number)]
            fail(
                document.path, f"{places[1]}.file_name", expected="each image once",
                found=f"{printable(file.name)}, as in {places[0]}",
            )  # fmt: skip


def _drawing_sizes(document: _Document, files: Mapping[int, Path], spec: DataSpec) -> dict[int, Size | None]:
    """Image id → the size to draw its objects for, None if it cannot be read. Images of a wrong size are reported."""
    sized = {file for number, file in files.items() if document.pictures[number].size is not None}
    actual_sizes = picture_sizes(list(files.values()), stored=sized)
    sizes: dict[int, Size | None] = {}
    wrong = []
    for number, file in files.items():
        stated, actual = document.pictures[number].size, actual_sizes[file]
        # Swapped sides come from an EXIF orientation, which data.mask_orientation handles. An image that cannot be read
        # gets no mask; the error is reported on reading it.
        if actual is None or stated is None or stated in (actual, actual[::-1]):
            sizes[number] = actual and (stated or actual)
        else:
            wrong.append(f"{printable(file.name)} is {format_size(actual)}, the file says {format_size(stated)}")
    report_unpaired(
        [f"{len(wrong)} of {len(files)} images do not have the size that the annotations are for: {abbreviate(wrong)}"]
        if wrong else [],
        where=printable(document.path), expected="the images that were annotated", unpaired=spec.unpaired,
        remaining=len(sizes), remedy=lambda: "annotate these very images, or set data.unpaired: skip to leave them out",
    )  # fmt: skip
    return sizes


# --- the objects ------------------------------------------------------------------------------------------------------


def _draw(
    document: _Document, sizes: Mapping[int, Size | None], choice: Choice, *, crowds_are_void: bool
) -> dict[int, Objects | None]:
    """Image id → its objects, None where the image cannot be read."""
    drawn: dict[int, list[tuple[int, Encoded]]] = {number: [] for number in sizes}
    total = 0
    for place, number, value, entry in _selected(document, choice):
        size = sizes.get(number)
        if number in document.pictures and size is None:
            continue  # the image was reported and left out, or cannot be read
        total += 1
        encoded = None if value is None or size is None else _encode(document, place, entry, size)
        if value is not None and encoded is not None:
            void = crowds_are_void and bool(entry.get("iscrowd"))
            drawn[number].append((OBJECT_VOID if void else value, encoded))
    document.skipped.report(document.path, sum(map(len, drawn.values())), total)
    return {
        number: None if size is None else draw_order(document.path, size, drawn[number])
        for number, size in sizes.items()
    }


def _selected(document: _Document, choice: Choice) -> Iterator[tuple[str, int, int | None, Mapping[str, Any]]]:
    """The annotations of the chosen classes: place, image id, mask value (None if it cannot be drawn), and entry."""
    path = document.path
    for i, entry in enumerate(document.annotations):
        place = f"annotations[{i}]"
        entry = mapping(entry, path, place)
        number = integer(item(entry, "image_id"), path, f"{place}.image_id")
        category = integer(item(entry, "category_id"), path, f"{place}.category_id")
        value = document.value_of.get(category)
        if value is not None and value not in choice.drawn:
            continue
        if value is None:
            document.skipped.add("a category that the file does not list", place)
        elif number not in document.pictures:
            document.skipped.add("an image that the file does not list", place)
            value = None
        yield place, number, value, entry


def _encode(document: _Document, place: str, entry: Mapping[str, Any], size: Size) -> Encoded | None:
    outline = entry.get("segmentation")
    if isinstance(outline, Mapping):
        try:
            return draw_runs(outline, size)
        except Unusable as error:
            document.skipped.add(str(error), place)
            return None
    if outline is not None and not isinstance(outline, list):
        fail(
            document.path,
            f"{place}.segmentation",
            expected="polygons [[x, y, …], …] or run lengths",
            found=shown(outline),
        )
    if not outline:
        document.skipped.add("no outline, at most a box", place)
        return None
    parts = outline if isinstance(outline[0], list) else [outline]
    encoded, reasons = draw_polygons(parts, size)
    for reason in reasons:
        document.skipped.add(reason, place)
    return encoded
