"""KerasHub's backbones (https://github.com/keras-team/keras-hub), as timm has the same networks."""

from __future__ import annotations

import math
import warnings
from typing import Any, Final

import keras

from kseg.errors import ArtifactError
from kseg.models.encoders.features import Features
from kseg.models.tables import ENCODERS
from kseg.models.weights.load import load_file
from kseg.models.weights.source import IMAGENET, file_of, missing_hub

__all__ = ["NAMES", "backbone", "features", "from_preset"]


def _resnet(blocks: list[int], kind: str) -> dict[str, Any]:
    return {
        "input_conv_filters": [64], "input_conv_kernel_sizes": [7], "stackwise_num_filters": [64, 128, 256, 512],
        "stackwise_num_blocks": blocks, "stackwise_num_strides": [1, 2, 2, 2], "block_type": kind,
    }  # fmt: skip


def _vgg(convolutions: list[int]) -> dict[str, Any]:
    return {"stackwise_num_repeats": convolutions, "stackwise_num_filters": [64, 128, 256, 512, 512]}


def _efficientnet(squeeze: float, activation: str, *, width: float = 1.0, depth: float = 1.0) -> dict[str, Any]:
    """Arguments of an EfficientNet (Tan & Le 2019) of seven stages.

    As the Lite networks do it, the factors change neither stem nor top, nor the depth of the first and last stage.

    Args:
        squeeze: Share of the channels inside squeeze-and-excitation; 0 for none.
        activation: Of all blocks.
        width: Factor of the stages' channels.
        depth: Factor of the stages' blocks.
    """
    channels = [_round_channels(width * base) for base in (16, 24, 40, 80, 112, 192, 320)]
    repeats = [1, *(math.ceil(depth * base) for base in (2, 2, 3, 3, 4)), 1]
    return {
        "stackwise_width_coefficients": [1.0] * 7, "stackwise_depth_coefficients": [1.0] * 7,
        "stackwise_kernel_sizes": [3, 3, 5, 3, 5, 5, 3], "stackwise_num_repeats": repeats,
        "stackwise_input_filters": [32, *channels[:-1]], "stackwise_output_filters": channels,
        "stackwise_expansion_ratios": [1, 6, 6, 6, 6, 6, 6], "stackwise_strides": [1, 2, 2, 2, 1, 2, 1],
        "stackwise_squeeze_and_excite_ratios": [squeeze] * 7, "stackwise_block_types": ["v1"] * 7,
        "activation": activation, "min_depth": None, "use_depth_divisor_as_min_depth": True,
        "cap_round_filter_decrease": True, "dropout": 0,
    }  # fmt: skip


def _round_channels(channels: float) -> int:
    """The nearest multiple of 8; the next higher one where that would take away more than a tenth."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near if near >= 0.9 * channels else near + 8


_BACKBONES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    # Name → KerasHub's class, and its arguments
    "resnet18": ("ResNetBackbone", _resnet([2, 2, 2, 2], "basic_block")),
    "resnet34": ("ResNetBackbone", _resnet([3, 4, 6, 3], "basic_block")),
    "resnet50": ("ResNetBackbone", _resnet([3, 4, 6, 3], "bottleneck_block")),
    "vgg11": ("VGGBackbone", _vgg([1, 1, 2, 2, 2])),
    "vgg16": ("VGGBackbone", _vgg([2, 2, 3, 3, 3])),
    "efficientnet_lite0": ("EfficientNetBackbone", _efficientnet(0, "relu6")),
    "efficientnet_b0": ("EfficientNetBackbone", _efficientnet(0.25, "swish")),
    "tf_efficientnet_lite0": ("EfficientNetBackbone", _efficientnet(0, "relu6")),
    "tf_efficientnet_lite2": ("EfficientNetBackbone", _efficientnet(0, "relu6", width=1.1, depth=1.2)),
    "tf_efficientnet_b0": ("EfficientNetBackbone", _efficientnet(0.25, "swish")),
}
NAMES: Final = tuple(_BACKBONES)
"""The encoders whose graphs are KerasHub's."""
_OF_TENSORFLOW: Final = "tf_"
"""How the names of networks begin, here as in timm, that pad and normalise as TensorFlow's EfficientNets do."""


def _library() -> Any:
    """The module keras_hub. Raises ConfigError where it is missing."""
    try:
        import keras_hub
        import safetensors  # noqa: F401  without it KerasHub fails only in the middle of a folder
    except ImportError as error:
        raise missing_hub() from error
    return keras_hub


