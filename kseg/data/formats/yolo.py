"""``yolo``: a text file for each picture, one polygon a line, as Ultralytics' segmentation data has it.

::

    images/train/cat.jpg        labels/train/cat.txt: 16 0.21 0.34 0.25 0.30 …     class, then x y x y … of 0..1
    data.yaml: {path: ., train: images/train, val: images/val, names: {0: person, 16: dog}}

The mask value of class index *i* is *i* + 1. A picture without a text file is all background.
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

from kseg.data.formats.common import BACKGROUND, choose, picture_sizes, report_lonely
from kseg.data.formats.document import LeftOut, fail, mapping, read_lines, read_text, shown, text, whole
from kseg.data.formats.listing import Found, list_files
from kseg.data.formats.outlines import draw_polygons
from kseg.data.formats.reader import Listing, in_split
from kseg.data.objects import OBJECT_VOID, Objects, draw_order
from kseg.data.run_lengths import Encoded
from kseg.data.sample import SPLITS, Sample, SplitName
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable
from kseg.parallel import parallel_map
from kseg.sizes import Size

__all__ = ["read"]

_log = logging.getLogger("kseg")

_YAML: Final = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
_BOX: Final = "a box instead of an outline"
_KEYS: Final[dict[SplitName, tuple[str, ...]]] = {"train": ("train",), "val": ("val", "valid"), "test": ("test",)}
_OUTSIDE: Final = 0.02
"""How far outside 0..1 a coordinate may lie; farther out it is one in pixels."""


def read(spec: DataSpec, part: str | None) -> Listing:
    """The pictures and their polygons; without a part, in the splits that ``data.yaml`` names, if it does.

    Raises:
        ConfigError: A folder is missing; a class that is asked for is not in ``data.yaml``.
        DataError: A file is malformed, holds boxes only, or has no picture; nothing can be drawn.
    """
    settings, path = _settings(spec.root)
    folders = _folders(settings, spec) if part is None and spec.images == "images" else {}
    if not folders:
        return _read_folder(spec, in_split(spec.images, part), _labels_folder(spec, part), settings, path)
    samples: list[Sample] = []
    splits: dict[str, SplitName] = {}
    values: Mapping[int | str, str] = {}
    for name, folder in folders.items():
        listing = _read_folder(spec, folder, _beside(folder), settings, path)
        named = [replace(sample, key=f"{name}/{sample.key}") for sample in listing.samples]
        samples += named
        splits |= dict.fromkeys((sample.key for sample in named), name)
        values = listing.values
    return Listing(tuple(samples), values, splits)


def _read_folder(spec: DataSpec, images: str, labels: str, settings: Mapping[str, Any], path: Path) -> Listing:
    found = list_files(spec.root, images, key="data.images")
    folder = spec.root / labels
    if not folder.is_dir():
        raise ConfigError(
            "no such folder", where="data.annotations", found=printable(folder), expected="the folder of the labels"
        )
    named = _names(settings, path, spec)
    choice = choose(named, spec, path if settings else folder)
    texts = _pair(found, folder, spec)
    described = _parse_all(texts, folder)
    objects: dict[Path, Objects | None] = {}
    left_out = LeftOut()
    sizes = picture_sizes(found.files)
    total = 0
    for file, size in sizes.items():
        one = described.get(file, _Described(folder))
        # Whoever reads a picture that cannot be read says why.
        objects[file] = None if size is None else _draw(one, size, named, choice.drawn)
        left_out.add_all(one.left_out)
        total += one.total
    left_out.tell(folder, sum(len(one.runs) for one in objects.values() if one), total)
    return Listing(tuple(Sample(found.key(file), file, drawn) for file, drawn in objects.items()), choice.values)


# --- data.yaml --------------------------------------------------------------------------------------------------------


def _settings(root: Path) -> tuple[Mapping[str, Any], Path]:
    """What ``data.yaml`` says, or nothing where there is none."""
    path = next((root / name for name in _YAML if (root / name).is_file()), root / _YAML[0])
    if not path.is_file():
        return {}, path
    try:
        data = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError("malformed YAML", where=printable(path), found=str(error)) from error
    return mapping(data, path), path


def _names(settings: Mapping[str, Any], path: Path, spec: DataSpec) -> dict[int, str]:
    """Mask value → class name."""
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
        number = whole(index, path, f"names.{index}")
        if not 0 <= number < OBJECT_VOID - 1:
            fail(path, f"names.{index}", expected="a class index from 0 on", found=str(number))
        named[number + 1] = printable(text(name, path, f"names.{index}"))
    if not named:
        fail(path, "names", expected="a name for each class", found=shown(names))
    return dict(sorted(named.items()))


def _folders(settings: Mapping[str, Any], spec: DataSpec) -> dict[SplitName, str]:
    """The folders of pictures that ``data.yaml`` names for the splits, relative to the root, where they are there."""
    folders: dict[SplitName, str] = {}
    for split in SPLITS:
        entry = next((settings[key] for key in _KEYS[split] if isinstance(settings.get(key), str)), None)
        folder = _tail(spec.root, entry.replace("\\", "/")) if entry else None
        if folder is not None:
            folders[split] = folder
    return folders if "train" in folders else {}


def _tail(root: Path, entry: str) -> str | None:
    """The longest tail of a path that is a folder below the root: exporters write ``../train/images``."""
    parts = [part for part in entry.split("/") if part not in ("", ".", "..")]
    tails = (os.path.join(*parts[start:]) for start in range(len(parts)))
    return next((tail for tail in tails if "\0" not in tail and (root / tail).is_dir()), None)


# --- the text files ---------------------------------------------------------------------------------------------------


def _labels_folder(spec: DataSpec, part: str | None) -> str:
    if spec.annotations is not None:
        return in_split(spec.annotations, part)
    return _beside(in_split(spec.images, part))


def _beside(images: str) -> str:
    """``train/images`` → ``train/labels``: the last such part of the path, as Ultralytics has it."""
    parts = images.split("/")
    at = [i for i, part in enumerate(parts) if part == "images"]
    return "/".join([*parts[: at[-1]], "labels", *parts[at[-1] + 1 :]]) if at else "labels"


def _pair(found: Found, folder: Path, spec: DataSpec) -> dict[Path, Path]:
    """The text file of each picture that has one."""
    walked = os.walk(folder)
    files = sorted(Path(parent, name) for parent, _, names in walked for name in names if name.endswith(".txt"))
    by_stem = found.by_stem(False)
    texts, orphans = {}, []
    for file in files:
        picture = by_stem.get(file.relative_to(folder).with_suffix("").as_posix())
        if picture is not None:
            texts[picture] = file
        elif file.name != "classes.txt":  # which labelling tools put beside
            orphans.append(printable(file.name))
    if not texts:
        raise DataError(
            "no image has a label file", where=printable(folder), expected="a .txt file of the same stem as an image",
            found=f"{len(found.files)} images and {len(files)} text files",
        )  # fmt: skip
    report_lonely(
        [f"{len(orphans)} of {len(files)} label files have no image ({abbreviate(orphans)})"] if orphans else [],
        where=printable(folder), expected="an image of the same stem", unpaired=spec.unpaired, left=len(texts),
    )  # fmt: skip
    bare = len(found.files) - len(texts)
    if bare:
        count = len(found.files)
        _log.warning("%s: %d of %d images have no label file: all background", printable(folder), bare, count)
    return texts


@dataclass
class _Described:
    """The polygons of one picture as (place, mask value, coordinates of 0..1), and how many lines there are."""

    path: Path
    polygons: list[tuple[str, int, list[float]]] = field(default_factory=list)
    total: int = 0
    boxes: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)


def _parse_all(texts: Mapping[Path, Path], folder: Path) -> dict[Path, _Described]:
    described = dict(zip(texts, parallel_map(_parse, list(texts.values())), strict=True))
    total, boxes = sum(one.total for one in described.values()), sum(one.boxes for one in described.values())
    if boxes and boxes == total:
        raise DataError(
            "these are labels for detection, not for segmentation", where=printable(folder),
            expected="a class and at least 3 points a line", found=f"{boxes} lines, all a class and a box (4 numbers)",
        )  # fmt: skip
    return described


def _parse(path: Path) -> _Described:
    described = _Described(path)
    for number, line in enumerate(read_lines(path), 1):
        words = line.split()
        if not words:
            continue
        place = f"{printable(path.name)} line {number}"
        described.total += 1
        numbers = _numbers(words)
        reason = _wrong(numbers)
        if reason is not None:
            described.boxes += reason == _BOX
            described.left_out.add(reason, place)
        else:
            described.polygons.append((place, int(numbers[0]) + 1, numbers[1:]))
    return described


def _numbers(words: Sequence[str]) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError:
        return []


def _wrong(numbers: Sequence[float]) -> str | None:
    """Why a line cannot be drawn, or None."""
    if not numbers or not all(map(math.isfinite, numbers)):
        return "a line that is not all numbers"
    if not numbers[0].is_integer() or numbers[0] < 0:
        return "a class index that is no whole number"
    if len(numbers) == 5:
        return _BOX
    if min(numbers[1:], default=0) < -_OUTSIDE or max(numbers[1:], default=0) > 1 + _OUTSIDE:
        return "coordinates outside 0..1"
    return None


def _draw(described: _Described, size: Size, named: Mapping[int, str], drawn: frozenset[int]) -> Objects:
    height, width = size
    found: list[tuple[int, Encoded]] = []
    for place, value, numbers in described.polygons:
        if value not in named:
            described.left_out.add("a class index without a name", place)
            continue
        if value not in drawn:
            described.total -= 1
            continue
        scaled = [number * (height if i % 2 else width) for i, number in enumerate(numbers)]
        encoded, reasons = draw_polygons([scaled], size)
        for reason in reasons:
            described.left_out.add(reason, place)
        if encoded is not None:
            found.append((value, encoded))
    return draw_order(described.path, size, found)
