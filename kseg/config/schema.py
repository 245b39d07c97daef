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
from typing import Annotated, Literal

from pydantic import Field

from kseg.augment import parse
from kseg.config.fields import Augmentation, ClassWeights, Handle, ImageSize, Loss, Section
from kseg.data.spec import DataSpec
from kseg.fields import Count, Factor, FolderName, NonEmptyText, Seed, Share, StrictBool, Width
from kseg.losses.expression import parse_loss
from kseg.models.specs import NetworkSpec
from kseg.models.tables import PerChannel
from kseg.sizes import Size

__all__ = ["Config", "ModelConfig", "RunConfig", "TrainConfig"]


class ModelConfig(Section):
    """The network."""

    arch: NonEmptyText = Field("unet", description="How features become masks: unet, unetplusplus or deeplabv3plus.")
    encoder: NonEmptyText = Field(
        "plain",
        description="What the network sees with: plain or residual, of any widths; or mobilenetv2, mobilenetv3_small, "
        "mobilenetv3_large, mit_b0, and with the extra hub resnet18, resnet34, resnet50, vgg11, vgg16, "
        "efficientnet_lite0, efficientnet_b0, tf_efficientnet_lite0, tf_efficientnet_lite2, tf_efficientnet_b0.",
    )
    widths: Annotated[list[Width], Field(min_length=1, max_length=6)] | None = Field(
        None, description="Channels at each level of the encoder, finest first. Null: the encoder's own."
    )
    depth: Annotated[int, Field(strict=True, ge=1, le=6)] | None = Field(
        None, description="Levels of the encoder, each twice as wide as the one before, where no widths are given."
    )
    decoder_widths: Annotated[list[Width], Field(min_length=1, max_length=6)] | None = Field(
        None,
        description="Channels at each level of the decoder, coarsest first; with fewer numbers than levels the scores "
        "are scaled up from the last; one number with deeplabv3plus. Null: the encoder's mirrored.",
    )
    block: Literal["standard", "residual", "separable"] | None = Field(
        None,
        description="What blocks are made of: two convolutions, the same around a shortcut, or two depthwise-separable "
        "ones. Null: residual with encoder residual, else standard.",
    )
    norm: Literal["none", "batch", "group", "layer"] | None = Field(
        None,
        description="The normalisation after each convolution. Null: none with the encoders plain and VGG, else batch.",
    )
    bottleneck: Literal["none", "conv", "attention", "aspp"] | None = Field(
        None,
        description="What stands between encoder and decoder: nothing, a block, self-attention over all positions, or "
        "atrous convolutions side by side. Null: conv with the encoders plain and residual, aspp with deeplabv3plus, "
        "else none.",
    )
    attention_heads: Annotated[int, Field(strict=True, ge=1, le=64)] = Field(
        4, description="Heads of the self-attention in the bottleneck."
    )
    attention_gates: StrictBool = Field(False, description="Whether the decoder weighs what skips bring it.")
    dropout: Annotated[float, Field(strict=True, ge=0, lt=1, allow_inf_nan=False)] = Field(
        0.0, description="The share of channels dropped at the bottleneck in training."
    )
    upsampling: Literal["transpose", "bilinear", "nearest"] = Field(
        "transpose", description="How the decoder doubles its size."
    )
    activation: Literal["softmax", "sigmoid"] = Field(
        "softmax",
        description="What turns logits into scores, with three classes or more: softmax lets the classes compete for "
        "each pixel, sigmoid decides each by itself. One class against the background is always a sigmoid.",
    )
    normalization: Literal["unit", "symmetric", "imagenet", "dataset"] | None = Field(
        None,
        description="What the network does to raw pixels first: unit 0..1, symmetric -1..1, imagenet or dataset "
        "(the training images') mean and deviation of each channel. Null: what the encoder was trained with.",
    )
    weights: Literal["imagenet"] | Handle | Path | None = Field(
        None,
        description="Pretrained weights of the encoder: imagenet, a preset or handle of KerasHub "
        "(hf://timm/resnet34.a1_in1k), a file or folder, or null for random ones. What each encoder takes stands in "
        "docs/encoders.md.",
    )
    start: Path | None = Field(
        None,
        description="A model of kseg, or its run folder, to start from: the network has to be the same but for the "
        "classes, and takes all weights but the head's.",
    )

    def network_spec(
        self, size: Size, channels: int, pixels: tuple[PerChannel, PerChannel] | None = None
    ) -> NetworkSpec:
        """The structure that these settings ask for.

        Args:
            size: Height and width that the network works at.
            channels: Score channels.
            pixels: Mean and deviation of the training images' red, green and blue, for ``normalization: dataset``;
                without them the structure is only good for being checked.

        Raises:
            ConfigError, UsageError: Settings contradict one another.
        """
        by_dataset = self.normalization == "dataset"
        mean, std = (pixels or ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))) if by_dataset else (None, None)
        return NetworkSpec(
            size=size,
            channels=channels,
            arch=self.arch,
            encoder=self.encoder,
            widths=tuple(self.widths) if self.widths else None,
            depth=self.depth,
            decoder_widths=tuple(self.decoder_widths) if self.decoder_widths else None,
            block=self.block,
            norm=self.norm,
            bottleneck=self.bottleneck,
            attention_heads=self.attention_heads,
            attention_gates=self.attention_gates,
            activation=self.activation,
            dropout=self.dropout,
            upsampling=self.upsampling,
            normalization=self.normalization,
            pixel_mean=mean,
            pixel_std=std,
        )


