"""Every setting of a run: type, default, bounds and description.

The JSON schema for editors and docs/configuration.md are generated from the descriptions here::

    Config
    ├── data      images, masks, classes and split
    ├── model     the network
    ├── train     size, epochs, loss, optimiser, device
    ├── augment   random augmentation of the training samples
    └── run       the run folder

`kseg.config.load_config` reads the file, resolves paths and reports errors in one line.
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
    """Structure and initial weights of the network."""

    arch: NonEmptyText = Field("unet", description="Architecture: unet, unetplusplus or deeplabv3plus.")
    encoder: NonEmptyText = Field(
        "plain",
        description="Encoder (backbone): plain or residual, of any widths; or mobilenetv2, mobilenetv3_small, "
        "mobilenetv3_large, mit_b0, and with the extra hub resnet18, resnet34, resnet50, vgg11, vgg16, "
        "efficientnet_lite0, efficientnet_b0, tf_efficientnet_lite0, tf_efficientnet_lite2, tf_efficientnet_b0.",
    )
    widths: Annotated[list[Width], Field(min_length=1, max_length=6)] | None = Field(
        None, description="Channels at each level of the encoder, finest first. Null: the encoder's defaults."
    )
    depth: Annotated[int, Field(strict=True, ge=1, le=6)] | None = Field(
        None,
        description="Number of encoder levels where widths is null; each has twice the channels of the one before.",
    )
    decoder_widths: Annotated[list[Width], Field(min_length=1, max_length=6)] | None = Field(
        None,
        description="Channels at each level of the decoder, coarsest first. With fewer numbers than levels the scores "
        "are upsampled from the last one. deeplabv3plus takes one number. Null: the encoder's, mirrored.",
    )
    block: Literal["standard", "residual", "separable"] | None = Field(
        None,
        description="Convolution block: standard (two convolutions), residual (the same with a shortcut) or separable "
        "(two depthwise separable convolutions). Null: residual with encoder residual, else standard.",
    )
    norm: Literal["none", "batch", "group", "layer"] | None = Field(
        None,
        description="Normalisation after each convolution. Null: none with the encoders plain and VGG, else batch.",
    )
    bottleneck: Literal["none", "conv", "attention", "aspp"] | None = Field(
        None,
        description="Layers between encoder and decoder: none, conv (a block), attention (self-attention over all "
        "positions) or aspp (atrous spatial pyramid pooling). Null: conv with the encoders plain and residual, aspp "
        "with deeplabv3plus, else none.",
    )
    attention_heads: Annotated[int, Field(strict=True, ge=1, le=64)] = Field(
        4, description="Number of heads of the self-attention in the bottleneck."
    )
    attention_gates: StrictBool = Field(
        False, description="Whether attention gates weight the features of the skip connections."
    )
    dropout: Annotated[float, Field(strict=True, ge=0, lt=1, allow_inf_nan=False)] = Field(
        0.0, description="Dropout rate of the bottleneck's channels in training."
    )
    upsampling: Literal["transpose", "bilinear", "nearest"] = Field(
        "transpose", description="How the decoder doubles height and width."
    )
    activation: Literal["softmax", "sigmoid"] = Field(
        "softmax",
        description="What turns logits into scores: softmax makes the classes exclusive, sigmoid scores each one "
        "independently. With a background and one other class it is always a sigmoid.",
    )
    normalization: Literal["unit", "symmetric", "imagenet", "dataset"] | None = Field(
        None,
        description="Normalisation of the pixels, inside the network: unit to 0..1, symmetric to -1..1, imagenet or "
        "dataset by each channel's mean and standard deviation in ImageNet or in the training images. Null: the one "
        "that the encoder was pretrained with.",
    )
    weights: Literal["imagenet"] | Handle | Path | None = Field(
        None,
        description="Pretrained weights of the encoder: imagenet, a preset or handle of KerasHub "
        "(hf://timm/resnet34.a1_in1k), a file or folder, or null for random ones. docs/encoders.md lists "
        "what each encoder accepts.",
    )
    start: Path | None = Field(
        None,
        description="Model file or run folder of kseg to start from. The network must be the same except for the "
        "classes; all weights but those of the head are loaded.",
    )

    def network_spec(
        self, size: Size, channels: int, pixels: tuple[PerChannel, PerChannel] | None = None
    ) -> NetworkSpec:
        """The network structure that these settings describe.

        Args:
            size: Input height and width.
            channels: Number of score channels.
            pixels: Mean and standard deviation of the training images' red, green and blue, in 0..255, for
                ``normalization: dataset``. Defaults to placeholders, with which the spec can only be validated.

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
    """Input size, optimisation, loss and data loading of the training."""

    imgsz: ImageSize = Field(
        (256, 256), description="Input size of the network in pixels: [height, width], or one number for a square."
    )
    epochs: Count = Field(50, description="Number of passes over the training samples.")
    batch: Annotated[int, Field(strict=True, ge=1, le=65536)] = Field(
        8, description="Number of samples per training step."
    )
    lr: Factor = Field(1e-3, description="Peak learning rate.")
    weight_decay: Share = Field(1e-4, description="Weight decay of AdamW; 0 turns it off.")
    schedule: Literal["constant", "cosine", "one_cycle"] = Field(
        "cosine",
        description="Learning rate over the epochs: constant, cosine (short warm-up, then cosine decay) or one_cycle "
        "(rises for the first 30 % of the training, then falls).",
    )
    encoder_trainable: StrictBool | Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = Field(
        True, description="Whether the encoder is trained; a number freezes it for that many epochs first."
    )
    encoder_lr: Factor = Field(1.0, description="Factor on the encoder's learning rate.")
    freeze_batch_norm: StrictBool = Field(
        False, description="Whether the encoder's batch normalisation keeps its pretrained statistics."
    )
    average: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        1,
        description="Validate and save the average of the weights over about the last N epochs; 1 turns averaging off.",
    )
    loss: Loss = Field(
        default_factory=lambda: parse_loss("cross_entropy"),
        description="The loss by name, or a sum of losses with weights and arguments, as 'bce + 0.5 * dice' or "
        "'cross_entropy + focal_tversky(gamma=2)': cross_entropy, bce, focal, dice, generalized_dice, jaccard, "
        "log_jaccard, tversky, focal_tversky, lovasz, boundary. docs/losses.md describes them and their arguments.",
    )
    deep_supervision: StrictBool = Field(
        False,
        description="Whether the coarser levels of the decoder are trained to predict the classes, too. Each weighs "
        "half as much in loss and val_loss as the next finer one; those of unetplusplus, which have the same size, "
        "weigh the same. All other scores and the saved model leave them out. Not with deeplabv3plus.",
    )
    class_weights: ClassWeights = Field(
        None,
        description="Weight of each class in the loss. Computed from the training masks, so that rare classes weigh "
        "more: inverse (inverse pixel frequency), median (median frequency balancing) or effective (effective number "
        "of samples, by images; the mildest). Or a mapping of class names to weights, 1 for those not named. Null: "
        "every pixel weighs the same.",
    )
    patience: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = Field(
        15, description="Stop after this many epochs without a better monitored score; 0 never stops early."
    )
    monitor: Literal["val_iou", "val_mean_iou", "val_dice", "val_loss"] = Field(
        "val_iou", description="Score that selects the best epoch."
    )
    seed: Seed = Field(
        0, description="Random seed of the initial weights, the order of the samples and the augmentation."
    )
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "auto", description="Number format of the layers; auto is mixed where the device gains by it, else float32."
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="Device to train on; auto uses a GPU if there is one."
    )
    cache: Literal["auto", "ram", "disk", "none"] = Field(
        "auto",
        description="Where decoded samples are kept: ram (in memory), disk (in files that later runs reuse, below "
        "$KSEG_CACHE, else ~/.cache/kseg) or none. auto: ram if they fit, else none.",
    )
    sampler: Literal["shuffle", "balanced"] = Field(
        "shuffle",
        description="Samples of an epoch: shuffle has each once; balanced draws those with rare classes more often.",
    )
    compress: Literal["qat", "prune", "cluster"] | None = Field(
        None,
        description="What the training prepares a trained network for: qat (quantisation-aware training, for int8), "
        "prune (sets the smallest weights to zero) or cluster (makes weights share few values). Needs model.start; "
        "kseg fit --from RUN with --qat, --prune or --cluster sets it and what goes with it.",
    )
    sparsity: Annotated[float, Field(strict=True, gt=0, lt=1, allow_inf_nan=False)] = Field(
        0.5, description="Share of the weights of each layer that compress: prune sets to zero."
    )
    clusters: Annotated[int, Field(strict=True, ge=2, le=256)] = Field(
        16, description="Number of different weights that compress: cluster leaves in each layer."
    )


class RunConfig(Section):
    """Where the run folder is, and what is kept in it."""

    project: Path = Field(Path("runs"), description="Parent folder of the runs, which are PROJECT/fit/NAME.")
    name: FolderName | None = Field(
        None, description="Name of the run; a number is appended if it exists. Null: chosen automatically."
    )
    save_every: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = Field(
        0,
        description="Also keep the weights of every n-th epoch, and an image of its predictions. 0: keep only the "
        "best and the last weights.",
    )
    tensorboard: StrictBool = Field(
        False,
        description="Whether to write scores for TensorBoard, to RUN/tensorboard (pip install 'kseg[tensorboard]').",
    )


class Config(Section):
    """Every setting of a training run."""

    data: DataSpec = Field(description="Images, masks, classes and split.")
    model: ModelConfig = Field(default_factory=ModelConfig, description="Structure and initial weights of the network.")
    train: TrainConfig = Field(
        default_factory=TrainConfig, description="Input size, optimisation, loss and data loading."
    )
    augment: Augmentation = Field(
        default_factory=lambda: parse(["hflip"]),
        description="Random augmentation of the training samples.",
    )
    run: RunConfig = Field(default_factory=RunConfig, description="Where the run folder is, and what is kept in it.")
