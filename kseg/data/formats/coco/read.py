"""``coco``: one JSON file with images, categories and annotations (polygons and run lengths), as COCO publishes them.

::

    {"images":      [{"id": 7, "file_name": "cat.jpg", "height": 480, "width": 640}],
     "categories":  [{"id": 17, "name": "cat"}],
     "annotations": [{"image_id": 7, "category_id": 17, "iscrowd": 0, "segmentation": [[x, y, x, y, …], …]}]}

An object's mask value is the id of its category; 0 is where there is no object. An image without annotations is all
background. Format: https://cocodataset.org/#format-data.
"""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kseg.data.formats.coco.document import Document, parse
from kseg.data.formats.common import Choice, choose, picture_sizes, report_unpaired
from kseg.data.formats.document import fail, integer, item, mapping, shown
from kseg.data.formats.finder import Finder
from kseg.data.formats.image_names import readings
from kseg.data.formats.listing import ImageFiles, list_files
from kseg.data.formats.outlines import draw_polygons, draw_runs, in_fractions, in_unit_square, to_pixels
from kseg.data.formats.reader import SPLIT, Listing, in_split
from kseg.data.names import is_hidden
from kseg.data.objects import OBJECT_VOID, Crowd, Objects, draw_order
from kseg.data.run_lengths import Encoded, Unusable, area
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, abbreviate
from kseg.images import printable
from kseg.sizes import Size, format_size

__all__ = ["read"]

_log = logging.getLogger("kseg")

_USUAL: Final = (
    "annotations/instances_{part}2017.json", "annotations/instances_{part}.json", "annotations/{part}.json",
    "{images}/_annotations.coco.json", "annotations/instances_default.json", "annotations.json",
)  # fmt: skip


def read(spec: DataSpec, part: str | None) -> Listing:
    """Read the images of a COCO file with their objects.

    Raises:
        ConfigError: There is no such file or folder; a class of the configuration is not in the file.
        DataError: The file is malformed; images are missing, or not listed; sizes differ; nothing can be drawn.
    """
    document = parse(_annotation_file(spec, part))
    images = list_files(spec.root, in_split(spec.images, part), key="data.images")
    files = _locate(document, images, spec)
    choice = choose(document.names, spec, document.path, voids=spec.crowds != "draw")
    sizes = _drawing_sizes(document, files, spec)
    objects = _draw(document, sizes, choice, spec)
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
        existing = _json_files(spec.root / "annotations") or _json_files(spec.root)
    if len(existing) != 1 and not (existing and part is not None):
        raise ConfigError(
            "which file holds the annotations?", where="data.annotations", expected="the path of a COCO JSON file",
            found=abbreviate(printable(path) for path in existing) if existing else f"none of {abbreviate(candidates)}",
        )  # fmt: skip
    return existing[0]


def _json_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() == ".json" and not is_hidden(path.name))


# --- the pictures -----------------------------------------------------------------------------------------------------


def _locate(document: Document, images: ImageFiles, spec: DataSpec) -> dict[int, Path]:
    """Image id → its file. Reports images that are missing and files that are not listed."""
    finder, where = Finder(images.folder, spec.root), printable(document.path)
    image_files, files, missing = set(images.files), {}, []
    by_name: dict[str, list[Path]] = {}
    for image in images.files:
        by_name.setdefault(image.name, []).append(image)
    for number, picture in document.pictures.items():
        place = f"{where}: {picture.place}.file_name"
        paths = readings(picture.name)
        candidates = [finder.find(path, where=place) for path in paths]
        # At any depth, if the name is unique.
        candidates += [same[0] for path in paths if len(same := by_name.get(posixpath.basename(path), [])) == 1]
        file = next((candidate for candidate in candidates if candidate in image_files), None)
        if file is None:
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
        count=len(missing) + len(unlisted), remaining=len(files),
    )  # fmt: skip
    return files


def _require_single(document: Document, files: Mapping[int, Path]) -> None:
    first_number: dict[Path, int] = {}
    for number, file in files.items():
        if first_number.setdefault(file, number) != number:
            places = [document.pictures[number].place for number in (first_number[file], number)]
            fail(
                document.path, f"{places[1]}.file_name", expected="each image once",
                found=f"{printable(file.name)}, as in {places[0]}",
            )  # fmt: skip


def _drawing_sizes(document: Document, files: Mapping[int, Path], spec: DataSpec) -> dict[int, Size | None]:
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
        count=len(wrong), remaining=len(sizes),
        remedy=lambda: "annotate these very images, or set data.unpaired: skip to leave them out",
    )  # fmt: skip
    return sizes


