"""``yolo``: a text file per image with one polygon per line, the format of Ultralytics' segmentation data.

::

    images/train/cat.jpg        labels/train/cat.txt: 16 0.21 0.34 0.25 0.30 …     class, then x y x y … of 0..1
    data.yaml: {path: ., train: images/train, val: images/val, names: {0: person, 16: dog}}

The mask value of class index *i* is *i* + 1. An image without a text file is all background.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

from kseg.data.formats.common import choose, picture_sizes, report_unpaired
from kseg.data.formats.document import SkippedObjects, fail, integer, mapping, read_lines, read_text, shown, text
from kseg.data.formats.listing import ImageFiles, list_files
from kseg.data.formats.outlines import draw_polygons
from kseg.data.formats.reader import Listing, in_split
from kseg.data.objects import OBJECT_VOID, Objects, draw_order
from kseg.data.run_lengths import Encoded
from kseg.data.sample import SPLITS, Sample, SplitName
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable
from kseg.labels import BACKGROUND
from kseg.parallel import parallel_map
from kseg.sizes import Size

__all__ = ["read"]

_log = logging.getLogger("kseg")

_YAML: Final = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
_BOX: Final = "a box instead of an outline"
_KEYS: Final[dict[SplitName, tuple[str, ...]]] = {"train": ("train",), "val": ("val", "valid"), "test": ("test",)}
_OUTSIDE: Final = 0.02
"""How far outside 0..1 a coordinate may be; beyond that it is taken for one in pixels and refused."""


def read(spec: DataSpec, part: str | None) -> Listing:
    """Read the images and their polygons; if ``part`` is None, with the splits that ``data.yaml`` defines, if any.

    Raises:
        ConfigError: A folder is missing; a configured class is not in ``data.yaml``.
        DataError: A file is malformed, contains boxes only, or has no image; nothing can be drawn.
    """
    settings, path = _settings(spec.root)
    folders = _folders(settings, spec) if part is None and spec.images == "images" else {}
    if not folders:
        return _read_folder(spec, in_split(spec.images, part), _labels_folder(spec, part), settings, path)
    samples: list[Sample] = []
    splits: dict[str, SplitName] = {}
    values: Mapping[int | str, str] = {}
    for name, folder in folders.items():
        listing = _read_folder(spec, folder, _labels_beside(folder), settings, path)
        named = [replace(sample, key=f"{name}/{sample.key}") for sample in listing.samples]
        samples += named
        splits |= dict.fromkeys((sample.key for sample in named), name)
        values = listing.values
    return Listing(tuple(samples), values, splits)


def _read_folder(
    spec: DataSpec, images_path: str, labels_path: str, settings: Mapping[str, Any], path: Path
) -> Listing:
    images = list_files(spec.root, images_path, key="data.images")
    folder = spec.root / labels_path
    if not folder.is_dir():
        raise ConfigError(
            "no such folder", where="data.annotations", found=printable(folder), expected="the folder of the labels"
        )
    names = _names(settings, path, spec)
    choice = choose(names, spec, path if settings else folder)
    text_of = _pair(images, folder, spec)
    label_files = _parse_all(text_of, folder)
    objects: dict[Path, Objects | None] = {}
    skipped = SkippedObjects()
    sizes = picture_sizes(images.files)
    total = 0
    for file, size in sizes.items():
        label_file = label_files.get(file, _LabelFile(folder))
        # An image that cannot be read gets no mask; the error is reported on reading it.
        objects[file] = None if size is None else _draw(label_file, size, names, choice.drawn)
        skipped.add_all(label_file.skipped)
        total += label_file.total
    skipped.report(folder, sum(len(label_file.runs) for label_file in objects.values() if label_file), total)
    return Listing(tuple(Sample(images.key(file), file, drawn) for file, drawn in objects.items()), choice.values)


# --- data.yaml --------------------------------------------------------------------------------------------------------


def _settings(root: Path) -> tuple[Mapping[str, Any], Path]:
    """The contents of ``data.yaml`` (empty if there is no such file), and its path."""
    path = next((root / name for name in _YAML if (root / name).is_file()), root / _YAML[0])
    if not path.is_file():
        return {}, path
    try:
        data = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError("malformed YAML", where=printable(path), found=str(error)) from error
    return mapping(data, path), path


def _names(settings: Mapping[str, Any], path: Path, spec: DataSpec) -> dict[int, str]:
    """Mask value → class name, from ``data.yaml``, else from ``spec.classes``."""
    names = settings.get("names")
    if names is None and spec.classes is not None:
        return dict(enumerate((name for name in spec.classes if name != BACKGROUND), 1))
    if names is None:
        raise DataError(
            "the names of the classes are unknown", where=printable(path), expected="names: {0: person, …}",
            found="a file without names" if settings else "no such file", remedy="add it, or set data.classes",
        )  # fmt: skip
    if isinstance(names, list):
        names = dict(enumerate(names))
    named: dict[int, str] = {}
    for index, name in mapping(names, path, "names").items():
        number = integer(index, path, f"names.{index}")
        if not 0 <= number < OBJECT_VOID - 1:
            fail(path, f"names.{index}", expected="a class index from 0 on", found=str(number))
        named[number + 1] = printable(text(name, path, f"names.{index}"))
    if not named:
        fail(path, "names", expected="a name for each class", found=shown(names))
    return dict(sorted(named.items()))


def _folders(settings: Mapping[str, Any], spec: DataSpec) -> dict[SplitName, str]:
    """Split → its image folder, relative to the root, as ``data.yaml`` names it; empty if train's does not exist."""
    folders: dict[SplitName, str] = {}
    for split in SPLITS:
        entry = next((settings[key] for key in _KEYS[split] if isinstance(settings.get(key), str)), None)
        folder = _tail(spec.root, entry.replace("\\", "/")) if entry else None
        if folder is not None:
            folders[split] = folder
    return folders if "train" in folders else {}


