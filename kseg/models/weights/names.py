"""The names that the files of other libraries have for the weights of the Keras networks.

torchvision's and timm's ResNets and VGGs have the same names and shapes: ``layer2.0.downsample.1.running_mean``,
``features.7.weight``. timm's EfficientNets: ``blocks.1.0.conv_dw.weight``; EfficientNet-PyTorch's, which counts blocks
without their stages: ``_blocks.1._depthwise_conv.weight``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import keras

from kseg.models.weights.match import Array, Slot

__all__ = [
    "ignorable_in_keras", "ignorable_in_torch", "in_keras_order", "is_efficientnet_pytorch", "keras_slots",
    "torch_slots",
]  # fmt: skip

_LEAVES: Final[dict[str, tuple[str, tuple[int, ...] | None]]] = {
    # Keras' name → torch's, and torch's axes (out, in, height, width) in Keras' order (height, width, in, out)
    "kernel": ("weight", (2, 3, 1, 0)), "bias": ("bias", None), "gamma": ("weight", None), "beta": ("bias", None),
    "moving_mean": ("running_mean", None), "moving_variance": ("running_var", None),
}  # fmt: skip
_DEPTHWISE: Final = (2, 3, 0, 1)
"""The axes of a depthwise kernel: its channels are torch's outputs, of one input each."""
_IGNORABLE_IN_TORCH: Final = re.compile(r"(_?fc|classifier|head|pre_logits)\..*|.*num_batches_tracked")
_IGNORABLE_IN_KERAS: Final = re.compile(r"(predictions|pre_logits|logits)(/.*)?")


def torch_slots(model: Any, names_in_file: Iterable[str] = ()) -> list[Slot]:
    """The weights of a backbone of KerasHub by the names of torchvision and timm, in Keras' order.

    Args:
        model: The backbone.
        names_in_file: The names of the file's arrays, which show whether it is EfficientNet-PyTorch's instead.
    """
    slots = []
    layers = [layer.name for layer in model.layers if layer.weights]
    names = _torch_names(layers, efficientnet_pytorch=is_efficientnet_pytorch(names_in_file))
    for layer in model.layers:
        for weight in layer.weights:
            leaf, axes = _LEAVES[weight.name]
            if axes and isinstance(layer, keras.layers.DepthwiseConv2D):
                axes = _DEPTHWISE
            slots.append(Slot(f"{names[layer.name]}.{leaf}", tuple(weight.shape), axes))
    return slots


def is_efficientnet_pytorch(names_in_file: Iterable[str]) -> bool:
    """Whether the names of a file's arrays are EfficientNet-PyTorch's."""
    return "_conv_stem.weight" in names_in_file


def _torch_names(layers: list[str], efficientnet_pytorch: bool) -> dict[str, str]:
    """KerasHub's names of the layers of a ResNet, a VGG or an EfficientNet → torch's."""
    if "stem_conv" in layers and efficientnet_pytorch:
        return _efficientnet_pytorch_names(layers)
    if "stem_conv" in layers:
        return {layer: _efficientnet_name(layer, set(layers)) for layer in layers}
    if "conv1_conv" in layers:
        return {layer: _resnet_name(layer) for layer in layers}
    return _vgg_names(layers)


def _efficientnet_name(layer: str, layers: set[str]) -> str:
    """``block2a_dwconv_bn`` → ``blocks.1.0.bn2``: a block that does not widen first lacks a convolution."""
    if not layer.startswith("block"):
        return {"stem_conv": "conv_stem", "stem_bn": "bn1", "top_conv": "conv_head", "top_bn": "bn2"}[layer]
    block, _, part = layer.partition("_")
    widens = f"{block}_expand_conv" in layers
    return f"blocks.{int(block[5]) - 1}.{ord(block[6]) - ord('a')}." + {
        "expand_conv": "conv_pw", "expand_bn": "bn1",
        "dwconv": "conv_dw", "dwconv_bn": "bn2" if widens else "bn1",
        "se_reduce": "se.conv_reduce", "se_expand": "se.conv_expand",
        "project": "conv_pwl" if widens else "conv_pw", "project_bn": "bn3" if widens else "bn2",
    }[part]  # fmt: skip


def _efficientnet_pytorch_names(layers: list[str]) -> dict[str, str]:
    """``block2a_dwconv_bn`` → ``_blocks.1._bn1``: the blocks are counted through all stages."""
    blocks = list(dict.fromkeys(layer.partition("_")[0] for layer in layers if layer.startswith("block")))
    places = {f"{block}_": f"_blocks.{number}." for number, block in enumerate(blocks)}
    parts = {
        "stem_conv": "_conv_stem", "stem_bn": "_bn0", "top_conv": "_conv_head", "top_bn": "_bn1",
        "expand_conv": "_expand_conv", "expand_bn": "_bn0", "dwconv": "_depthwise_conv", "dwconv_bn": "_bn1",
        "se_reduce": "_se_reduce", "se_expand": "_se_expand", "project": "_project_conv", "project_bn": "_bn2",
    }  # fmt: skip
    matches = {layer: re.fullmatch(r"(block\d\w_)?(.*)", layer) for layer in layers}
    return {layer: places.get(match[1] or "", "") + parts[match[2]] for layer, match in matches.items() if match}


def _resnet_name(layer: str) -> str:
    """``stack1_block0_2_bn`` → ``layer2.0.bn2``; the shortcut's layers have the number 0."""
    if layer.startswith("conv1_"):
        return {"conv1_conv": "conv1", "conv1_bn": "bn1"}[layer]
    stack, block, number, kind = re.findall(r"\d+|conv|bn", layer)
    place = f"layer{int(stack) + 1}.{block}"
    return f"{place}.downsample.{int(kind == 'bn')}" if number == "0" else f"{place}.{kind}{number}"


def _vgg_names(layers: list[str]) -> dict[str, str]:
    """``block2_conv1`` → ``features.3``: torch counts activations and the poolings between the blocks too."""
    return {layer: f"features.{2 * place + int(layer[5]) - 1}" for place, layer in enumerate(layers)}


def ignorable_in_torch(name: str) -> bool:
    """Whether an array belongs to the classifier, or counts the batches of a normalisation."""
    return _IGNORABLE_IN_TORCH.fullmatch(name) is not None


def keras_slots(model: Any) -> list[Slot]:
    """The weights of a network by the names of `kseg.models.weights.arrays.by_layer`, in Keras' order."""
    return [
        Slot(f"{layer.name}/{number}", tuple(weight.shape))
        for layer in model.layers
        for number, weight in enumerate(layer.weights)
    ]


def ignorable_in_keras(name: str) -> bool:
    """Whether an array belongs to the classifier."""
    return _IGNORABLE_IN_KERAS.fullmatch(name) is not None


def in_keras_order(model: Any, layers: Mapping[str, list[Array]]) -> dict[str, list[Array]]:
    """The file's layers under the network's names.

    Keras has renamed layers since it published the weights of its applications (MobileNetV3). So if no name in the file
    is the network's, but there are as many layers, they are matched by their order; the shapes are compared later.
    """
    names = [layer.name for layer in model.layers if layer.weights]
    without_classifier = {name: arrays for name, arrays in layers.items() if not ignorable_in_keras(name)}
    if len(without_classifier) != len(names) or set(without_classifier) & set(names):
        return dict(layers)
    return dict(zip(names, without_classifier.values(), strict=True))
