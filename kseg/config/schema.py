"""Every setting of a run: its type, its default, its bounds and what it means.

The descriptions here are the one source of the JSON schema that editors use and of docs/configuration.md::

    Config
    ├── data      where the pictures and masks are, the classes, the split
    ├── model     the network
    ├── train     size, epochs, loss, optimiser, device
    ├── augment   what is varied at random in training
    └── run       where the run folder goes

Only `kseg.config.load_config` reads files, resolves paths and turns what is wrong into one line.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from kseg.augment import PRESETS, augment_schema, parse, to_plain
from kseg.errors import ConfigError
from kseg.labels import LabelMap
from kseg.registry import nearest

__all__ = [
    "Config",
    "DataConfig",
    "FoldersSplit",
    "FractionsSplit",
    "ListsSplit",
    "ModelConfig",
    "RunConfig",
    "TrainConfig",
]

EXPECTED = "x-expected"
"""In the JSON schema: what a value should be, where its keywords do not read well in a message."""

Text: TypeAlias = Annotated[str, Field(strict=True)]
MaybeText: TypeAlias = Annotated[
    str,
    Field(strict=True),
    # `test:` and `--set data.split.test=` are null in YAML, and are meant as empty.
    BeforeValidator(lambda value: "" if value is None else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}], EXPECTED: "text, or nothing"}),
]
SomeText: TypeAlias = Annotated[str, Field(strict=True, min_length=1)]
Width: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=4096)]
Side: TypeAlias = Annotated[int, Field(strict=True, ge=8, le=8192)]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Seed: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)]
Share: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Factor: TypeAlias = Annotated[float, Field(strict=True, gt=0, le=10, allow_inf_nan=False)]

StrictBool: TypeAlias = Annotated[bool, Field(strict=True)]


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        told = {"expected": "one that Python's re module reads", "found": f"{value!r}: {error}"}
        raise PydanticCustomError("kseg", "not a regular expression", told) from None
    return value


Expression: TypeAlias = Annotated[SomeText, AfterValidator(_compiles)]

HexColor: TypeAlias = Annotated[
    str,
    Field(
        strict=True,
        pattern="^#[0-9a-fA-F]{6}$",
        json_schema_extra={EXPECTED: "a colour in quotes, as '#ff8000'"},
    ),
]
FolderName: TypeAlias = Annotated[
    str,
    Field(
        strict=True,
        # No slash and no control character, and no leading dot, which would hide the folder or lead out of it.
        pattern=r"^[^/\\.\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$",
        max_length=200,
        json_schema_extra={EXPECTED: "the name of a folder, without slashes or a leading dot"},
    ),
]
MaskValue: TypeAlias = (
    Annotated[int, Field(strict=True, ge=0, le=65535)]
    | Annotated[str, Field(strict=True, pattern="^(other|#[0-9a-fA-F]{6})$")]
)


def _square(value: Any) -> Any:
    """One number for the size means a square."""
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


_SIDE_SCHEMA = {"type": "integer", "minimum": 8, "maximum": 8192}
Size: TypeAlias = Annotated[
    tuple[Side, Side],
    BeforeValidator(_square),
    WithJsonSchema(
        {
            "anyOf": [
                _SIDE_SCHEMA,
                {"type": "array", "prefixItems": [_SIDE_SCHEMA, _SIDE_SCHEMA], "items": False, "minItems": 2},
            ],
            EXPECTED: "a whole number from 8 to 8192, or [height, width]",
        }
    ),
]
Values: TypeAlias = Annotated[
    dict[MaskValue, Text],
    # JSON knows only text as keys, while YAML's are whole numbers: both are keys that this pattern lets pass.
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": "^([0-9]{1,5}|other|#[0-9a-fA-F]{6})$"},
            "additionalProperties": {"type": "string"},
            EXPECTED: "a mapping of mask values (0 to 65535, '#rrggbb' or other) to class names",
        }
    ),
]


_METHODS: Final = ("inverse", "median", "effective")


def _class_weights(value: Any) -> Any:
    expected = f"one of {', '.join(_METHODS)}, or a mapping of class names to numbers >= 0, or null"
    if isinstance(value, str) and value not in _METHODS:
        near = nearest(value, _METHODS)
        told = {"expected": expected, "found": repr(value), "remedy": f"did you mean {near!r}?" if near else None}
        raise PydanticCustomError("kseg", "wrong value", told)
    if isinstance(value, dict) and value:
        for name, weight in value.items():
            number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
            if not isinstance(name, str) or not number or not 0 <= weight < math.inf:
                told = {"key": (name,), "expected": "a number >= 0 for the name of a class", "found": repr(weight)}
                raise PydanticCustomError("kseg", "not the weight of a class", told)  # type: ignore[arg-type]
        return {name: float(weight) for name, weight in value.items()}
    if value is not None and not isinstance(value, str):
        raise PydanticCustomError("kseg", "wrong value", {"expected": expected, "found": repr(value)})
    return value


ClassWeights: TypeAlias = Annotated[
    Literal["inverse", "median", "effective"] | dict[str, float] | None,
    PlainValidator(_class_weights),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(_METHODS), "type": "string"},
                {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}, "minProperties": 1},
                {"type": "null"},
            ],
            EXPECTED: "inverse, median, effective, a mapping of class names to numbers >= 0, or null",
        }
    ),
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class FractionsSplit(_Section):
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


class FoldersSplit(_Section):
    """Split by sub-folders of `data.images` and `data.masks`, or by what ``{split}`` stands for in them."""

    by: Literal["folders"] = Field(description="Each split has folders of its own.")
    train: SomeText = Field("train", description="The training folder, or what {split} stands for.")
    val: MaybeText = Field("val", description="The same for validation. Empty: none.")
    test: MaybeText = Field("test", description="The same for the final test. Empty: none.")


class ListsSplit(_Section):
    """Split by text files that name the samples."""

    by: Literal["lists"] = Field(description="Each split has a text file with one sample a line.")
    train: SomeText = Field(description="The file that lists the training samples.")
    val: MaybeText = Field("", description="The file that lists the validation samples. Empty: none.")
    test: MaybeText = Field("", description="The file that lists the test samples. Empty: none.")


Split: TypeAlias = Annotated[FractionsSplit | FoldersSplit | ListsSplit, Field(discriminator="by")]


def _by_fractions(value: Any) -> Any:
    """A split that does not say how is one by fractions."""
    return {"by": "fractions", **value} if isinstance(value, dict) and "by" not in value else value


class DataConfig(_Section):
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
        "Null: where the format's publishers put it.",
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
        default_factory=list,
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


class ModelConfig(_Section):
    """The network."""

    arch: SomeText = Field("unet", description="The architecture.")
    encoder: SomeText = Field(
        "plain", description="What the network sees with: plain, or one with pretrained weights, as mobilenetv2."
    )
    widths: Annotated[list[Width], Field(min_length=1, max_length=6)] | None = Field(
        None, description="Channels at each level of the encoder, finest first. Null: the encoder's own."
    )
    depth: Annotated[int, Field(strict=True, ge=1, le=6)] | None = Field(
        None, description="Levels of the encoder, each twice as wide as the one before, where no widths are given."
    )
    decoder_widths: Annotated[list[Width], Field(min_length=1, max_length=6)] | None = Field(
        None, description="Channels at each level of the decoder, coarsest first. Null: the encoder's mirrored."
    )
    norm: Literal["none", "batch", "group", "layer"] = Field(
        "none", description="The normalisation after each convolution."
    )
    dropout: Annotated[float, Field(strict=True, ge=0, lt=1, allow_inf_nan=False)] = Field(
        0.0, description="The share of channels dropped at the bottleneck in training."
    )
    upsampling: Literal["transpose", "bilinear", "nearest"] = Field(
        "transpose", description="How the decoder doubles its size."
    )
    normalization: Literal["unit", "symmetric", "imagenet", "dataset"] | None = Field(
        None,
        description="What the network does to raw pixels first: unit 0..1, symmetric -1..1, imagenet or dataset "
        "(the training images') mean and deviation of each channel. Null: what the encoder was trained with.",
    )
    weights: Literal["imagenet"] | Path | None = Field(
        None, description="Pretrained weights of the encoder: imagenet, a file, or null for random ones."
    )


class TrainConfig(_Section):
    """The training."""

    imgsz: Size = Field(
        (256, 256), description="The size in pixels that the network works at: [height, width], or one for both."
    )
    epochs: Count = Field(50, description="How many times to see every training sample.")
    batch: Annotated[int, Field(strict=True, ge=1, le=65536)] = Field(8, description="Samples in one step.")
    lr: Factor = Field(1e-3, description="The learning rate at its highest.")
    weight_decay: Share = Field(1e-4, description="AdamW's decay of the weights; 0 turns it off.")
    schedule: Literal["constant", "cosine"] = Field(
        "cosine", description="How the learning rate goes down over the epochs."
    )
    loss: SomeText = Field(
        "cross_entropy", description="The loss by name, or a sum of losses, as 'cross_entropy + 0.5*dice'."
    )
    class_weights: ClassWeights = Field(
        None,
        description="How much each class counts in the loss: by the training masks, so that rare classes count more "
        "(inverse: all classes alike; median: the same, but by how large a class is in the images that have it; "
        "effective: mildly, by the number of images that have it), or a number a class, 1 for those not named. "
        "Null: every pixel counts the same.",
    )
    patience: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = Field(
        15, description="Stop after this many epochs without a better score; 0 never stops early."
    )
    monitor: Literal["val_iou", "val_mean_iou", "val_dice", "val_loss"] = Field(
        "val_iou", description="The score that chooses the best epoch."
    )
    seed: Seed = Field(0, description="Fixes first weights, order and augmentation.")
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "auto", description="The number format of the layers; auto takes the fastest that the device does well."
    )
    device: Literal["auto", "cpu", "gpu"] = Field("auto", description="Where to compute.")
    cache: Literal["auto", "ram", "disk", "none"] = Field(
        "auto",
        description="Where decoded samples are kept: in memory, in files that later runs use again (below "
        "$KSEG_CACHE, else ~/.cache/kseg), or nowhere; auto takes the memory where they fit, else none.",
    )
    sampler: Literal["shuffle", "balanced"] = Field(
        "shuffle",
        description="Which samples an epoch has: shuffle each once; balanced draws those with rare classes more often.",
    )


def _augment(value: Any) -> Any:
    """Every transform with every argument, as plain data; what is wrong keeps its own key."""
    try:
        return to_plain(parse(value))
    except ConfigError as error:
        key = (error.where or "").split(".")[1:]
        place = tuple(int(part) if part.isdecimal() else part for part in key)
        told: dict[str, Any] = {"key": place, "expected": error.expected, "found": error.found, "remedy": error.remedy}
        raise PydanticCustomError("kseg", error.what, told) from None


Augmentation: TypeAlias = Annotated[
    list[dict[str, dict[str, Any]]] | dict[str, str],
    PlainValidator(_augment),
    WithJsonSchema(
        {
            **augment_schema(),
            EXPECTED: f"one of {', '.join(PRESETS)}, or a list in order, or {{albumentations: FILE}}",
            "default": ["hflip"],
        }
    ),
]


class RunConfig(_Section):
    """The run folder."""

    project: Path = Field(Path("runs"), description="The folder that runs go to, as PROJECT/fit/NAME.")
    name: FolderName | None = Field(
        None, description="The name of the run; a number is added where it is taken. Null: chosen for you."
    )


class Config(_Section):
    """Every setting of a training run."""

    data: DataConfig = Field(description="Where the pictures and masks are, the classes, the split.")
    model: ModelConfig = Field(default_factory=ModelConfig, description="The network.")
    train: TrainConfig = Field(default_factory=TrainConfig, description="The training.")
    augment: Augmentation = Field(
        default_factory=lambda: to_plain(parse(["hflip"])),
        description="What training varies at random, sample by sample.",
    )
    run: RunConfig = Field(default_factory=RunConfig, description="Where the run folder goes.")
