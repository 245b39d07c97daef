"""``labelme``: a JSON file for each picture, beside it or in a folder of its own, as LabelMe writes it.

::

    {"shapes": [{"label": "cat", "shape_type": "polygon", "points": [[x, y], …]}],
     "imagePath": "cat.jpg", "imageHeight": 480, "imageWidth": 640}

Mask values are 1, 2, … in the order of the classes; small shapes are drawn over large ones. The label ``__ignore__``
marks pixels to ignore, and ``_background_`` cuts holes, as in LabelMe's own conversion.
"""

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from kseg.data.formats.common import Choice, choose, picture_sizes, report_unpaired
from kseg.data.formats.document import array, class_name, integer, item, mapping, read_json
from kseg.data.formats.image_names import readings
from kseg.data.formats.labelme.images import extract
from kseg.data.formats.labelme.shapes import Drawing, LabelFile, are_in_fractions
from kseg.data.formats.listing import ImageFiles, list_files
from kseg.data.formats.reader import SPLIT, Listing, in_split
from kseg.data.formats.walk import visible_folders
from kseg.data.names import NameIndex
from kseg.data.objects import OBJECT_VOID
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable
from kseg.labels import BACKGROUND
from kseg.parallel import parallel_map
from kseg.sizes import format_size

__all__ = ["read"]

_log = logging.getLogger("kseg")

_IGNORE: Final = "__ignore__"


def read(spec: DataSpec, part: str | None) -> Listing:
    """Read the images that have a JSON file, with their shapes.

    Raises:
        ConfigError: There is no such folder.
        DataError: A file is malformed; pictures or files have no counterpart; sizes differ; no shape can be drawn.
    """
    images = _images(spec, part)
    folder = _folder(spec, part, images)
    label_files = _pair(images, folder, spec)
    choice, value_of = _choose(label_files.values(), spec, part, folder)
    sizes = picture_sizes(
        list(label_files), stored={file for file, label_file in label_files.items() if label_file.size is not None}
    )
    samples, wrong_size = [], []
    drawing = Drawing(value_of, are_in_fractions(label_files, sizes, folder))
    for file, label_file in label_files.items():
        size = sizes[file]
        key = images.key(file) if file.is_relative_to(images.folder) else _stem(label_file.path, folder)
        # Swapped sides come from an EXIF orientation, which data.mask_orientation handles.
        if size is None:  # reported when the image is read
            samples.append(Sample(key, file, None))
        elif label_file.size and label_file.size not in (size, size[::-1]):
            stated = f"{printable(label_file.path.name)} is for {format_size(label_file.size)}"
            wrong_size.append(f"{stated}, the image is {format_size(size)}")
        else:
            samples.append(Sample(key, file, drawing.draw(label_file, label_file.size or size)))
    report_unpaired(
        [f"{len(wrong_size)} of {len(label_files)} images do not have the size that their shapes are for: "
         f"{abbreviate(wrong_size)}"] if wrong_size else [],
        where=printable(folder), expected="the images that were labelled", unpaired=spec.unpaired,
        count=len(wrong_size), remaining=len(samples),
    )  # fmt: skip
    drawing.skipped.report(folder, spec.skip_objects)
    drawing.report_others(folder)
    return Listing(tuple(samples), choice.values)


def _images(spec: DataSpec, part: str | None) -> ImageFiles:
    """The images in the folder; none if they are only inside the JSON files."""
    folder = spec.root / in_split(spec.images, part)
    try:
        return list_files(spec.root, in_split(spec.images, part), key="data.images")
    except DataError:
        files = _json_files(folder)
        if not files or not _parse(files[0]).embeds_image:
            raise
        return ImageFiles(folder, (), None, "data.images", spec.images)


def _folder(spec: DataSpec, part: str | None, images: ImageFiles) -> Path:
    if spec.annotations is None:
        return images.folder
    folder = spec.root / in_split(spec.annotations, part)
    if not folder.is_dir():
        raise ConfigError("no such folder", where="data.annotations", found=printable(folder))
    return folder


# --- the files --------------------------------------------------------------------------------------------------------


def _json_files(folder: Path) -> list[Path]:
    walked = visible_folders(folder)
    return sorted(parent / name for parent, names in walked for name in names if name.lower().endswith(".json"))


def _pair(images: ImageFiles, folder: Path, spec: DataSpec) -> dict[Path, LabelFile]:
    """Image → its JSON file: the one of the same stem, or one whose ``imagePath`` names it."""
    files = _json_files(folder)
    if not files:
        raise DataError("no JSON files", where=printable(folder), expected="a LabelMe file for each image")
    parsed = parallel_map(_parse, files)
    by_stem = NameIndex(images.by_stem(False))
    names = _ImageNames(images)
    label_files: dict[Path, LabelFile] = {}
    orphans: list[LabelFile] = []
    embedding: list[LabelFile] = []
    duplicates = []
    for label_file in parsed:
        path = label_file.path
        image = by_stem.find(_stem(path, folder)) or names.find(path.parent, label_file.image_path)
        if image is None:
            (embedding if label_file.embeds_image else orphans).append(label_file)
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
    return {file: label_files[file] for file in images.files if file in label_files} | _extracted(embedding, folder)


