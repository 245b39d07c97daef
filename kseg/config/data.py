"""The section ``data``: where the pictures and masks are, what the masks mean, and the split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from kseg.config.fields import (
    Expression,
    HexColor,
    MaybeText,
    Section,
    Seed,
    Share,
    SomeText,
    StrictBool,
    Values,
)
from kseg.labels import LabelMap

__all__ = ["DataConfig", "FoldersSplit", "FractionsSplit", "ListsSplit"]


class FractionsSplit(Section):
    """Split by chance, the same way on every machine."""

    by: Literal["fractions"] = Field("fractions", description="Cut the samples at random into three parts.")
    train: Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)] = Field(
        0.8, description="The share of samples to train on."
    )
    val: Share = Field(0.1, description="The share of samples that choose the best weights.")
    test: Share = Field(0.1, description="The share of samples kept for the final score.")
    seed: Seed = Field(0, description="Another seed gives another split; the same one always the same.")
    stratify: StrictBool = Field(
        False,
        description="Give each split its share of the images of each class, for which all masks are read; "
        "the rarest classes first.",
    )
    group: Expression | None = Field(
        None,
        description="A regular expression, searched in each picture's path below the image folder, without suffix: "
        "pictures for which its first group, else the whole match, is the same stay in one split, e.g. '^(.*)_frame' "
        "for the frames of each video.",
    )
    copies: Literal["together"] | None = Field(
        None, description="together: pictures that look the same stay in one split, for which all pictures are read."
    )

    @model_validator(mode="after")
    def _sums_to_one(self) -> FractionsSplit:
        total = self.train + self.val + self.test
        if abs(total - 1.0) > 1e-6:
            raise PydanticCustomError(
                "kseg",
                "the fractions do not make a whole",
                {"expected": "train + val + test = 1", "found": f"{total:g}"},
            )
        return self


class FoldersSplit(Section):
    """Split by sub-folders of `data.images` and `data.masks`, or by what ``{split}`` stands for in them."""

    by: Literal["folders"] = Field(description="Each split has folders of its own.")
    train: SomeText = Field("train", description="The training folder, or what {split} stands for.")
    val: MaybeText = Field("val", description="The same for validation. Empty: none.")
    test: MaybeText = Field("test", description="The same for the final test. Empty: none.")


class ListsSplit(Section):
    """Split by text files that name the samples."""

    by: Literal["lists"] = Field(description="Each split has a text file with one sample a line.")
    train: SomeText = Field(description="The file that lists the training samples.")
    val: MaybeText = Field("", description="The file that lists the validation samples. Empty: none.")
    test: MaybeText = Field("", description="The file that lists the test samples. Empty: none.")


Split: TypeAlias = Annotated[FractionsSplit | FoldersSplit | ListsSplit, Field(discriminator="by")]


def _by_fractions(value: Any) -> Any:
    """A split that does not say how is one by fractions."""
    return {"by": "fractions", **value} if isinstance(value, dict) and "by" not in value else value


class DataConfig(Section):
    """The pictures, the masks and what the masks' values mean."""

    root: Path = Field(description="The folder of the dataset. Other paths of this section lie in it.")
    format: SomeText = Field(
        "folders",
        description="How the dataset is published: folders (of pictures and masks), lists, manifest, coco, labelme, "
        "yolo, voc or tfds.",
    )
    images: SomeText = Field(
        "images",
        description="Folder (searched at any depth) or glob of the pictures, relative to root. "
        "{split} in it stands for the folder of data.split.",
    )
    masks: SomeText = Field("masks", description="Folder (searched at any depth) or glob of the masks, as images.")
    annotations: SomeText | None = Field(
        None,
        description="The annotation file or folder, for formats that have one, relative to root; {split} as in images. "
        "For tfds the data set's name. Null: where the format's publishers put it.",
    )
    mask_suffix: MaybeText = Field(
        "", description="What a mask's name has after the picture's, e.g. _mask for cat.jpg and cat_mask.png."
    )
    classes: list[SomeText] | None = Field(
        None,
        description="The class names in the order of their ids; a class named background comes first. "
        "Null: found from the masks.",
    )
    values: Values | None = Field(
        None,
        description="Which mask value on disk, or which colour '#rrggbb' of an RGB mask, stands for which class, or "
        "for ignore. The key other stands for every value not listed. Null: value i is class i.",
    )
    match: Literal["exact", "nearest"] = Field(
        "exact",
        description="What to do with values and colours that are not listed: refuse them, or take them for the nearest "
        "one (smoothed edges, JPEG masks).",
    )
    threshold: Annotated[int, Field(strict=True, ge=1, le=65535)] | None = Field(
        None, description="Mask values from this one on count as 255, those below as 0. Null: values stay as they are."
    )
    colors: list[HexColor] | None = Field(
        None, description="One colour a class for overlays, as '#rrggbb' in quotes. Null: chosen for you."
    )
    crowds: Literal["ignore", "draw"] = Field(
        "ignore", description="COCO regions of many objects without outlines: ignored, or drawn as their class."
    )
    split: Annotated[Split, BeforeValidator(_by_fractions)] = Field(
        default_factory=FractionsSplit,
        description="How the samples are split into train, val and test, where the format does not say.",
    )
    unpaired: Literal["error", "skip"] = Field(
        "error", description="What to do with a picture without a mask, or a mask without a picture."
    )
    exclude: list[SomeText] = Field(
        [],
        description="Samples to leave out: paths below the image folder without suffix, or globs for them.",
    )
    mask_orientation: Literal["own", "image"] = Field(
        "own",
        description="By which EXIF orientation masks are turned: their own, or their picture's, "
        "for masks that were drawn on the pixels as stored.",
    )

    def label_map(self) -> LabelMap | None:
        """The labels that this section spells out, or None where the masks have to tell.

        Raises:
            ConfigError: Classes, values and colours contradict one another.
        """
        if self.classes is None:
            return None
        colors = tuple(_rgb(color) for color in self.colors or ())
        return LabelMap(tuple(self.classes), dict(self.values or {}), colors, self.match, self.threshold)


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue
