"""`DataSpec`: the files of a data set, the meaning of its mask values, and its split.

It is the section ``data`` of the configuration; `kseg.data.formats.layout` reads one from a folder; `kseg.data.find`
and the readers in `kseg.data.formats` take one. The JSON schema and docs/configuration.md are generated from the
descriptions of its fields.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field

from kseg.errors import ConfigError
from kseg.fields import (
    ClassName,
    ClassValues,
    HexColor,
    NonEmptyText,
    OptionalText,
    RegularExpression,
    Seed,
    Share,
    StrictBool,
)
from kseg.labels import LabelMap, canonical_name, distinct_names, parse_color

__all__ = [
    "Crowds",
    "DataSpec",
    "Folders",
    "Fractions",
    "Lists",
    "MaskSize",
    "Pages",
    "SkipObjects",
    "Split",
    "Unpaired",
]

Unpaired = Literal["error", "skip"]
MaskSize = Literal["exact", "scaled"]
Pages = Literal["each", "first"]
Crowds = Literal["ignore", "draw"]
SkipObjects = Literal["error", "skip"]


@dataclass(frozen=True)
class Fractions:
    """Random split by fractions. It depends only on the seed and the samples' names: the same on every machine.

    Raises:
        ConfigError: The fractions do not add up to 1.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    by: Annotated[Literal["fractions"], Field(description="Random split.")] = field(default="fractions", kw_only=True)
    train: Annotated[
        float,
        Field(strict=True, gt=0, le=1, allow_inf_nan=False, description="Fraction of the samples to train on."),
    ] = 0.8
    val: Annotated[
        Share, Field(description="Fraction of the samples to validate on, which selects the best weights.")
    ] = 0.1
    test: Annotated[Share, Field(description="Fraction of the samples for the final test.")] = 0.1
    seed: Annotated[Seed, Field(description="Random seed of the split.")] = 0
    stratify: Annotated[
        StrictBool,
        Field(
            description="Whether each class is distributed over the splits by the same fractions, rarest classes "
            "first; reads all masks."
        ),
    ] = False
    group: Annotated[
        RegularExpression | None,
        Field(
            description="Regular expression that is searched in each image's path below the image folder, without "
            "suffix. Images with the same first group, or the same match if it has no group, go to the same split, "
            "e.g. '^(.*)_frame' for the frames of each video."
        ),
    ] = None
    copies: Annotated[
        Literal["together"] | None,
        Field(description="together: images that look the same go to the same split; reads all images."),
    ] = None

    def __post_init__(self) -> None:
        if min(self.shares) < 0 or not math.isclose(sum(self.shares), 1.0, abs_tol=1e-6):
            raise ConfigError(
                "the fractions do not add up to 1", where="data.split",
                expected="train, val and test ≥ 0 with a sum of 1", found=" + ".join(f"{s:g}" for s in self.shares),
            )  # fmt: skip

    @property
    def shares(self) -> tuple[float, float, float]:
        """The fractions of train, val and test, in this order."""
        return self.train, self.val, self.test


@dataclass(frozen=True)
class Folders:
    """Split by sub-folders of `DataSpec.images` and `DataSpec.masks`, or by ``{split}`` in these paths."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    by: Annotated[Literal["folders"], Field(description="A sub-folder, or a value of {split}, for each split.")] = (
        field(default="folders", kw_only=True)
    )
    train: Annotated[
        NonEmptyText, Field(description="Sub-folder of the training samples, or the text that replaces {split}.")
    ] = "train"
    val: Annotated[
        OptionalText, Field(description="The same for validation; empty: a part of the training samples.")
    ] = "val"
    test: Annotated[OptionalText, Field(description="The same for the final test; empty for none.")] = "test"
    val_fraction: Annotated[
        Share, Field(description="Fraction of the training samples to validate on, where val is empty; at random.")
    ] = field(default=0.1, kw_only=True)
    seed: Annotated[Seed, Field(description="Random seed of this choice.")] = field(default=0, kw_only=True)


@dataclass(frozen=True)
class Lists:
    """Split by text files, relative to the root, with one sample per line: its key, its file name, or its path.

    Blank lines, lines that begin with ``#`` and further columns are ignored.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    by: Annotated[Literal["lists"], Field(description="A text file for each split, with one sample per line.")] = field(
        default="lists", kw_only=True
    )
    train: Annotated[NonEmptyText, Field(description="File that lists the training samples.")]
    val: Annotated[
        OptionalText,
        Field(description="File that lists the validation samples; empty: a part of the training samples."),
    ] = ""
    test: Annotated[OptionalText, Field(description="File that lists the test samples; empty for none.")] = ""
    val_fraction: Annotated[
        Share, Field(description="Fraction of the training samples to validate on, where val is empty; at random.")
    ] = field(default=0.1, kw_only=True)
    seed: Annotated[Seed, Field(description="Random seed of this choice.")] = field(default=0, kw_only=True)


