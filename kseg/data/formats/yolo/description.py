"""``data.yaml`` of YOLO's data sets: the names of the classes and the images of each split, as Ultralytics reads it.

::

    path: ../datasets/pets            # may be left out
    train: [a/images, b/images]       # a folder, a glob, a text file with an image per line, or several of these
    val: val.txt
    names: {0: cat, 1: dog}
"""

from __future__ import annotations

import glob
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from kseg.data.formats.document import class_name, fail, integer, mapping, read_text, shown, text
from kseg.data.formats.listing import ImageFiles
from kseg.data.formats.walk import is_picture, visible_folders
from kseg.data.formats.yolo.paths import Paths
from kseg.data.objects import OBJECT_VOID
from kseg.data.sample import SPLITS, SplitName
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable

__all__ = ["Description", "ImageSet", "describe", "is_description"]

_USUAL: Final = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
_KEYS: Final[dict[SplitName, tuple[str, ...]]] = {
    "train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing"),
}  # fmt: skip


@dataclass(frozen=True)
class ImageSet:
    """The images of a split.

    Args:
        images: The images; their keys are relative to the folder that they have in common.
        folders: The folders that belong to it as a whole, so that each label file for them should have an image.
    """

    images: ImageFiles
    folders: tuple[Path, ...]

    @property
    def any_folders(self) -> tuple[Path, ...]:
        """`folders`, else the folders of the images."""
        return self.folders or tuple(dict.fromkeys(file.parent for file in self.images.files))


def is_description(annotations: str | None) -> bool:
    """Whether ``data.annotations`` names a YAML file, which then describes everything, instead of a folder."""
    return annotations is not None and annotations.lower().endswith((".yaml", ".yml"))


def describe(spec: DataSpec) -> Description:
    """Read ``data.yaml``: the file that ``data.annotations`` names, or that of a usual name in the root, if any.

    Raises:
        ConfigError: ``data.annotations`` names a file that does not exist.
        DataError: The file is malformed.
    """
    if is_description(spec.annotations):
        path = Path(os.path.normpath(spec.root / str(spec.annotations)))
        if not path.is_file():
            raise ConfigError("no such file", where="data.annotations", found=printable(path))
    else:
        path = next((spec.root / name for name in _USUAL if (spec.root / name).is_file()), spec.root / _USUAL[0])
    if not path.is_file():
        return Description(path, {}, spec)
    try:
        data = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError("malformed YAML", where=printable(path), found=str(error)) from error
    return Description(path, mapping(data, path), spec)


