"""``labelme``: a JSON file for each picture, beside it or in a folder of its own, as LabelMe writes it.

::

    {"shapes": [{"label": "cat", "shape_type": "polygon", "points": [[x, y], …]}],
     "imagePath": "cat.jpg", "imageHeight": 480, "imageWidth": 640}

Mask values are 1, 2, … in the order of the classes; small shapes are drawn over large ones. The label ``__ignore__``
marks pixels to ignore, and ``_background_`` cuts holes, as in LabelMe's own conversion.
"""

from __future__ import annotations

import base64
import binascii
import math
import os
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from kseg.data.formats.common import Choice, choose, picture_sizes, report_unpaired
from kseg.data.formats.document import SkippedObjects, array, integer, item, mapping, read_json, text
from kseg.data.formats.listing import ImageFiles, list_files
from kseg.data.formats.outlines import draw_mask, draw_polygons
from kseg.data.formats.reader import SPLIT, Listing, in_split
from kseg.data.objects import OBJECT_VOID, Objects, draw_order
from kseg.data.run_lengths import Encoded, Unusable
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable
from kseg.labels import BACKGROUND, canonical_name
from kseg.parallel import parallel_map
from kseg.sizes import Size, format_size

__all__ = ["read"]

_IGNORE: Final = "__ignore__"
_PNG: Final = b"\x89PNG\r\n\x1a\n"


@dataclass
class _LabelFile:
    """A JSON file: the image size that it states, and its shapes as (place, label, entry)."""

    path: Path
    size: Size | None
    shapes: list[tuple[str, str, Mapping[str, Any]]]
    skipped: SkippedObjects = field(default_factory=SkippedObjects)


def read(spec: DataSpec, part: str | None) -> Listing:
    """Read the images that have a JSON file, with their shapes.

    Raises:
        ConfigError: There is no such folder.
        DataError: A file is malformed; pictures or files have no counterpart; sizes differ; no shape can be drawn.
    """
    images = list_files(spec.root, in_split(spec.images, part), key="data.images")
    folder = _folder(spec, part, images)
    label_files = _pair(images, folder, spec)
    choice, value_of = _choose(label_files.values(), spec, part, folder)
    sizes = picture_sizes(
        list(label_files), stored={file for file, label_file in label_files.items() if label_file.size is not None}
    )
    samples, wrong_size = [], []
    skipped, drawn, total = SkippedObjects(), 0, 0
    for file, label_file in label_files.items():
        size = sizes[file]
        # Swapped sides come from an EXIF orientation, which data.mask_orientation handles.
        if size is None:  # reported when the image is read
            samples.append(Sample(images.key(file), file, None))
        elif label_file.size and label_file.size not in (size, size[::-1]):
            stated = f"{printable(label_file.path.name)} is for {format_size(label_file.size)}"
            wrong_size.append(f"{stated}, the image is {format_size(size)}")
        else:
            objects = _draw(label_file, label_file.size or size, value_of)
            skipped.add_all(label_file.skipped)
            drawn, total = drawn + len(objects.runs), total + len(label_file.shapes)
            samples.append(Sample(images.key(file), file, objects))
    report_unpaired(
        [f"{len(wrong_size)} of {len(label_files)} images do not have the size that their shapes are for: "
         f"{abbreviate(wrong_size)}"] if wrong_size else [],
        where=printable(folder), expected="the images that were labelled", unpaired=spec.unpaired,
        remaining=len(samples),
    )  # fmt: skip
    skipped.report(folder, drawn, total)
    return Listing(tuple(samples), choice.values)


def _folder(spec: DataSpec, part: str | None, images: ImageFiles) -> Path:
    if spec.annotations is None:
        return images.folder
    folder = spec.root / in_split(spec.annotations, part)
    if not folder.is_dir():
        raise ConfigError("no such folder", where="data.annotations", found=printable(folder))
    return folder


# --- the files --------------------------------------------------------------------------------------------------------


def _json_files(folder: Path) -> list[Path]:
    walked = os.walk(folder, followlinks=False)
    return sorted(Path(parent, name) for parent, _, names in walked for name in names if name.endswith(".json"))