class TrainConfig(Section):
    """The training."""

    imgsz: ImageSize = Field(
        (256, 256), description="The size in pixels that the network works at: [height, width], or one for both."
    )
    epochs: Count = Field(50, description="How many times to see every training sample.")
    batch: Annotated[int, Field(strict=True, ge=1, le=65536)] = Field(8, description="Samples in one step.")
    lr: Factor = Field(1e-3, description="The learning rate at its highest.")
    weight_decay: Share = Field(1e-4, description="AdamW's decay of the weights; 0 turns it off.")
    schedule: Literal["constant", "cosine", "one_cycle"] = Field(
        "cosine",
        description="How the learning rate goes over the epochs: not at all, down after a short rise, or up for three "
        "tenths and down.",
    )
    encoder_trainable: StrictBool | Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = Field(
        True, description="Whether the encoder learns; a number: only after so many epochs."
    )
    encoder_lr: Factor = Field(1.0, description="What the learning rate of the encoder is multiplied by.")
    freeze_batch_norm: StrictBool = Field(
        False, description="Whether the encoder's batch normalisation keeps the statistics that it came with."
    )
    average: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        1, description="Validate and keep the mean of the weights of about so many last epochs; 1: each epoch's own."
    )
    loss: Loss = Field(
        default_factory=lambda: parse_loss("cross_entropy"),
        description="The loss by name, or a sum of losses with weights and arguments, as 'bce + 0.5 * dice' or "
        "'cross_entropy + focal_tversky(gamma=2)': cross_entropy, bce, focal, dice, generalized_dice, jaccard, "
        "log_jaccard, tversky, focal_tversky, lovasz, boundary. What they are and take stands in docs/losses.md.",
    )
    deep_supervision: StrictBool = Field(
        False,
        description="Whether the coarser levels of the decoder learn to find the classes, too, each counting half as "
        "much in loss and val_loss as the next finer one; those of unetplusplus, which have one size, count the same. "
        "All other scores, and what is saved, are the network's without them. Not with deeplabv3plus.",
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


class RunConfig(Section):
    """The run folder."""

    project: Path = Field(Path("runs"), description="The folder that runs go to, as PROJECT/fit/NAME.")
    name: FolderName | None = Field(
        None, description="The name of the run; a number is added where it is taken. Null: chosen for you."
    )
    save_every: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = Field(
        0,
        description="Keep the weights of every so many epochs, and a picture of what they find; 0: of the best and the "
        "last only.",
    )
    tensorboard: StrictBool = Field(
        False, description="Whether the scores go to RUN/tensorboard, too (pip install 'kseg[tensorboard]')."
    )


class Config(Section):
    """Every setting of a training run."""

    data: DataSpec = Field(description="Where the pictures and masks are, the classes, the split.")
    model: ModelConfig = Field(default_factory=ModelConfig, description="The network.")
    train: TrainConfig = Field(default_factory=TrainConfig, description="The training.")
    augment: Augmentation = Field(
        default_factory=lambda: parse(["hflip"]),
        description="What training varies at random, sample by sample.",
    )
    run: RunConfig = Field(default_factory=RunConfig, description="Where the run folder goes.")
