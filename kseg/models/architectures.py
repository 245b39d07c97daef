"""The networks for a training of one's own: a function each, which returns a plain ``keras.Model``.

::

    model = kseg.models.Unet("mobilenetv2", input_shape=(256, 256, 3), classes=3, encoder_weights="imagenet")
    model.compile("adam", "sparse_categorical_crossentropy")

The model takes raw RGB values 0..255, normalises them itself, and consists of Keras' own layers. So it can be compiled,
trained, saved, loaded and exported without kseg, on TensorFlow and JAX. Arguments have the names that
segmentation_models and segmentation_models.pytorch give them, where these have the option, too.
"""

# ruff: noqa: N802  named as the architectures are, like the functions of keras.applications

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import keras

from kseg.errors import ConfigError, KsegError
from kseg.labels import Activation
from kseg.models.build import build_model
from kseg.models.specs import NetworkSpec
from kseg.models.tables import Block, Bottleneck, Norm, Upsampling
from kseg.sizes import Size
from kseg.tensorflow_runtime import set_keras_defaults

__all__ = ["DeepLabV3Plus", "Unet", "UnetPlusPlus"]


def Unet(
    encoder: str = "plain",
    input_shape: tuple[int, int, int] = (256, 256, 3),
    classes: int = 1,
    *,
    encoder_weights: str | Path | None = None,
    encoder_channels: Sequence[int] | None = None,
    encoder_depth: int | None = None,
    decoder_channels: Sequence[int] | None = None,
    decoder_interpolation: Upsampling = "transpose",
    activation: Activation | None = "softmax",
    block: Block | None = None,
    norm: Norm | None = None,
    bottleneck: Bottleneck | None = None,
    attention_heads: int = 4,
    attention_gates: bool = False,
    dropout: float = 0.0,
    normalization: str | None = None,
    pixel_mean: Sequence[float] | None = None,
    pixel_std: Sequence[float] | None = None,
) -> keras.Model:
    """U-Net (Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597) around any encoder.

    Args:
        encoder: A name of `kseg.models.ENCODERS`. Defaults to ``plain``, the encoder of the paper with padded
            convolutions.
        input_shape: ``(height, width, 3)``; both sides have to divide by the encoder's stride, which is 32 for most.
            Defaults to ``(256, 256, 3)``.
        classes: Score channels: 1 for one class against the background, else the number of classes, the background
            among them. Defaults to 1.
        encoder_weights: Pretrained weights of the encoder: ``imagenet``, a preset or handle of KerasHub, or a file;
            docs/encoders.md lists them. Defaults to None, random weights.
        encoder_channels: Channels of the encoder's blocks, the finest first, for the encoders ``plain`` and
            ``residual``; those of all others are fixed. Defaults to ``(64, 128, 256, 512)``.
        encoder_depth: Instead of ``encoder_channels``: the number of blocks of these two encoders, each twice as wide
            as the one before.
        decoder_channels: Channels of the decoder's blocks, the coarsest first, one for each step up. With fewer, the
            scores are interpolated from the size that the last step reaches. Defaults to ``encoder_channels`` in
            reverse; after a fixed encoder, to ``(256, 128, 64, 32, 16)``.
        decoder_interpolation: How the decoder doubles height and width: ``nearest`` or ``bilinear`` interpolation
            behind a 1×1 convolution, or a transposed convolution. Defaults to ``transpose``.
        activation: ``softmax`` for classes of which each pixel has one, ``sigmoid`` for classes that are decided one by
            one, None for logits. With one channel, ``softmax`` means a sigmoid, too. Defaults to ``softmax``.
        block: What the blocks consist of: ``standard`` (two 3×3 convolutions), ``residual`` (the same around a
            shortcut) or ``separable`` (two depthwise-separable ones). Defaults to the encoder's kind.
        norm: The normalisation after each convolution: ``none``, ``batch``, ``group`` or ``layer``. Defaults to
            ``batch``; with the encoders ``plain``, ``vgg11`` and ``vgg16``, to ``none``.
        bottleneck: The layers between encoder and decoder: ``none``, ``conv`` (a block), ``attention`` (a block and
            multi-head self-attention) or ``aspp`` (atrous spatial pyramid pooling). Defaults to ``conv`` after
            ``plain`` and ``residual``, else to ``none``.
        attention_heads: Heads of the bottleneck's self-attention. Defaults to 4.
        attention_gates: Whether skip connections are weighted by attention gates (Oktay et al. 2018,
            https://arxiv.org/abs/1804.03999). Defaults to False.
        dropout: Share of the bottleneck's channels that are dropped in training, 0 ≤ dropout < 1. Defaults to 0.
        normalization: How the first layer scales pixels: ``unit`` to 0..1, ``symmetric`` to -1..1, ``imagenet`` by the
            mean and deviation of ImageNet, ``dataset`` by ``pixel_mean`` and ``pixel_std``. Defaults to what the
            encoder was trained with.
        pixel_mean: Of red, green and blue in the training images, in 0..255; with ``normalization="dataset"``.
        pixel_std: The standard deviations that belong to ``pixel_mean``.

    Returns:
        A functional model: float32 images ``[B, height, width, 3]`` with raw values 0..255 → float32 scores
        ``[B, height, width, classes]``. Its layers compute by Keras' global dtype policy, the last ones in float32.

    Raises:
        UnknownNameError: A name is in no table; the message names the nearest.
        ConfigError: An argument has no valid value, arguments contradict one another, there are no such weights, or an
            extra of kseg is missing.
        UsageError: A side of the image does not divide by the encoder's stride; the message names the nearest that
            does.
        ArtifactError: The weights cannot be loaded.

    Example:

    ::

        model = kseg.models.Unet("mobilenetv2", input_shape=(256, 256, 3), classes=3)
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(images, class_ids)      # [N, 256, 256, 3] in 0..255, [N, 256, 256] in 0..2
        model.save("model.keras")
    """
    return _build("unet", **locals())


