"""``labelme``: a JSON file for each picture, beside it or in a folder of its own, as LabelMe writes it.

::

    {"shapes": [{"label": "cat", "shape_type": "polygon", "points": [[x, y], …]}],
     "imagePath": "cat.jpg", "imageHeight": 480, "imageWidth": 640}

Mask values are 1, 2, … in the order of the classes; small shapes lie over large ones. The label ``__ignore__`` leaves
the truth open, and ``_background_`` cuts holes, as in LabelMe's own conversion.
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

from kseg.data.formats.common import BACKGROUND, Choice, choose, picture_sizes, report_lonely
from kseg.data.formats.document import LeftOut, array, item, mapping, read_json, text, whole
from kseg.data.formats.listing import Found, list_files
from kseg.data.formats.outlines import draw_mask, draw_polygons
from kseg.data.formats.reader import SPLIT, Listing, in_split
from kseg.data.objects import OBJECT_VOID, Objects, draw_order
from kseg.data.run_lengths import Encoded, Unusable
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable
from kseg.parallel import parallel_map
from kseg.sizes import Size, format_size

__all__ = ["read"]

_IGNORE: Final = "__ignore__"
_HOLE: Final = "_background_"
_PNG: Final = b"\x89PNG\r\n\x1a\n"


@dataclass
class _Described:
    """A JSON file: the size that it says, and its shapes as (place, label, entry)."""

    path: Path
    size: Size | None
    shapes: list[tuple[str, str, Mapping[str, Any]]]
    left_out: LeftOut = field(default_factory=LeftOut)


def read(spec: DataSpec, part: str | None) -> Listing:
    """The pictures that have a JSON file, with their shapes.

    Raises:
        ConfigError: There is no such folder.
        DataError: A file is malformed; pictures or files have no counterpart; sizes differ; no shape can be drawn.
    """
    found = list_files(spec.root, in_split(spec.images, part), key="data.images")
    folder = _folder(spec, part, found)
    described = _pair(found, folder, spec)
    choice, value_of = _choose(described.values(), spec, part, folder)
    sizes = picture_sizes(list(described), stored={file for file, one in described.items() if one.size is not None})
    samples, wrong = [], []
    left_out, drawn, total = LeftOut(), 0, 0
    for file, document in described.items():
        size = sizes[file]
        # Turned sides are an EXIF orientation, which data.mask_orientation settles.
        if size is None:  # whoever reads the picture says why
            samples.append(Sample(found.key(file), file, None))
        elif document.size and document.size not in (size, size[::-1]):
            wrong.append(
                f"{printable(document.path.name)} is for {format_size(document.size)}, the image is {format_size(size)}"
            )
        else:
            objects = _draw(document, document.size or size, value_of)
            left_out.add_all(document.left_out)
            drawn, total = drawn + len(objects.runs), total + len(document.shapes)
            samples.append(Sample(found.key(file), file, objects))
    report_lonely(
        [f"{len(wrong)} of {len(described)} images do not have the size that their shapes are for: {abbreviate(wrong)}"]
        if wrong else [],
        where=printable(folder), expected="the images that were labelled", unpaired=spec.unpaired, left=len(samples),
    )  # fmt: skip
    left_out.tell(folder, drawn, total)
    return Listing(tuple(samples), choice.values)


def _folder(spec: DataSpec, part: str | None, found: Found) -> Path:
    if spec.annotations is None:
        return found.folder
    folder = spec.root / in_split(spec.annotations, part)
    if not folder.is_dir():
        raise ConfigError("no such folder", where="data.annotations", found=printable(folder))
    return folder


# --- the files --------------------------------------------------------------------------------------------------------


def _json_files(folder: Path) -> list[Path]:
    walked = os.walk(folder, followlinks=False)
    return sorted(Path(parent, name) for parent, _, names in walked for name in names if name.endswith(".json"))


def _pair(found: Found, folder: Path, spec: DataSpec) -> dict[Path, _Described]:
    """What is said of each picture: by the file of the same stem, or by one that names it."""
    files = _json_files(folder)
    if not files:
        raise DataError("no JSON files", where=printable(folder), expected="a LabelMe file for each image")
    documents = parallel_map(_parse, files)
    by_stem = found.by_stem(False)
    by_name: dict[Path, Path] = {file: file for file in found.files}
    described: dict[Path, _Described] = {}
    orphans, doubled = [], []
    for (document, named), path in zip(documents, files, strict=True):
        stem = path.relative_to(folder).with_suffix("").as_posix()
        picture = by_stem.get(stem) or by_name.get(Path(os.path.normpath(path.parent / named)))
        if picture is None:
            orphans.append(printable(path.name))
        elif picture in described:
            doubled.append(f"{printable(described[picture].path.name)} and {printable(path.name)}")
        else:
            described[picture] = document
    if doubled:
        raise DataError(
            f"{len(doubled)} images are described twice", where=printable(folder), found=abbreviate(doubled),
            expected="one file an image",
        )  # fmt: skip
    _report_unpaired(found, folder, described, orphans, spec)
    return {file: described[file] for file in found.files if file in described}


def _report_unpaired(
    found: Found, folder: Path, described: Mapping[Path, _Described], orphans: Sequence[str], spec: DataSpec
) -> None:
    lonely = [printable(file.name) for file in found.files if file not in described]
    told = []
    if lonely:
        told.append(f"{len(lonely)} of {len(found.files)} images have no JSON file ({abbreviate(lonely)})")
    if orphans:
        told.append(f"{len(orphans)} JSON files have no image ({abbreviate(orphans)})")
    report_lonely(
        told, where=printable(folder), expected="a LabelMe file of the same stem for each image",
        unpaired=spec.unpaired, left=len(described),
    )  # fmt: skip


def _parse(path: Path) -> tuple[_Described, str]:
    data = mapping(read_json(path), path)
    shapes = []
    for i, entry in enumerate(array(item(data, "shapes"), path, "shapes")):
        entry = mapping(entry, path, f"shapes[{i}]")
        label = printable(text(item(entry, "label"), path, f"shapes[{i}].label"))
        shapes.append((f"{printable(path.name)} shapes[{i}]", label, entry))
    named = data.get("imagePath")
    size = None
    if data.get("imageHeight") is not None and data.get("imageWidth") is not None:
        size = whole(data["imageHeight"], path, "imageHeight"), whole(data["imageWidth"], path, "imageWidth")
    # Where one file stands for many megabytes of imageData, only what is drawn is kept.
    return _Described(path, size, shapes), named.replace("\\", "/") if isinstance(named, str) else path.stem


# --- the classes ------------------------------------------------------------------------------------------------------


def _choose(
    documents: Collection[_Described], spec: DataSpec, part: str | None, folder: Path
) -> tuple[Choice, dict[str, int]]:
    """What is drawn, and the mask value of each label."""
    labels = {label for document in documents for _, label, _ in document.shapes}
    if spec.classes is None and not spec.values and part is not None:
        labels |= _labels_of_all(spec)
    classes = sorted(labels - {_IGNORE, _HOLE, BACKGROUND}) if spec.classes is None else spec.classes
    special = {_HOLE: 0, BACKGROUND: 0, _IGNORE: OBJECT_VOID}
    if spec.values:
        own: dict[str, int] = {}
        for value, name in spec.values.items():
            if isinstance(value, int):
                own.setdefault(name, value)
        choice = choose({value: name for name, value in own.items() if value}, spec, folder, voids=True)
        return choice, special | own
    named = dict(enumerate((name for name in classes if name != BACKGROUND), 1))
    if labels and not labels & ({*named.values(), *special}):
        raise DataError(
            "no shape has the label of a class", where=printable(folder), expected=abbreviate(named.values(), 24),
            found=abbreviate(sorted(labels), 24), remedy="set data.classes",
        )  # fmt: skip
    return choose(named, spec, folder, voids=_IGNORE in labels), special | {name: i for i, name in named.items()}


def _labels_of_all(spec: DataSpec) -> set[str]:
    """The labels of every split, so that a mask value means the same in all."""
    relative = spec.annotations if spec.annotations is not None else spec.images
    folders = sorted(spec.root.glob(relative.replace(SPLIT, "*"))) if SPLIT in relative else [spec.root / relative]
    documents = parallel_map(_parse, [file for folder in folders for file in _json_files(folder)])
    return {label for document, _ in documents for _, label, _ in document.shapes}


# --- the shapes -------------------------------------------------------------------------------------------------------


def _draw(document: _Described, size: Size, value_of: Mapping[str, int]) -> Objects:
    drawn: list[tuple[int, Encoded]] = []
    for place, label, entry in document.shapes:
        if label not in value_of:
            document.left_out.add("a label that is no class", f"{place}, {label!r}")
            continue
        try:
            drawn.append((value_of[label], _shape(entry, size)))
        except Unusable as reason:
            document.left_out.add(str(reason), place)
    return draw_order(document.path, size, drawn)


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
    """A polygon that is nowhere farther than a tenth of a pixel from the circle around the first point."""
    x, y, on_x, on_y = points
    radius = math.hypot(on_x - x, on_y - y)
    count = min(8 + math.ceil(math.pi * math.sqrt(5 * min(radius, 1e6))), 10_000)
    angles = np.arange(count) * (2 * math.pi / count)
    rim = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
    flat: list[float] = rim.ravel().tolist()
    return flat


def _corner(points: Sequence[Sequence[object]]) -> tuple[int, int]:
    """Row and column of a mask's box."""
    numbers = _numbers([number for point in points[:2] for number in point])
    if len(numbers) != 4 or max(map(abs, numbers)) > 1e9:
        raise Unusable("a mask without a box")
    return round(min(numbers[1], numbers[3])), round(min(numbers[0], numbers[2]))


def _decode(data: object, size: Size) -> npt.NDArray[np.uint8]:
    """The mask that a shape carries: a PNG in base64, no larger than the picture."""
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