def _pair(images: ImageFiles, folder: Path, spec: DataSpec) -> dict[Path, _LabelFile]:
    """Image → its JSON file: the one of the same stem, or one whose ``imagePath`` names it."""
    files = _json_files(folder)
    if not files:
        raise DataError("no JSON files", where=printable(folder), expected="a LabelMe file for each image")
    parsed = parallel_map(_parse, files)
    by_stem = images.by_stem(False)
    by_name: dict[Path, Path] = {file: file for file in images.files}
    label_files: dict[Path, _LabelFile] = {}
    orphans, duplicates = [], []
    for (label_file, image_path), path in zip(parsed, files, strict=True):
        stem = path.relative_to(folder).with_suffix("").as_posix()
        image = by_stem.get(stem) or by_name.get(Path(os.path.normpath(path.parent / image_path)))
        if image is None:
            orphans.append(printable(path.name))
        elif image in label_files:
            duplicates.append(f"{printable(label_files[image].path.name)} and {printable(path.name)}")
        else:
            label_files[image] = label_file
    if duplicates:
        raise DataError(
            f"{len(duplicates)} images are described twice", where=printable(folder), found=abbreviate(duplicates),
            expected="one file per image",
        )  # fmt: skip
    _report_unpaired(images, folder, label_files, orphans, spec)
    return {file: label_files[file] for file in images.files if file in label_files}


def _report_unpaired(
    images: ImageFiles, folder: Path, label_files: Mapping[Path, _LabelFile], orphans: Sequence[str], spec: DataSpec
) -> None:
    bare = [printable(file.name) for file in images.files if file not in label_files]
    problems = []
    if bare:
        problems.append(f"{len(bare)} of {len(images.files)} images have no JSON file ({abbreviate(bare)})")
    if orphans:
        problems.append(f"{len(orphans)} JSON files have no image ({abbreviate(orphans)})")
    report_unpaired(
        problems, where=printable(folder), expected="a LabelMe file of the same stem for each image",
        unpaired=spec.unpaired, remaining=len(label_files),
    )  # fmt: skip


def _parse(path: Path) -> tuple[_LabelFile, str]:
    """A JSON file, and the path of the image that it names."""
    data = mapping(read_json(path), path)
    shapes = []
    for i, entry in enumerate(array(item(data, "shapes"), path, "shapes")):
        entry = mapping(entry, path, f"shapes[{i}]")
        label = canonical_name(printable(text(item(entry, "label"), path, f"shapes[{i}].label")))
        shapes.append((f"{printable(path.name)} shapes[{i}]", label, entry))
    image_path = data.get("imagePath")
    size = None
    if data.get("imageHeight") is not None and data.get("imageWidth") is not None:
        size = integer(data["imageHeight"], path, "imageHeight"), integer(data["imageWidth"], path, "imageWidth")
    # ``data`` also has imageData, often megabytes, which are not kept.
    return _LabelFile(path, size, shapes), image_path.replace("\\", "/") if isinstance(image_path, str) else path.stem


# --- the classes ------------------------------------------------------------------------------------------------------


def _choose(
    label_files: Collection[_LabelFile], spec: DataSpec, part: str | None, folder: Path
) -> tuple[Choice, dict[str, int]]:
    """The objects to draw, and label → mask value."""
    labels = {label for label_file in label_files for _, label, _ in label_file.shapes}
    if spec.classes is None and not spec.values and part is not None:
        labels |= _labels_of_all(spec)
    classes = sorted(labels - {_IGNORE, BACKGROUND}) if spec.classes is None else spec.classes
    special = {BACKGROUND: 0, _IGNORE: OBJECT_VOID}
    if spec.values:
        value_of_name: dict[str, int] = {}
        for value, name in spec.values.items():
            if isinstance(value, int):
                value_of_name.setdefault(name, value)
        choice = choose({value: name for name, value in value_of_name.items() if value}, spec, folder, voids=True)
        return choice, special | value_of_name
    names = dict(enumerate((name for name in classes if name != BACKGROUND), 1))
    if labels and not labels & ({*names.values(), *special}):
        raise DataError(
            "no shape has the label of a class", where=printable(folder), expected=abbreviate(names.values(), 24),
            found=abbreviate(sorted(labels), 24), remedy="set data.classes",
        )  # fmt: skip
    return choose(names, spec, folder, voids=_IGNORE in labels), special | {name: i for i, name in names.items()}