@dataclass(frozen=True)
class Description:
    """The contents of ``data.yaml``.

    Args:
        path: Its path.
        settings: Its contents; empty if there is no such file.
        spec: The data set.
    """

    path: Path
    settings: Mapping[str, Any]
    spec: DataSpec

    @property
    def names_images(self) -> bool:
        """Whether it says where the images of any split are."""
        return any(self._entries(key) for keys in _KEYS.values() for key in keys)

    def names(self) -> dict[int, str] | None:
        """Mask value (class index + 1) → class name; None if it has none. Raises DataError."""
        names = self.settings.get("names")
        if names is None:
            return None
        if isinstance(names, list):
            names = dict(enumerate(names))
        named: dict[int, str] = {}
        for index, name in mapping(names, self.path, "names").items():
            number = integer(index, self.path, f"names.{index}")
            if not 0 <= number < OBJECT_VOID - 1:
                fail(self.path, f"names.{index}", expected="a class index from 0 on", found=str(number))
            named[number + 1] = class_name(name, self.path, f"names.{index}")
        if not named:
            fail(self.path, "names", expected="a name for each class", found=shown(names))
        return dict(sorted(named.items()))

    def image_sets(self) -> dict[SplitName, ImageSet]:
        """The images of each split.

        Raises:
            DataError: An entry names nothing; none is for training; two splits have images in common.
        """
        keys = {split: next(filter(self._entries, _KEYS[split]), None) for split in SPLITS}
        if keys["train"] is None:
            raise DataError(
                "no images for training", where=printable(self.path), expected="a key train",
                found=", ".join(key for key in keys.values() if key), remedy="add it, or set data.images",
            )  # fmt: skip
        sets = {split: self.image_set(key) for split, key in keys.items() if key is not None}
        self._require_disjoint(sets)
        return sets

    def image_set(self, key: str) -> ImageSet:
        """The images that a key names, such as ``train``.

        Raises:
            ConfigError: There is no such key.
            DataError: One of its entries names nothing; there are no images.
        """
        entries = self._entries(key)
        if not entries:
            raise ConfigError(
                f"{printable(self.path)} has no key {key!r}", where="data.split", expected="keys of that file",
                found=abbreviate(printable(str(other)) for other in self.settings),
            )  # fmt: skip
        base = self.settings.get("path")
        paths = Paths(self.path, base if isinstance(base, str) else None, self.spec)
        named = {entry: paths.resolve(entry, key) for entry in entries}
        self._require_distinct(named, key, paths)
        every = [path for named_paths in named.values() for path in named_paths]
        folders = tuple(path for path in every if path.is_dir())
        files = {path for path in every if is_picture(path.name)} - set(folders)
        for path in every:
            files |= _pictures(path) if path.is_dir() else set() if path in files else paths.listed(path)
        where = f"{printable(self.path)}: {key}"
        if not files:
            raise DataError("no images found", where=where, found=abbreviate(map(printable, entries)))
        return ImageSet(ImageFiles(_home(files, folders), tuple(sorted(files)), None, where, entries[0]), folders)

    def _entries(self, key: str) -> list[str]:
        """The paths that a key names; empty if it names none. Raises DataError."""
        value = self.settings.get(key)
        if isinstance(value, list):
            return [text(entry, self.path, f"{key}[{i}]") for i, entry in enumerate(value)]
        return [text(value, self.path, key)] if value not in (None, "") else []

    def _require_distinct(self, named: Mapping[str, Sequence[Path]], key: str, paths: Paths) -> None:
        """Two entries that lead to the same place mean two places, of which one is missing."""
        entry_of: dict[Path, str] = {}
        for entry, named_paths in named.items():
            for path in named_paths:
                first = entry_of.setdefault(path, entry)
                if first != entry and not glob.has_magic(first + entry):
                    raise DataError(
                        "two entries name the same images", where=f"{printable(self.path)}: {key}",
                        found=f"{printable(first)} and {printable(entry)}, both of them {printable(path)}",
                        remedy=paths.elsewhere(entry) or paths.elsewhere(first) or "correct or remove one of them",
                    )  # fmt: skip

    def _require_disjoint(self, sets: Mapping[SplitName, ImageSet]) -> None:
        splits_of: dict[Path, list[SplitName]] = defaultdict(list)
        for split, image_set in sets.items():
            for file in image_set.images.files:
                splits_of[file].append(split)
        shared = {file: splits for file, splits in splits_of.items() if len(splits) > 1}
        if shared:
            first, *others = next(iter(shared.values()))
            folder = os.path.relpath(sets[first].images.folder, self.spec.root)
            raise DataError(
                f"{len(shared)} images are both in {first} and in {' and '.join(others)}", where=printable(self.path),
                found=abbreviate(printable(file.name) for file in shared), expected="splits without common images",
                remedy=f"correct the file, or set data.images: {printable(folder)} to split these images at random",
            )  # fmt: skip


def _pictures(folder: Path) -> set[Path]:
    return {parent / name for parent, names in visible_folders(folder) for name in names if is_picture(name)}


def _home(files: set[Path], folders: Sequence[Path]) -> Path:
    """The folder that the keys are relative to: the only folder that is named, else what all images have in common."""
    if len(folders) == 1 and all(file.is_relative_to(folders[0]) for file in files):
        return folders[0]
    return Path(os.path.commonpath([file.parent for file in files]))
