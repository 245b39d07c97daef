"""``voc``: the folders of Pascal VOC's segmentation task: palette masks with 21 classes; 255 is void.

::

    JPEGImages/2007_000032.jpg   SegmentationClass/2007_000032.png   ImageSets/Segmentation/{train,val}.txt

Most of VOC's images have no mask (they are for detection); only those with a mask are samples. For the same folders
with other classes, set ``data.classes`` in the order of the mask values.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kseg.data.formats.common import report_unpaired
from kseg.data.formats.document import read_lines
from kseg.data.formats.finder import Finder
from kseg.data.formats.listing import list_files
from kseg.data.formats.reader import Listing
from kseg.data.formats.walk import is_picture
from kseg.data.sample import SPLITS, Sample, SplitName
from kseg.data.spec import DataSpec, Fractions
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable
from kseg.labels import BACKGROUND, IGNORE, IGNORE_INDEX, OTHER
from kseg.registry import nearest

__all__ = ["NAMES", "read"]

_log = logging.getLogger("kseg")

NAMES: Final = (
    BACKGROUND, "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_IMAGES: Final = "JPEGImages"
_MASKS: Final = "SegmentationClass"
_LISTS: Final = "ImageSets/Segmentation"
_HOMES: Final = ("", "VOC2012", "VOCdevkit/VOC2012", "VOC2007", "VOCdevkit/VOC2007")


def read(spec: DataSpec, part: str | None) -> Listing:
    """Read the images that have masks; if ``part`` is None, with the splits that have lists.

    Args:
        spec: ``images`` and ``masks`` default to VOC's folders.
        part: The name of a list: train, val, trainval, test.

    Raises:
        ConfigError: The folders or lists are missing; a configured class is not one of VOC's.
        DataError: A list names an image that is missing or has no mask; there are no samples.
    """
    home = _home(spec)
    samples = {sample.image.stem: sample for sample in _pairs(spec, home)}
    values = _values(spec)
    if part is not None:
        return Listing(_listed(home / _LISTS / f"{part}.txt", samples, spec), values)
    splits: dict[str, SplitName] = {}
    for name in SPLITS:
        path = home / _LISTS / f"{name}.txt"
        # VOC's list of test images was published without masks.
        if path.is_file() and not (name == "test" and not set(_stems(path)) & set(samples)):
            splits = {sample.key: name for sample in _listed(path, samples, spec)} | splits
    if not isinstance(spec.split, Fractions):  # the configuration says which samples are read
        return Listing(tuple(samples.values()), values, splits)
    unlisted = [printable(stem) for stem, sample in samples.items() if sample.key not in splits]
    if splits and unlisted:
        _log.warning(
            "%s: %d of %d masks are in no list, and left out: %s", printable(home / _LISTS), len(unlisted),
            len(samples), abbreviate(unlisted),
        )  # fmt: skip
    return Listing(tuple(samples.values()), values, splits)


def _home(spec: DataSpec) -> Path:
    """The parent of VOC's folders."""
    for name in _HOMES:
        if (spec.root / name / _MASKS).is_dir():
            return spec.root / name
    if spec.masks != "masks" and spec.images != "images":  # both are configured
        return (spec.root / spec.masks).parent
    raise ConfigError(
        "not Pascal VOC's folders", where="data.root", found=printable(spec.root),
        expected=f"{_IMAGES}, {_MASKS} and {_LISTS} in it", remedy="name the folder VOC2012, or set data.masks",
    )  # fmt: skip


def _pairs(spec: DataSpec, home: Path) -> list[Sample]:
    masks = list_files(
        spec.root if spec.masks != "masks" else home, _folder_or(spec.masks, "masks", _MASKS), key="data.masks"
    )
    images = (spec.root if spec.images != "images" else home) / _folder_or(spec.images, "images", _IMAGES)
    if not images.is_dir():
        raise ConfigError("no such folder", where="data.images", found=printable(images))
    finder = Finder(images)
    image_of = {mask: finder.find(mask.stem, where=printable(mask)) for mask in masks.files}
    orphans = [printable(mask.name) for mask, image in image_of.items() if image is None]
    report_unpaired(
        [f"{len(orphans)} of {len(image_of)} masks have no image ({abbreviate(orphans)})"] if orphans else [],
        where=printable(masks.folder), expected=f"an image of the same stem in {printable(images)}",
        unpaired=spec.unpaired, count=len(orphans), remaining=len(image_of) - len(orphans),
    )  # fmt: skip
    return [Sample(masks.key(mask), image, mask) for mask, image in image_of.items() if image is not None]


def _folder_or(configured: str, default: str, usual: str) -> str:
    """VOC's usual folder if the setting has its default, else the configured one."""
    return usual if configured == default else configured


def _stems(path: Path) -> list[str]:
    """The stem that each line names by its first word: ``0``, ``0.jpg`` or ``/JPEGImages/0.jpg``.

    Some of VOC's lists have a second column, 1 or -1.
    """
    words = [line.split()[0] for line in read_lines(path) if line.strip()]
    return [Path(word).stem if is_picture(word) else word for word in words]


def _listed(path: Path, samples: Mapping[str, Sample], spec: DataSpec) -> tuple[Sample, ...]:
    if not path.is_file():
        raise ConfigError(
            "no such list", where="data.split", found=printable(path), expected="a text file in ImageSets/Segmentation"
        )
    stems = list(dict.fromkeys(_stems(path)))
    if not stems:
        raise DataError("the list is empty", where=printable(path), expected="one image per line")
    unknown = [printable(stem) for stem in stems if stem not in samples]
    report_unpaired(
        [f"{len(unknown)} of {len(stems)} lines name no image with a mask: {abbreviate(unknown)}"] if unknown else [],
        where=printable(path), expected="stems of masks", unpaired=spec.unpaired, count=len(unknown),
        remaining=len(stems) - len(unknown),
    )  # fmt: skip
    return tuple(samples[stem] for stem in stems if stem in samples)


def _values(spec: DataSpec) -> Mapping[int | str, str]:
    """Mask value → class: ``spec.values``; VOC's classes or a selection; or other classes in the order of their ids."""
    void: dict[int | str, str] = {IGNORE_INDEX: IGNORE}
    if spec.values:
        return spec.values
    names = NAMES if spec.classes is None else spec.classes
    if not set(names) - {BACKGROUND} & set(NAMES):
        return {**dict(enumerate(names)), **void}
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        near = nearest(unknown[0], NAMES)
        raise ConfigError(
            f"unknown class {unknown[0]!r}", where="data.classes", expected=f"of Pascal VOC: {', '.join(NAMES)}",
            remedy=f"did you mean {near!r}?" if near else None,
        )  # fmt: skip
    selected: dict[int | str, str] = {value: name for value, name in enumerate(NAMES) if name in names}
    others: dict[int | str, str] = (
        {OTHER: BACKGROUND if BACKGROUND in names else IGNORE} if len(selected) < len(NAMES) else {}
    )
    return {**selected, **void, **others}