def _labels_of_all(spec: DataSpec) -> set[str]:
    """The labels of all splits, so that a mask value means the same class in each of them."""
    relative = spec.annotations if spec.annotations is not None else spec.images
    folders = sorted(spec.root.glob(relative.replace(SPLIT, "*"))) if SPLIT in relative else [spec.root / relative]
    parsed = parallel_map(_parse, [file for folder in folders for file in _json_files(folder)])
    return {label for label_file, _ in parsed for _, label, _ in label_file.shapes}


# --- the shapes -------------------------------------------------------------------------------------------------------


def _draw(label_file: _LabelFile, size: Size, value_of: Mapping[str, int]) -> Objects:
    drawn: list[tuple[int, Encoded]] = []
    for place, label, entry in label_file.shapes:
        if label not in value_of:
            label_file.skipped.add("a label that is no class", f"{place}, {label!r}")
            continue
        try:
            drawn.append((value_of[label], _shape(entry, size)))
        except Unusable as reason:
            label_file.skipped.add(str(reason), place)
    return draw_order(label_file.path, size, drawn)


def _shape(entry: Mapping[str, Any], size: Size) -> Encoded:
    kind = entry.get("shape_type") or "polygon"
    points = entry.get("points")
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise Unusable("points that are not [[x, y], …]")
    if kind == "mask":
        return draw_mask(_decode(entry.get("mask"), size), _corner(points), size)
    if kind not in ("polygon", "rectangle", "circle"):
        raise Unusable(f"a shape without inside ({printable(str(kind))[:20]})")
    if kind == "circle" and len(points) != 2:
        raise Unusable("a circle without centre and rim")
    flat = [number for point in points for number in point]
    if kind != "polygon" and len(points) == 2:
        flat = _rectangle(_numbers(flat)) if kind == "rectangle" else _circle(_numbers(flat))
    encoded, reasons = draw_polygons([flat], size)
    if encoded is None:
        raise Unusable(reasons[0])
    return encoded


def _numbers(values: Sequence[object]) -> list[float]:
    if not set(map(type, values)) <= {int, float}:
        raise Unusable("a coordinate that is no number")
    try:
        numbers = [float(value) for value in values]  # type: ignore[arg-type]
    except OverflowError:
        raise Unusable("a coordinate that is not finite") from None
    if not all(math.isfinite(number) for number in numbers):
        raise Unusable("a coordinate that is not finite")
    return numbers


def _rectangle(corners: Sequence[float]) -> list[float]:
    left, top, right, bottom = corners
    return [left, top, right, top, right, bottom, left, bottom]


def _circle(points: Sequence[float]) -> list[float]:
    """A regular polygon in place of a circle, given by its centre and a point on it: ``[x0, y0, x1, y1, …]``.

    A chord of angle 2π/n is at most r(1 - cos(π/n)) ≈ r(π/n)²/2 from the circle: n = π√(5r) keeps that below 0.1 pixel.
    """
    x, y, rim_x, rim_y = points
    radius = math.hypot(rim_x - x, rim_y - y)
    count = min(8 + math.ceil(math.pi * math.sqrt(5 * min(radius, 1e6))), 10_000)
    angles = np.arange(count) * (2 * math.pi / count)
    points_on_rim = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
    flat: list[float] = points_on_rim.ravel().tolist()
    return flat


def _corner(points: Sequence[Sequence[object]]) -> tuple[int, int]:
    """Row and column of the top left corner of a mask's bounding box."""
    numbers = _numbers([number for point in points[:2] for number in point])
    if len(numbers) != 4 or max(map(abs, numbers)) > 1e9:
        raise Unusable("a mask without a box")
    return round(min(numbers[1], numbers[3])), round(min(numbers[0], numbers[2]))


def _decode(data: object, size: Size) -> npt.NDArray[np.uint8]:
    """The mask of a shape, a PNG in base64: uint8 ``[h, w]``. Its size is read from the header before it is decoded."""
    if not isinstance(data, str):
        raise Unusable("a mask without pixels")
    try:
        png = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Unusable("a mask that cannot be decoded") from None
    width, height = struct.unpack(">II", png[16:24]) if png[:8] == _PNG and len(png) > 24 else (0, 0)
    if not (0 < height <= size[0] and 0 < width <= size[1]):
        raise Unusable("a mask that is no PNG, or larger than the picture")
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise Unusable("a mask that cannot be decoded")
    decoded: npt.NDArray[np.uint8] = pixels.astype(np.uint8)
    return decoded