def UnetPlusPlus(
    encoder: str = "plain",
    input_shape: tuple[int, int, int] = (256, 256, 3),
    classes: int = 1,
    *,
    encoder_weights: str | Path | None = None,
    encoder_channels: Sequence[int] | None = None,
    encoder_depth: int | None = None,
    decoder_channels: Sequence[int] | None = None,
    decoder_interpolation: Upsampling = "transpose",
    activation: Activation | None = "softmax",
    block: Block | None = None,
    norm: Norm | None = None,
    bottleneck: Bottleneck | None = None,
    attention_heads: int = 4,
    attention_gates: bool = False,
    dropout: float = 0.0,
    normalization: str | None = None,
    pixel_mean: Sequence[float] | None = None,
    pixel_std: Sequence[float] | None = None,
) -> keras.Model:
    """U-Net++ (Zhou et al. 2018, https://arxiv.org/abs/1807.10165): a U-Net whose skips are refined on their way.

    Between encoder and decoder every stride has nodes, each of which joins all earlier ones of its stride with one of
    the next coarser stride. Arguments, result and errors are those of `Unet`; ``decoder_channels`` are the channels of
    all nodes of a stride, the coarsest first.

    Example:

    ::

        model = kseg.models.UnetPlusPlus("mobilenetv2", input_shape=(256, 256, 3), classes=3, activation=None)
    """
    return _build("unetplusplus", **locals())


def DeepLabV3Plus(
    encoder: str = "plain",
    input_shape: tuple[int, int, int] = (256, 256, 3),
    classes: int = 1,
    *,
    encoder_weights: str | Path | None = None,
    encoder_channels: Sequence[int] | None = None,
    encoder_depth: int | None = None,
    decoder_channels: int = 256,
    activation: Activation | None = "softmax",
    block: Block | None = None,
    norm: Norm | None = None,
    bottleneck: Bottleneck | None = None,
    attention_heads: int = 4,
    dropout: float = 0.0,
    normalization: str | None = None,
    pixel_mean: Sequence[float] | None = None,
    pixel_std: Sequence[float] | None = None,
) -> keras.Model:
    """DeepLabV3+ (Chen et al. 2018, https://arxiv.org/abs/1802.02611): atrous convolutions, then one skip at stride 4.

    Arguments, result and errors are those of `Unet`, but for these:

    Args:
        encoder_depth: At least 3.
        decoder_channels: Channels of the atrous convolutions and of the one block of the decoder. Defaults to 256.
        bottleneck: Defaults to ``aspp``, which is the paper's; ``block="separable"`` makes its convolutions separable.

    Example:

    ::

        model = kseg.models.DeepLabV3Plus("mobilenetv2", input_shape=(512, 512, 3), classes=21)
    """
    return _build("deeplabv3plus", **{**locals(), "decoder_channels": (decoder_channels,)})


_FIELDS: Final = {
    # Argument → field of NetworkSpec, which is also the setting model.… of a configuration
    "encoder": "encoder",
    "encoder_channels": "widths",
    "encoder_depth": "depth",
    "decoder_channels": "decoder_widths",
    "decoder_interpolation": "upsampling",
    "block": "block",
    "norm": "norm",
    "bottleneck": "bottleneck",
    "attention_heads": "attention_heads",
    "attention_gates": "attention_gates",
    "dropout": "dropout",
    "normalization": "normalization",
    "pixel_mean": "pixel_mean",
    "pixel_std": "pixel_std",
}


def _build(
    arch: str,
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    activation: Activation | None,
    encoder_weights: str | Path | None,
    **arguments: Any,
) -> keras.Model:
    set_keras_defaults()
    with _errors_by_argument():
        spec = NetworkSpec(
            arch=arch,
            size=_size(input_shape),
            channels=classes,
            activation="softmax" if activation is None else activation,
            **{_FIELDS[name]: value for name, value in arguments.items()},
        )
        precision = keras.config.dtype_policy().name
        return build_model(spec, logits=activation is None, weights=encoder_weights, precision=precision)


def _size(input_shape: tuple[int, int, int]) -> Size:
    if not isinstance(input_shape, (tuple, list)) or len(input_shape) != 3 or input_shape[2] != 3:
        raise ConfigError(
            "not the shape of RGB images", where="input_shape", expected="(height, width, 3)", found=repr(input_shape)
        )
    return input_shape[0], input_shape[1]


_ARGUMENTS: Final = {
    # Setting of a configuration → argument
    "train.imgsz": "input_shape",
    "model.channels": "classes",
    "model.weights": "encoder_weights",
    "model.activation": "activation",
    **{f"model.{field}": argument for argument, field in _FIELDS.items()},
}
_REMEDIES: Final = (
    # What a remedy says to users of the command line → what it says to those of Python
    (r"--imgsz (\d+) (\d+)", r"input_shape=(\1, \2, 3)"),
    (r"--encoder (\w+)", r'encoder="\1"'),
    (r", or start from a model of kseg: model\.start", ""),
    *((rf"\b{re.escape(setting)}\b", argument) for setting, argument in _ARGUMENTS.items()),
)


@contextmanager
def _errors_by_argument() -> Iterator[None]:
    """Errors of the block name arguments, where they would name settings of a configuration."""
    try:
        yield
    except KsegError as error:
        where, remedy = error.where or "", error.remedy or ""
        for pattern, replacement in _REMEDIES:
            remedy = re.sub(pattern, replacement, remedy)
        raise type(error)(
            error.what, where=_ARGUMENTS.get(where, where), expected=error.expected, found=error.found, remedy=remedy
        ) from error.__cause__
