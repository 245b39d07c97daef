"""`DataSpec`: where a data set lies, what its masks mean, and how it is split. The one description of a data set.

The configuration's section ``data`` is one, `kseg.data.formats.layout` guesses one, Python users write one, and
`kseg.data.find` and every reader of `kseg.data.formats` take one. The descriptions of its fields are the source of the
JSON schema and of docs/configuration.md.
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
from kseg.fields import ClassValues, HexColor, NonEmptyText, OptionalText, RegularExpression, Seed, Share, StrictBool
from kseg.labels import LabelMap, parse_color

__all__ = ["Crowds", "DataSpec", "Folders", "Fractions", "Lists", "Split", "Unpaired"]

Unpaired = Literal["error", "skip"]
Crowds = Literal["ignore", "draw"]


@dataclass(frozen=True)
class Fractions:
    """Split by chance, the same way on every machine: by a hash of each sample's name.

    Raises:
        ConfigError: The shares do not add up to 1.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    by: Annotated[Literal["fractions"], Field(description="Cut the samples at random into three parts.")] = field(
        default="fractions", kw_only=True
    )
    train: Annotated[
        float,
        Field(strict=True, gt=0, le=1, allow_inf_nan=False, description="The share of samples to train on."),
    ] = 0.8
    val: Annotated[Share, Field(description="The share of samples that choose the best weights.")] = 0.1
    test: Annotated[Share, Field(description="The share of samples kept for the final score.")] = 0.1
    seed: Annotated[Seed, Field(description="Another seed gives another split; the same one always the same.")] = 0
    stratify: Annotated[
        StrictBool,
        Field(
            description="Give each split its share of the images of each class, for which all masks are read; "
            "the rarest classes first."
        ),
    ] = False
    group: Annotated[
        RegularExpression | None,
        Field(
            description="A regular expression, searched in each picture's path below the image folder, without "
            "suffix: pictures for which its first group, else the whole match, is the same stay in one split, e.g. "
            "'^(.*)_frame' for the frames of each video."
        ),
    ] = None
    copies: Annotated[
        Literal["together"] | None,
        Field(description="together: pictures that look the same stay in one split, for which all pictures are read."),
    ] = None

    def __post_init__(self) -> None:
        if min(self.shares) < 0 or not math.isclose(sum(self.shares), 1.0, abs_tol=1e-6):
            raise ConfigError(
                "the fractions are not shares of one whole", where="data.split",
                expected="train, val and test ≥ 0 with a sum of 1", found=" + ".join(f"{s:g}" for s in self.shares),
            )  # fmt: skip

    @property
    def shares(self) -> tuple[float, float, float]:
        """The shares of train, val and test."""
        return self.train, self.val, self.test


@dataclass(frozen=True)
class Folders:
    """Split by sub-folders of `DataSpec.images` and `DataSpec.masks`, or by what ``{split}`` stands for in them."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    by: Annotated[Literal["folders"], Field(description="Each split has folders of its own.")] = field(
        default="folders", kw_only=True
    )
    train: Annotated[NonEmptyText, Field(description="The training folder, or what {split} stands for.")] = "train"
    val: Annotated[OptionalText, Field(description="The same for validation. Empty: none.")] = "val"
    test: Annotated[OptionalText, Field(description="The same for the final test. Empty: none.")] = "test"


@dataclass(frozen=True)
class Lists:
    """Split by text files, relative to the root, with one sample a line: its key, its file name, or its path.

    Blank lines and lines that begin with ``#`` do not count, nor do further columns.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    by: Annotated[Literal["lists"], Field(description="Each split has a text file with one sample a line.")] = field(
        default="lists", kw_only=True
    )
    train: Annotated[NonEmptyText, Field(description="The file that lists the training samples.")]
    val: Annotated[OptionalText, Field(description="The file that lists the validation samples. Empty: none.")] = ""
    test: Annotated[OptionalText, Field(description="The file that lists the test samples. Empty: none.")] = ""


_COMPLETED = ("coco", "labelme", "yolo")
"""Formats of objects, whose readers complete `values`: 0 is where no object is."""

Split: TypeAlias = Fractions | Folders | Lists


def _by_fractions(value: Any) -> Any:
    """A split that does not say how is one by fractions."""
    return {"by": "fractions", **value} if isinstance(value, dict) and "by" not in value else value