def _extracted(label_files: Sequence[LabelFile], folder: Path) -> dict[Path, LabelFile]:
    """The label files by their own images, where there is no other file of these."""
    if label_files:
        _log.info("%s: %d images are only inside the JSON files, and extracted", printable(folder), len(label_files))
    images = parallel_map(extract, [label_file.path for label_file in label_files])
    return dict(zip(images, label_files, strict=True))


def _stem(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


class _ImageNames:
    """Finds the image that a label file names: at that place, or anywhere if its name is unique."""

    def __init__(self, images: ImageFiles) -> None:
        self._files = frozenset(images.files)
        self._same_name: dict[str, list[Path]] = {}
        for file in images.files:
            self._same_name.setdefault(file.name, []).append(file)

    def find(self, folder: Path, name: str) -> Path | None:
        """The image; None if there is none, or if several have its name.

        Args:
            folder: The folder of the label file.
            name: The path that it names.
        """
        literal = Path(os.path.normpath(folder / name.replace("\\", "/")))
        if literal in self._files:
            return literal
        same_name = [self._same_name.get(posixpath.basename(path), []) for path in readings(name)]
        return next((files[0] for files in same_name if len(files) == 1), None)


def _report_unpaired(
    images: ImageFiles,
    folder: Path,
    label_files: Mapping[Path, LabelFile],
    orphans: Sequence[LabelFile],
    spec: DataSpec,
) -> None:
    bare = [printable(file.name) for file in images.files if file not in label_files]
    problems = []
    if bare:
        problems.append(f"{len(bare)} of {len(images.files)} images have no JSON file ({abbreviate(bare)})")
    if orphans:
        problems.append(
            f"{len(orphans)} JSON files have no image ({abbreviate(printable(orphan.path.name) for orphan in orphans)})"
        )
    report_unpaired(
        problems, where=printable(folder), expected="a LabelMe file of the same stem for each image",
        unpaired=spec.unpaired, count=len(bare) + len(orphans), remaining=len(label_files),
    )  # fmt: skip


def _parse(path: Path) -> LabelFile:
    data = mapping(read_json(path), path)
    shapes = []
    for i, entry in enumerate(array(item(data, "shapes"), path, "shapes")):
        entry = mapping(entry, path, f"shapes[{i}]")
        label = class_name(item(entry, "label"), path, f"shapes[{i}].label")
        shapes.append((f"{printable(path.name)} shapes[{i}]", label, entry))
    image_path = data.get("imagePath")
    size = None
    if data.get("imageHeight") is not None and data.get("imageWidth") is not None:
        size = integer(data["imageHeight"], path, "imageHeight"), integer(data["imageWidth"], path, "imageWidth")
    # ``data`` also has imageData, often megabytes, which are not kept.
    image_path = image_path if isinstance(image_path, str) else path.stem
    return LabelFile(path, image_path, bool(data.get("imageData")), size, shapes)


# --- the classes ------------------------------------------------------------------------------------------------------


def _choose(
    label_files: Collection[LabelFile], spec: DataSpec, part: str | None, folder: Path
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
        return choice, _with_spellings(special | value_of_name, labels)
    names = dict(enumerate((name for name in classes if name != BACKGROUND), 1))
    value_of = special | {name: i for i, name in names.items()}
    # Without class names, spellings that differ in case are for the user to decide on.
    value_of = value_of if spec.classes is None else _with_spellings(value_of, labels)
    if labels and not labels & set(value_of):
        raise DataError(
            "no shape has the label of a class", where=printable(folder), expected=abbreviate(names.values(), 24),
            found=abbreviate(sorted(labels), 24), remedy="set data.classes",
        )  # fmt: skip
    return choose(names, spec, folder, voids=_IGNORE in labels), value_of


def _with_spellings(value_of: dict[str, int], labels: Collection[str]) -> dict[str, int]:
    """The values of labels, also of those that differ from a name only in case."""
    folded = {name.casefold(): value for name, value in value_of.items()}
    return {**{label: folded[label.casefold()] for label in labels if label.casefold() in folded}, **value_of}


def _labels_of_all(spec: DataSpec) -> set[str]:
    """The labels of all splits, so that a mask value means the same class in each of them."""
    relative = spec.annotations if spec.annotations is not None else spec.images
    folders = sorted(spec.root.glob(relative.replace(SPLIT, "*"))) if SPLIT in relative else [spec.root / relative]
    parsed = parallel_map(_parse, [file for folder in folders for file in _json_files(folder)])
    return {label for label_file in parsed for _, label, _ in label_file.shapes}
