"""``yolo``: a text file per image with one polygon per line, the format of Ultralytics' segmentation data.

::

    images/train/cat.jpg        labels/train/cat.txt: 16 0.21 0.34 0.25 0.30 …     class, then x y x y … of 0..1
    data.yaml: {path: ., train: images/train, val: images/val, names: {0: person, 16: dog}}

The mask value of class index *i* is *i* + 1. An image without a text file is all background. Where ``data.yaml`` has no
names, they are the lines of a ``classes.txt`` among the labels.

``data.annotations`` is the folder of the labels, or a YAML file that says where the images of each split are. Without
it, a ``data.yaml`` in the root does, unless ``data.images`` or ``data.split`` by folders says it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kseg.data.formats.common import Choice, choose, picture_sizes, report_unpaired
from kseg.data.formats.document import SkippedObjects, class_name, read_lines
from kseg.data.formats.listing import list_files
from kseg.data.formats.outlines import draw_polygons, to_pixels
from kseg.data.formats.reader import Listing, in_split
from kseg.data.formats.yolo.description import Description, ImageSet, describe, is_description
from kseg.data.formats.yolo.labels import BOX, Line, TextFiles, parse
from kseg.data.objects import Objects, draw_order
from kseg.data.run_lengths import Encoded, Unusable
from kseg.data.sample import Sample, SplitName
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable
from kseg.labels import BACKGROUND
from kseg.parallel import parallel_map
from kseg.sizes import Size

__all__ = ["read"]

_log = logging.getLogger("kseg")

_IMAGES = "images"
"""The default of ``data.images``."""


def read(spec: DataSpec, part: str | None) -> Listing:
    """Read the images and their polygons, with the splits that ``data.yaml`` defines, if any.

    Raises:
        ConfigError: A folder is missing; a configured class is not in ``data.yaml``.
        DataError: A file is malformed, has boxes only, or has no image; an entry of ``data.yaml`` names nothing; more
            objects cannot be drawn than ``data.skip_objects`` accepts.
    """
    description = describe(spec)
    is_told = is_description(spec.annotations)
    follows = is_told or (spec.annotations is None and part is None)
    if not (follows and spec.images == _IMAGES and description.names_images):
        return _read_sets({None: _folder(spec, part)}, description, _labels(spec, part), spec)
    if part is not None:
        return _read_sets({None: description.image_set(part)}, description, None, spec)
    return _read_sets(dict(description.image_sets().items()), description, None, spec)


def _folder(spec: DataSpec, part: str | None) -> ImageSet:
    images = list_files(spec.root, in_split(spec.images, part), key="data.images")
    return ImageSet(images, (images.folder,))


def _labels(spec: DataSpec, part: str | None) -> Path | None:
    """The folder of the labels, if the configuration names one."""
    if spec.annotations is None or is_description(spec.annotations):
        return None
    folder = spec.root / in_split(spec.annotations, part)
    if not folder.is_dir():
        raise ConfigError(
            "no such folder", where="data.annotations", found=printable(folder), expected="the folder of the labels"
        )
    return folder


def _read_sets(
    sets: Mapping[SplitName | None, ImageSet], description: Description, labels: Path | None, spec: DataSpec
) -> Listing:
    """Read the images of each split; None stands for images without a split."""
    texts = TextFiles(spec.root, labels)
    folders = [folder for image_set in sets.values() for folder in texts.folders(image_set.any_folders)]
    names, source = _names(description, texts, folders, spec)
    choice = choose(names, spec, source)
    samples: list[Sample] = []
    splits: dict[str, SplitName] = {}
    for split, image_set in sets.items():
        listed = _read_set(image_set, texts, names, choice, spec)
        if split is not None:
            listed = [replace(sample, key=f"{split}/{sample.key}") for sample in listed]
            splits |= dict.fromkeys((sample.key for sample in listed), split)
        samples += listed
    return Listing(tuple(samples), choice.values, splits)


# --- the classes ------------------------------------------------------------------------------------------------------


def _names(
    description: Description, texts: TextFiles, folders: Sequence[Path], spec: DataSpec
) -> tuple[dict[int, str], Path]:
    """Mask value → class name, from ``data.yaml``, else ``classes.txt``, else ``spec.classes``; and where they are."""
    names = description.names()
    if names is not None:
        return names, description.path
    files = texts.class_names(folders)
    if files:
        return _listed_names(files), files[0]
    if spec.classes is not None:
        return dict(enumerate((name for name in spec.classes if name != BACKGROUND), 1)), folders[0]
    raise DataError(
        "the names of the classes are unknown", where=printable(description.path), expected="names: {0: person, …}",
        found="a file without names" if description.settings else "no such file", remedy="add it, or set data.classes",
    )  # fmt: skip


def _listed_names(files: Sequence[Path]) -> dict[int, str]:
    """The lines of the files of class names, which have to agree."""
    contents = []
    for path in files:
        lines = "\n".join(read_lines(path)).rstrip().split("\n")
        contents.append([class_name(line.strip(), path, f"line {number}") for number, line in enumerate(lines, 1)])
    for path, names in zip(files, contents, strict=True):
        if names != contents[0]:
            raise DataError(
                "two files of class names differ", where=printable(path), expected=f"as in {printable(files[0])}: "
                f"{abbreviate(contents[0], 8)}", found=abbreviate(names, 8), remedy="remove the one that is wrong",
            )  # fmt: skip
    _log.info("%s: the names of %d classes", printable(files[0]), len(contents[0]))
    return dict(enumerate(contents[0], 1))


# --- the objects ------------------------------------------------------------------------------------------------------


def _read_set(
    image_set: ImageSet, texts: TextFiles, names: Mapping[int, str], choice: Choice, spec: DataSpec
) -> list[Sample]:
    images = image_set.images
    text_of = _pair(image_set, texts, spec)
    lines_of = dict(zip(text_of, parallel_map(parse, list(text_of.values())), strict=True))
    folder = texts.folders(image_set.any_folders)[0]
    _require_outlines(lines_of, folder)
    drawing = _Drawing(names, choice.drawn)
    samples = []
    for file, size in picture_sizes(images.files).items():
        # An image that cannot be read gets no mask; the error is reported on reading it.
        objects = None if size is None else drawing.draw(lines_of.get(file, ()), text_of.get(file, folder), size)
        samples.append(Sample(images.key(file), file, objects))
    drawing.skipped.report(folder, spec.skip_objects)
    return samples


def _pair(image_set: ImageSet, texts: TextFiles, spec: DataSpec) -> dict[Path, Path]:
    """Image → its text file, for the images that have one."""
    images = image_set.images
    stems = images.by_stem(False)
    text_of = {file: text for key, file in stems.items() if (text := texts.of(file, key)) is not None}
    folders = texts.folders(image_set.folders)
    orphans = [printable(path.name) for path in texts.without_image(folders, text_of.values())]
    where = printable(texts.folders(image_set.any_folders)[0])
    if not text_of:
        raise DataError(
            "no image has a label file", where=where, expected="a .txt file of the same stem as an image",
            found=f"{len(images.files)} images and {len(orphans)} text files",
        )  # fmt: skip
    report_unpaired(
        [f"{len(orphans)} of {len(orphans) + len(text_of)} label files have no image ({abbreviate(orphans)})"]
        if orphans else [],
        where=where, expected="an image of the same stem", unpaired=spec.unpaired, count=len(orphans),
        remaining=len(text_of),
    )  # fmt: skip
    without_labels = len(images.files) - len(text_of)
    if without_labels:
        _log.warning("%s: %d of %d images have no label file: all background", where, without_labels, len(images.files))
    return text_of


def _require_outlines(lines_of: Mapping[Path, Sequence[Line]], folder: Path) -> None:
    reasons = [line.reason for lines in lines_of.values() for line in lines]
    if reasons and set(reasons) == {BOX}:
        raise DataError(
            "these are labels for detection, not for segmentation", where=printable(folder),
            expected="a class and at least 3 points per line",
            found=f"{len(reasons)} lines, all a class and a box (4 numbers)",
        )  # fmt: skip


class _Drawing:
    """Draws the lines of label files, and counts those that it leaves out.

    Args:
        names: Mask value → class name.
        selected: The mask values that are asked for.
    """

    def __init__(self, names: Mapping[int, str], selected: frozenset[int]) -> None:
        self._names = names
        self._selected = selected
        self.skipped = SkippedObjects()

    def draw(self, lines: Sequence[Line], source: Path, size: Size) -> Objects:
        """The objects of an image."""
        drawn: list[tuple[int, Encoded]] = []
        for line in lines:
            value = 0 if line.index is None else line.index + 1
            if value in self._names and value not in self._selected:
                continue
            name = self._names.get(value, "no class" if line.index is None else f"class {line.index}")
            self.skipped.count(name)
            try:
                drawn.append((value, self._encode(line, value, size)))
            except Unusable as reason:
                self.skipped.skip(str(reason), line.place, name)
        return draw_order(source, size, drawn)

    def _encode(self, line: Line, value: int, size: Size) -> Encoded:
        if line.reason is not None:
            raise Unusable(line.reason)
        if value not in self._names:
            raise Unusable("a class index without a name")
        encoded, reasons = draw_polygons([to_pixels(line.fractions, size)], size)
        if encoded is None:
            raise Unusable(reasons[0])
        return encoded