@dataclass(frozen=True)
class DataSpec:
    """The pictures, the masks and what the masks' values mean.

    Raises:
        ConfigError: Classes, values and colours contradict one another.

    Example:

    >>> DataSpec("photos", classes=("background", "pet"), values={0: "background", 255: "pet"}).masks
    'masks'
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    root: Annotated[Path, Field(description="The folder of the dataset. Other paths of this section lie in it.")]
    format: Annotated[
        NonEmptyText,
        Field(
            description="How the dataset is published: folders (of pictures and masks), lists, manifest, coco, "
            "labelme, yolo, voc or tfds."
        ),
    ] = "folders"
    images: Annotated[
        NonEmptyText,
        Field(
            description="Folder (searched at any depth) or glob of the pictures, relative to root. "
            "{split} in it stands for the folder of data.split."
        ),
    ] = "images"
    masks: Annotated[
        NonEmptyText, Field(description="Folder (searched at any depth) or glob of the masks, as images.")
    ] = "masks"
    annotations: Annotated[
        NonEmptyText | None,
        Field(
            description="The annotation file or folder, for formats that have one, relative to root; {split} as in "
            "images. For tfds the data set's name. Null: where the format's publishers put it."
        ),
    ] = None
    mask_suffix: Annotated[
        OptionalText,
        Field(description="What a mask's name has after the picture's, e.g. _mask for cat.jpg and cat_mask.png."),
    ] = ""
    classes: Annotated[
        tuple[NonEmptyText, ...] | None,
        Field(
            description="The class names in the order of their ids; a class named background comes first. "
            "Null: found from the masks."
        ),
    ] = None
    values: Annotated[
        ClassValues | None,
        Field(
            description="Which mask value on disk, or which colour '#rrggbb' of an RGB mask, stands for which class, "
            "or for ignore. The key other stands for every value not listed. Null: value i is class i."
        ),
    ] = None
    match: Annotated[
        Literal["exact", "nearest"],
        Field(
            description="What to do with values and colours that are not listed: refuse them, or take them for the "
            "nearest one (smoothed edges, JPEG masks)."
        ),
    ] = "exact"
    threshold: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=65535)] | None,
        Field(
            description="Mask values from this one on count as 255, those below as 0. Null: values stay as they are."
        ),
    ] = None
    colors: Annotated[
        tuple[HexColor, ...] | None,
        Field(description="One colour a class for overlays, as '#rrggbb' in quotes. Null: chosen for you."),
    ] = None
    crowds: Annotated[
        Crowds,
        Field(description="COCO regions of many objects without outlines: ignored, or drawn as their class."),
    ] = "ignore"
    split: Annotated[
        Annotated[Split, Field(discriminator="by")],
        BeforeValidator(_by_fractions),
        Field(description="How the samples are split into train, val and test, where the format does not say."),
    ] = field(default_factory=Fractions)
    unpaired: Annotated[
        Unpaired, Field(description="What to do with a picture without a mask, or a mask without a picture.")
    ] = "error"
    exclude: Annotated[
        tuple[NonEmptyText, ...],
        Field(description="Samples to leave out: paths below the image folder without suffix, or globs for them."),
    ] = ()
    mask_orientation: Annotated[
        Literal["own", "image"],
        Field(
            description="By which EXIF orientation masks are turned: their own, or their picture's, for masks that "
            "were drawn on the pixels as stored."
        ),
    ] = "own"

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(os.path.abspath(os.path.expanduser(self.root))))
        for name in ("classes", "colors", "exclude"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.classes is not None and self.format not in _COMPLETED:
            self.label_map_of(self.classes, self.values)

    def label_map(self) -> LabelMap | None:
        """The classes and values that are spelled out here, or None where the masks have to tell the classes.

        Raises:
            ConfigError: Classes, values and colours contradict one another.
        """
        return None if self.classes is None else self.label_map_of(self.classes, self.values)

    def label_map_of(self, classes: tuple[str, ...], values: Mapping[int | str, str] | None) -> LabelMap:
        """These classes and values, with the colours and the matching of this description. Raises ConfigError."""
        colors = tuple(parse_color(color) for color in self.colors or ())
        return LabelMap(classes, dict(values or {}), colors, self.match, self.threshold)

    @property
    def reads_colors(self) -> bool:
        """Whether the masks are read as colours, since `values` names such."""
        return any(isinstance(value, str) and value.startswith("#") for value in self.values or ())

    def settings(self) -> dict[str, Any]:
        """The fields that differ from their defaults, but for the root, as plain data: keys of the section ``data``."""
        plain = dataclasses.asdict(self)
        usual = dataclasses.asdict(DataSpec(self.root))
        return {key: value for key, value in plain.items() if value != usual[key]}