_COMPLETED = ("coco", "labelme", "yolo")
"""Formats whose annotations are objects: their readers add the value 0, where there is no object, to `values`."""

Split: TypeAlias = Fractions | Folders | Lists


def _by_fractions(value: Any) -> Any:
    """Default ``by`` to fractions."""
    return {"by": "fractions", **value} if isinstance(value, dict) and "by" not in value else value


@dataclass(frozen=True)
class DataSpec:
    """The images, the masks, the meaning of the mask values, and the split.

    Raises:
        ConfigError: Classes, values and colours contradict one another.

    Example:

    >>> DataSpec("photos", classes=("background", "pet"), values={0: "background", 255: "pet"}).masks
    'masks'
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    root: Annotated[Path, Field(description="Folder of the data set; other paths of this section are relative to it.")]
    format: Annotated[
        NonEmptyText,
        Field(
            description="Format of the data set: folders (of images and masks), lists, manifest, coco, "
            "labelme, yolo, voc or tfds."
        ),
    ] = "folders"
    images: Annotated[
        NonEmptyText,
        Field(
            description="Folder of the images, searched recursively, or a glob of images or of such folders, relative "
            "to root. {split} in it is replaced by the folder of data.split."
        ),
    ] = "images"
    masks: Annotated[NonEmptyText, Field(description="Folder or glob of the masks, as for images.")] = "masks"
    annotations: Annotated[
        NonEmptyText | None,
        Field(
            description="Annotation file or folder, for formats that have one, relative to root; {split} as in "
            "images. For tfds the data set's name. Null: the format's usual place."
        ),
    ] = None
    mask_suffix: Annotated[
        OptionalText,
        Field(
            description="Suffix of the masks' file names after the images', e.g. _mask for cat.jpg and cat_mask.png."
        ),
    ] = ""
    classes: Annotated[
        tuple[ClassName, ...] | None,
        Field(
            description="Class names in the order of their ids; a class named background comes first. "
            "Null: inferred from the masks."
        ),
    ] = None
    values: Annotated[
        ClassValues | None,
        Field(
            description="Mapping of mask values on disk, or colours '#rrggbb' of RGB masks, to class names or ignore. "
            "The key other stands for every value not listed. Null: value i is class i."
        ),
    ] = None
    match: Annotated[
        Literal["exact", "nearest"],
        Field(
            description="Values and colours that are not listed are an error (exact), or are mapped to the nearest one "
            "that is (nearest; for smoothed edges and JPEG masks)."
        ),
    ] = "exact"
    threshold: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=65535)] | None,
        Field(description="Mask values from this one on count as 255, those below as 0. Null: no threshold."),
    ] = None
    colors: Annotated[
        tuple[HexColor, ...] | None,
        Field(description="One colour per class for overlays, as '#rrggbb' in quotes. Null: chosen automatically."),
    ] = None
    crowds: Annotated[
        Crowds | None,
        Field(
            description="COCO's crowd regions (iscrowd): ignored, or drawn as their class. Null: ignored, and a "
            "question where they look like objects that an exporter marked so."
        ),
    ] = None
    skip_objects: Annotated[
        SkipObjects | None,
        Field(
            description="What to do with annotated objects that cannot be drawn, such as a box in place of an outline: "
            "an error, or skip them. Null: an error above 5 % of all objects or of those of a class, else a warning."
        ),
    ] = None
    split: Annotated[
        Annotated[Split, Field(discriminator="by")],
        BeforeValidator(_by_fractions),
        Field(description="How the samples are split into train, val and test, if the format does not define it."),
    ] = field(default_factory=Fractions)
    unpaired: Annotated[
        Unpaired,
        Field(description="What to do with images without a mask and masks without an image: an error, or skip them."),
    ] = "error"
    exclude: Annotated[
        tuple[NonEmptyText, ...],
        Field(description="Samples to leave out: paths below the image folder without suffix, or globs."),
    ] = ()
    unused: Annotated[
        tuple[NonEmptyText, ...],
        Field(
            description="Files, folders or globs below root that are deliberately not read, such as depth maps beside "
            "the images. kseg data check reports all others that are not."
        ),
    ] = ()
    questions: Annotated[
        tuple[NonEmptyText, ...],
        Field(
            description="Settings that kseg data check has guessed and nobody has confirmed, e.g. [data.values]; no "
            "training starts while there are any."
        ),
    ] = ()
    mask_orientation: Annotated[
        Literal["own", "image"],
        Field(
            description="EXIF orientation that is applied to masks: their own, or their image's (for masks that were "
            "drawn on the pixels as stored)."
        ),
    ] = "own"
    mask_size: Annotated[
        MaskSize,
        Field(
            description="Masks have the size of their images (exact), or are resized to it by nearest neighbour "
            "(scaled), where their aspect ratio differs by at most 1.5 %."
        ),
    ] = "exact"
    pages: Annotated[
        Pages | None,
        Field(
            description="TIFF files of several pages: each page is a sample (each; image and mask have the same number "
            "of pages), or the first page is one (first). Null: each where the numbers are the same, else an error."
        ),
    ] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(os.path.abspath(os.path.expanduser(self.root))))
        for name in ("classes", "colors", "exclude", "unused", "questions"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        self._unify_names()
        if not isinstance(self.split, (Fractions, Folders, Lists)):
            raise ConfigError(
                "not a split", where="data.split", expected="Fractions(…), Folders(…) or Lists(…) of kseg.data",
                found=type(self.split).__name__,
            )  # fmt: skip
        if self.classes is not None and self.format not in _COMPLETED:
            self.label_map_of(self.classes, self.values)

    def _unify_names(self) -> None:
        """Make the class names canonical; those that this makes equal become one class, which keeps their values."""
        if self.values is not None:
            values = {value: canonical_name(name) for value, name in self.values.items()}
            object.__setattr__(self, "values", values)
        if self.classes is None:
            return
        names = [canonical_name(name) for name in self.classes]
        distinct = distinct_names(self.classes)
        if len(distinct) < len(names):
            if self.values is None and self.threshold is None and self.format not in _COMPLETED:
                object.__setattr__(self, "values", dict(enumerate(names)))
            if self.colors is not None and len(self.colors) == len(names):
                object.__setattr__(self, "colors", tuple(self.colors[i] for i in distinct))
        object.__setattr__(self, "classes", tuple(names[i] for i in distinct))

    def label_map(self) -> LabelMap | None:
        """The label map of `classes` and `values`; None where the classes have to be inferred from the masks.

        Raises:
            ConfigError: Classes, values and colours contradict one another.
        """
        return None if self.classes is None else self.label_map_of(self.classes, self.values)

    def label_map_of(self, classes: tuple[str, ...], values: Mapping[int | str, str] | None) -> LabelMap:
        """The label map of these classes and values, with the colours, match and threshold of this spec.

        Raises:
            ConfigError: They contradict one another.
        """
        colors = tuple(parse_color(color) for color in self.colors or ())
        return LabelMap(classes, dict(values or {}), colors, self.match, self.threshold)

    @property
    def defines_values(self) -> bool:
        """Whether the format itself says what the mask values mean."""
        return self.format in (*_COMPLETED, "voc", "tfds")

    @property
    def reads_colors(self) -> bool:
        """Whether `values` has colours, so that masks are read as colours."""
        return any(isinstance(value, str) and value.startswith("#") for value in self.values or ())

    def settings(self) -> dict[str, Any]:
        """The fields that differ from their defaults, except `root`, as plain data: keys of the section ``data``."""
        values = dataclasses.asdict(self)
        defaults = dataclasses.asdict(DataSpec(self.root))
        return {key: value for key, value in values.items() if value != defaults[key]}