def _tail(root: Path, entry: str) -> str | None:
    """The longest trailing part of a path that is a folder below the root; exporters write ``../train/images``."""
    parts = [part for part in entry.split("/") if part not in ("", ".", "..")]
    tails = (os.path.join(*parts[start:]) for start in range(len(parts)))
    return next((tail for tail in tails if "\0" not in tail and (root / tail).is_dir()), None)


# --- the text files ---------------------------------------------------------------------------------------------------


def _labels_folder(spec: DataSpec, part: str | None) -> str:
    if spec.annotations is not None:
        return in_split(spec.annotations, part)
    return _labels_beside(in_split(spec.images, part))


def _labels_beside(images: str) -> str:
    """``train/images`` → ``train/labels``: the last part named images is replaced, as by Ultralytics."""
    parts = images.split("/")
    positions = [i for i, part in enumerate(parts) if part == "images"]
    return "/".join([*parts[: positions[-1]], "labels", *parts[positions[-1] + 1 :]]) if positions else "labels"


def _pair(images: ImageFiles, folder: Path, spec: DataSpec) -> dict[Path, Path]:
    """Image → its text file, for the images that have one."""
    walk = os.walk(folder)
    files = sorted(Path(parent, name) for parent, _, names in walk for name in names if name.endswith(".txt"))
    by_stem = images.by_stem(False)
    text_of, orphans = {}, []
    for file in files:
        image = by_stem.get(file.relative_to(folder).with_suffix("").as_posix())
        if image is not None:
            text_of[image] = file
        elif file.name != "classes.txt":  # written by labelling tools
            orphans.append(printable(file.name))
    if not text_of:
        raise DataError(
            "no image has a label file", where=printable(folder), expected="a .txt file of the same stem as an image",
            found=f"{len(images.files)} images and {len(files)} text files",
        )  # fmt: skip
    report_unpaired(
        [f"{len(orphans)} of {len(files)} label files have no image ({abbreviate(orphans)})"] if orphans else [],
        where=printable(folder), expected="an image of the same stem", unpaired=spec.unpaired, remaining=len(text_of),
    )  # fmt: skip
    without_labels = len(images.files) - len(text_of)
    if without_labels:
        count = len(images.files)
        _log.warning("%s: %d of %d images have no label file: all background", printable(folder), without_labels, count)
    return text_of


@dataclass
class _LabelFile:
    """A text file: its polygons as (place, mask value, coordinates in 0..1), and its numbers of objects and boxes."""

    path: Path
    polygons: list[tuple[str, int, list[float]]] = field(default_factory=list)
    total: int = 0
    boxes: int = 0
    skipped: SkippedObjects = field(default_factory=SkippedObjects)


def _parse_all(text_of: Mapping[Path, Path], folder: Path) -> dict[Path, _LabelFile]:
    label_files = dict(zip(text_of, parallel_map(_parse, list(text_of.values())), strict=True))
    total, boxes = (
        sum(label_file.total for label_file in label_files.values()),
        sum(label_file.boxes for label_file in label_files.values()),
    )
    if boxes and boxes == total:
        raise DataError(
            "these are labels for detection, not for segmentation", where=printable(folder),
            expected="a class and at least 3 points per line",
            found=f"{boxes} lines, all a class and a box (4 numbers)",
        )  # fmt: skip
    return label_files


def _parse(path: Path) -> _LabelFile:
    label_file = _LabelFile(path)
    for number, line in enumerate(read_lines(path), 1):
        words = line.split()
        if not words:
            continue
        place = f"{printable(path.name)} line {number}"
        label_file.total += 1
        numbers = _numbers(words)
        reason = _reason(numbers)
        if reason is not None:
            label_file.boxes += reason == _BOX
            label_file.skipped.add(reason, place)
        else:
            label_file.polygons.append((place, int(numbers[0]) + 1, numbers[1:]))
    return label_file


def _numbers(words: Sequence[str]) -> list[float]:
    """The words as numbers; empty if one of them is not a number."""
    try:
        return [float(word) for word in words]
    except ValueError:
        return []


def _reason(numbers: Sequence[float]) -> str | None:
    """The reason why a line cannot be drawn, or None."""
    if not numbers or not all(map(math.isfinite, numbers)):
        return "a line that is not all numbers"
    if not numbers[0].is_integer() or numbers[0] < 0:
        return "a class index that is no whole number"
    if len(numbers) == 5:
        return _BOX
    if min(numbers[1:], default=0) < -_OUTSIDE or max(numbers[1:], default=0) > 1 + _OUTSIDE:
        return "coordinates outside 0..1"
    return None


def _draw(label_file: _LabelFile, size: Size, names: Mapping[int, str], selected: frozenset[int]) -> Objects:
    height, width = size
    encoded_objects: list[tuple[int, Encoded]] = []
    for place, value, numbers in label_file.polygons:
        if value not in names:
            label_file.skipped.add("a class index without a name", place)
            continue
        if value not in selected:
            label_file.total -= 1
            continue
        scaled = [number * (height if i % 2 else width) for i, number in enumerate(numbers)]
        encoded, reasons = draw_polygons([scaled], size)
        for reason in reasons:
            label_file.skipped.add(reason, place)
        if encoded is not None:
            encoded_objects.append((value, encoded))
    return draw_order(label_file.path, size, encoded_objects)
