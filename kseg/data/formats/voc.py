"""``voc``: the folders of Pascal VOC's segmentation: palette masks of 21 classes, 255 unknown.

::

    JPEGImages/2007_000032.jpg   SegmentationClass/2007_000032.png   ImageSets/Segmentation/{train,val}.txt

Most of VOC's pictures are for detection and have no mask; those with a mask are the samples. The same folders with
other classes: name these in ``data.classes``, in the order of their mask values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kseg.data.formats.common import BACKGROUND, report_lonely
from kseg.data.formats.document import read_lines
from kseg.data.formats.finder import Finder
from kseg.data.formats.listing import list_files
from kseg.data.formats.reader import Listing
from kseg.data.sample import SPLITS, Sample, SplitName
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable
from kseg.labels import IGNORE, IGNORE_INDEX, OTHER
from kseg.registry import nearest

__all__ = ["NAMES", "read"]

NAMES: Final = (
    BACKGROUND, "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_IMAGES: Final = "JPEGImages"
_MASKS: Final = "SegmentationClass"
_LISTS: Final = "ImageSets/Segmentation"
_HOMES: Final = ("", "VOC2012", "VOCdevkit/VOC2012", "VOC2007", "VOCdevkit/VOC2007")


def read(spec: DataSpec, part: str | None) -> Listing:
    """The pictures with masks; without a part, in the splits that there are lists of.

    Args:
        spec: ``images`` and ``masks`` are VOC's folders unless they say others.
        part: A list's name: train, val, trainval, test.

    Raises:
        ConfigError: The folders or lists are missing; a class that is asked for is none of VOC's.
        DataError: A list names a picture that is missing, or one without mask; nothing is found.
    """
    home = _home(spec)
    samples = {sample.image.stem: sample for sample in _pairs(spec, home)}
    values = _values(spec)
    if part is not None:
        return Listing(_listed(home / _LISTS / f"{part}.txt", samples, spec), values)
    splits: dict[str, SplitName] = {}
    for name in SPLITS:
        path = home / _LISTS / f"{name}.txt"
        # VOC's list of test pictures came without masks.
        if path.is_file() and not (name == "test" and not set(_stems(path)) & set(samples)):
            splits = {sample.key: name for sample in _listed(path, samples, spec)} | splits
    return Listing(tuple(samples.values()), values, splits)


def _home(spec: DataSpec) -> Path:
    """The folder with VOC's folders in it."""
    for name in _HOMES:
        if (spec.root / name / _MASKS).is_dir():
            return spec.root / name
    if spec.masks != "masks" and spec.images != "images":  # said outright
        return (spec.root / spec.masks).parent
    raise ConfigError(
        "not Pascal VOC's folders", where="data.root", found=printable(spec.root),
        expected=f"{_IMAGES}, {_MASKS} and {_LISTS} in it", remedy="name the folder VOC2012, or set data.masks",
    )  # fmt: skip


def _pairs(spec: DataSpec, home: Path) -> list[Sample]:
    masks = list_files(spec.root if spec.masks != "masks" else home, _or(spec.masks, "masks", _MASKS), key="data.masks")
    images = (spec.root if spec.images != "images" else home) / _or(spec.images, "images", _IMAGES)
    if not images.is_dir():
        raise ConfigError("no such folder", where="data.images", found=printable(images))
    finder = Finder(images)
    found = {mask: finder.find(mask.stem, where=printable(mask)) for mask in masks.files}
    orphans = [printable(mask.name) for mask, image in found.items() if image is None]
    report_lonely(
        [f"{len(orphans)} of {len(found)} masks have no image ({abbreviate(orphans)})"] if orphans else [],
        where=printable(masks.folder), expected=f"an image of the same stem in {printable(images)}",
        unpaired=spec.unpaired, left=len(found) - len(orphans),
    )  # fmt: skip
    return [Sample(masks.key(mask), image, mask) for mask, image in found.items() if image is not None]


def _or(given: str, default: str, usual: str) -> str:
    return usual if given == default else given


def _stems(path: Path) -> list[str]:
    """The first word of each line: some of VOC's lists have a 1 or -1 behind it."""
    return [line.split()[0] for line in read_lines(path) if line.strip()]


def _listed(path: Path, samples: Mapping[str, Sample], spec: DataSpec) -> tuple[Sample, ...]:
    if not path.is_file():
        raise ConfigError("no such list", where="data.split", found=printable(path), expected="a file of VOC's")
    stems = list(dict.fromkeys(_stems(path)))
    if not stems:
        raise DataError("the list is empty", where=printable(path), expected="one image a line")
    lost = [printable(stem) for stem in stems if stem not in samples]
    report_lonely(
        [f"{len(lost)} of {len(stems)} lines name no image with a mask: {abbreviate(lost)}"] if lost else [],
        where=printable(path), expected="stems of masks", unpaired=spec.unpaired, left=len(stems) - len(lost),
    )  # fmt: skip
    return tuple(samples[stem] for stem in stems if stem in samples)


def _values(spec: DataSpec) -> Mapping[int | str, str]:
    """VOC's own values; a choice of its classes; or other classes in the order of their values."""
    void: dict[int | str, str] = {IGNORE_INDEX: IGNORE}
    if spec.values:
        return spec.values
    asked = NAMES if spec.classes is None else spec.classes
    if not set(asked) - {BACKGROUND} & set(NAMES):
        return {**dict(enumerate(asked)), **void}
    unknown = [name for name in asked if name not in NAMES]
    if unknown:
        near = nearest(unknown[0], NAMES)
        raise ConfigError(
            f"unknown class {unknown[0]!r}", where="data.classes", expected=f"of Pascal VOC: {', '.join(NAMES)}",
            remedy=f"did you mean {near!r}?" if near else None,
        )  # fmt: skip
    chosen: dict[int | str, str] = {value: name for value, name in enumerate(NAMES) if name in asked}
    rest: dict[int | str, str] = (
        {OTHER: BACKGROUND if BACKGROUND in asked else IGNORE} if len(chosen) < len(NAMES) else {}
    )
    return {**chosen, **void, **rest}