# --- the objects ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Annotation:
    """An entry of ``annotations``: its place, image id, class, mask value (None if it has none), and contents."""

    place: str
    image: int
    name: str
    value: int | None
    entry: Mapping[str, Any]

    @property
    def is_crowd(self) -> bool:
        return self.entry.get("iscrowd") not in (None, 0, "", "0")


def _draw(
    document: Document, sizes: Mapping[int, Size | None], choice: Choice, spec: DataSpec
) -> dict[int, Objects | None]:
    """Image id → its objects, None where the image cannot be read."""
    drawn: dict[int, list[tuple[int, Encoded]]] = {number: [] for number in sizes}
    crowds: dict[int, list[Crowd]] = {number: [] for number in sizes}
    fractions = _in_fractions(document, sizes)
    for annotation in _selected(document, choice):
        size = sizes.get(annotation.image)
        if annotation.image in document.pictures and size is None:
            continue  # the image was reported and left out, or cannot be read
        document.skipped.count(annotation.name)
        encoded = _encode(document, annotation, size, fractions=fractions)
        if encoded is None or annotation.value is None:
            continue
        is_void = annotation.is_crowd and spec.crowds != "draw"
        drawn[annotation.image].append((OBJECT_VOID if is_void else annotation.value, encoded))
        if is_void and spec.crowds is None:
            outlined = isinstance(annotation.entry.get("segmentation"), list)
            crowds[annotation.image].append(Crowd(annotation.value, area(encoded), outlined))
    document.skipped.report(document.path, spec.skip_objects)
    return {
        number: None if size is None else draw_order(document.path, size, drawn[number], crowds[number])
        for number, size in sizes.items()
    }


def _selected(document: Document, choice: Choice) -> Iterator[_Annotation]:
    """The annotations of the chosen classes, and those of categories that the file does not list."""
    for i, entry in enumerate(document.annotations):
        place = f"annotations[{i}]"
        entry = mapping(entry, document.path, place)
        image = integer(item(entry, "image_id"), document.path, f"{place}.image_id")
        category = integer(item(entry, "category_id"), document.path, f"{place}.category_id")
        value = document.value_of.get(category)
        if value is None:
            yield _Annotation(place, image, f"category {category}", None, entry)
        elif value in choice.drawn:
            yield _Annotation(place, image, document.names[value], value, entry)


def _in_fractions(document: Document, sizes: Mapping[int, Size | None]) -> bool:
    """Whether the polygons are in fractions of the images' sizes; says so in the log."""
    outlines = (entry.get("segmentation") for entry in document.annotations if isinstance(entry, dict))
    polygons = (part for outline in outlines if isinstance(outline, list) for part in _parts(outline))
    fractions = in_fractions(polygons, [size for size in sizes.values() if size is not None])
    if fractions:
        _log.info("%s: coordinates of 0..1 are taken for fractions of the images' sizes", printable(document.path))
    return fractions


def _encode(document: Document, annotation: _Annotation, size: Size | None, *, fractions: bool) -> Encoded | None:
    try:
        if annotation.value is None:
            raise Unusable("a category that the file does not list")
        if size is None:
            raise Unusable("an image that the file does not list")
        outline = annotation.entry.get("segmentation")
        if isinstance(outline, Mapping):
            return draw_runs(outline, size)
        return _encode_polygons(document, annotation.place, outline, size, fractions=fractions)
    except Unusable as error:
        document.skipped.skip(str(error), annotation.place, annotation.name)
        return None


def _encode_polygons(document: Document, place: str, outline: object, size: Size, *, fractions: bool) -> Encoded:
    if not outline:
        raise Unusable("no outline, at most a box")
    if not isinstance(outline, list):
        fail(
            document.path, f"{place}.segmentation", expected="polygons [[x, y, …], …] or run lengths",
            found=shown(outline),
        )  # fmt: skip
    parts = _parts(outline)
    if all(map(in_unit_square, parts)):
        if fractions:
            parts = [to_pixels(part, size) for part in parts]
        elif not all(float(number).is_integer() for part in parts for number in part):
            raise Unusable("coordinates of 0..1 among others in pixels")
    encoded, reasons = draw_polygons(parts, size)
    if encoded is None:
        raise Unusable(reasons[0])
    for reason in reasons:
        document.skipped.cut(reason, place)
    return encoded


def _parts(outline: list[Any]) -> list[Any]:
    """The polygons of an outline; some exporters write a single one without a list around it."""
    return outline if not outline or isinstance(outline[0], list) else [outline]
