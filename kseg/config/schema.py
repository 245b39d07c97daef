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

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from kseg.labels import LabelMap

__all__ = [
    "AugmentConfig",
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
    normalization: Literal["unit", "symmetric", "imagenet"] = Field(
        "symmetric",
        description="What the network does to raw pixels first: unit 0..1, symmetric -1..1, "
        "imagenet mean and deviation.",
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
    cache: Literal["auto", "ram", "none"] = Field(
        "auto", description="Keep the decoded samples in memory; auto does where they fit."
    )


class AugmentConfig(_Section):
    """What training varies at random, sample by sample."""

    hflip: Share = Field(0.5, description="The chance of a mirror image, left and right.")
    vflip: Share = Field(0.0, description="The chance of an upside-down image.")
    rot90: Share = Field(0.0, description="The chance of a turn by 90, 180 or 270 degrees.")
    brightness: Share = Field(0.0, description="How much lighter or darker at most, as a share.")
    contrast: Share = Field(0.0, description="How much more or less contrast at most, as a share.")
    saturation: Share = Field(0.0, description="How much more or less colour at most, as a share.")
    scale: tuple[Factor, Factor] = Field(
        (1.0, 1.0), description="The smallest and largest zoom: [lo, hi]; 2 shows everything twice as large."
    )
    rotate: Annotated[float, Field(strict=True, ge=0, le=180, allow_inf_nan=False)] = Field(
        0.0, description="The largest turn either way, in degrees."
    )

    @model_validator(mode="after")
    def _lowest_first(self) -> AugmentConfig:
        if self.scale[0] > self.scale[1]:
            raise PydanticCustomError(
                "kseg",
                "the limits of scale are the wrong way round",
                {"key": "scale", "expected": "[lo, hi] with lo <= hi", "found": str(list(self.scale))},
            )
        return self


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
    augment: AugmentConfig = Field(
        default_factory=AugmentConfig, description="What training varies at random, sample by sample."
    )
    run: RunConfig = Field(default_factory=RunConfig, description="Where the run folder goes.")