def backbone(name: str, shape: tuple[int, int, int], weights: str | None) -> keras.Model:
    """Build a backbone for images of a shape, with weights if any are named.

    Args:
        name: The encoder.
        shape: Height, width and 3.
        weights: ``imagenet``, a preset or handle of KerasHub (``hf://timm/resnet34.a1_in1k``), a folder in its layout
            or timm's, a file of weights (`kseg.models.weights.source.files_of`), or None.

    Raises:
        ConfigError: KerasHub is missing.
        ArtifactError: The weights cannot be loaded, or belong to another network.
    """
    library = _library()
    kind, structure = _BACKBONES[name]
    size_key = "input_shape" if kind == "EfficientNetBackbone" else "image_shape"
    model: keras.Model = getattr(library.models, kind)(**structure, **{size_key: shape})
    of_tensorflow = name.startswith(_OF_TENSORFLOW)
    if of_tensorflow:
        _compute_as_tensorflow(model)
    if weights is None:
        return model
    file = file_of(name, weights) if weights != IMAGENET else None
    if file is not None:
        load_file(model, file, of_tensorflow=of_tensorflow)
        return model
    pretrained = from_preset(kind, ENCODERS[name].imagenet if weights == IMAGENET else weights)
    shapes, expected = ([tuple(weight.shape) for weight in network.weights] for network in (pretrained, model))
    if shapes != expected:
        raise _unloadable(weights, f"the weights of another network: {len(shapes)} arrays for {len(expected)}")
    model.set_weights(pretrained.get_weights())
    return model


def _compute_as_tensorflow(model: keras.Model) -> None:
    """Pad images and normalise batches as TensorFlow's EfficientNets do.

    Before a stride of 2, TensorFlow pads one pixel less above and left. The change is made in the layers' settings,
    since these are what is copied into a network.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.epsilon = 1e-3
        if isinstance(layer, keras.layers.ZeroPadding2D):
            (_, side), _ = layer.padding
            stride = model.get_layer(layer.name.removesuffix("_pad")).strides[0]
            layer.padding = ((side + 1 - stride, side),) * 2


def from_preset(kind: str, handle: str | None) -> Any:
    """A backbone of KerasHub with its published weights.

    Args:
        kind: The class in ``keras_hub.models``.
        handle: A preset, a handle (``hf://…``, ``kaggle://…``) or a folder.

    Raises:
        ConfigError: KerasHub is missing.
        ArtifactError: The weights cannot be loaded.
    """
    library = _library()
    from safetensors import SafetensorError

    try:
        with warnings.catch_warnings():
            # Keras' warning where a file lacks layers, which would then stay random.
            warnings.filterwarnings("error", message="Skipping nested container")
            return getattr(library.models, kind).from_preset(handle)
    except (
        ValueError, OSError, KeyError, TypeError, RuntimeError, ImportError, UserWarning, SafetensorError,
    ) as error:  # fmt: skip
        raise _unloadable(str(handle), str(error)) from error


def _unloadable(weights: str, why: str) -> ArtifactError:
    return ArtifactError(
        "the encoder's weights cannot be loaded", where="model.weights",
        expected="imagenet, or a handle or folder that KerasHub reads",
        found=f"{weights} ({' '.join(why.split())[:200]})", remedy="offline, name a file: see docs/encoders.md",
    )  # fmt: skip


def features(name: str, model: Any) -> Features:
    """The features of a backbone by stride.

    ResNets: 2 (the first convolution), 4, 8, 16, 32. VGGs: 1, 2, 4, 8, 16 (before each pooling), 32 (after the last).
    EfficientNets: 2, 4, 8, 16, 32.
    """
    if name.startswith("vgg"):
        names = [str(layer.name) for layer in model.layers]
        last = [max(name for name in names if name.startswith(f"block{i}_conv")) for i in range(1, 6)]
        return {**{2**i: model.get_layer(layer).output for i, layer in enumerate(last)}, 32: model.output}
    levels = list(model.pyramid_outputs.values())
    strides = [32 >> step for step in range(len(levels))][::-1]
    pyramid = dict(zip(strides, levels, strict=True))
    return {2: model.get_layer("conv1_relu").output, **pyramid} if name.startswith("resnet") else pyramid
