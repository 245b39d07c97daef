"""What the arrays of other libraries' files are called, by the layers and weights of the Keras networks.

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
    "in_keras_order", "is_efficientnet_pytorch", "keras_slots", "spare_in_keras", "spare_in_torch", "torch_slots",
]  # fmt: skip

_LEAVES: Final[dict[str, tuple[str, tuple[int, ...] | None]]] = {
    # Keras' height, width, in, out from torch's out, in, height, width
    "kernel": ("weight", (2, 3, 1, 0)), "bias": ("bias", None), "gamma": ("weight", None), "beta": ("bias", None),
    "moving_mean": ("running_mean", None), "moving_variance": ("running_var", None),
}  # fmt: skip
_DEPTHWISE: Final = (2, 3, 0, 1)
"""Its channels are torch's outputs, of one input each."""
_SPARE_TORCH: Final = re.compile(r"(_?fc|classifier|head|pre_logits)\..*|.*num_batches_tracked")
_SPARE_KERAS: Final = re.compile(r"(predictions|pre_logits|logits)(/.*)?")


def torch_slots(model: Any, given: Iterable[str] = ()) -> list[Slot]:
    """What each weight of a backbone of KerasHub is called by torchvision and timm, in Keras' order.

    Args:
        model: The backbone.
        given: The names in the file, which tell whether it is EfficientNet-PyTorch's instead.
    """
    slots = []
    names = _torch_names([layer.name for layer in model.layers if layer.weights], plain=is_efficientnet_pytorch(given))
    for layer in model.layers:
        for weight in layer.weights:
            leaf, axes = _LEAVES[weight.name]
            if axes and isinstance(layer, keras.layers.DepthwiseConv2D):
                axes = _DEPTHWISE
            slots.append(Slot(f"{names[layer.name]}.{leaf}", tuple(weight.shape), axes))
    return slots


def is_efficientnet_pytorch(given: Iterable[str]) -> bool:
    """Whether the names of a file's arrays are EfficientNet-PyTorch's."""
    return "_conv_stem.weight" in given


def _torch_names(layers: list[str], plain: bool) -> dict[str, str]:
    """Of the layers of a ResNet, a VGG or an EfficientNet, ``plain`` if its blocks are only counted."""
    if "stem_conv" in layers and plain:
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
    """``block2a_dwconv_bn`` → ``_blocks.1._bn1``."""
    blocks = list(dict.fromkeys(layer.partition("_")[0] for layer in layers if layer.startswith("block")))
    places = {f"{block}_": f"_blocks.{number}." for number, block in enumerate(blocks)}
    parts = {
        "stem_conv": "_conv_stem", "stem_bn": "_bn0", "top_conv": "_conv_head", "top_bn": "_bn1",
        "expand_conv": "_expand_conv", "expand_bn": "_bn0", "dwconv": "_depthwise_conv", "dwconv_bn": "_bn1",
        "se_reduce": "_se_reduce", "se_expand": "_se_expand", "project": "_project_conv", "project_bn": "_bn2",
    }  # fmt: skip
    split = {layer: re.fullmatch(r"(block\d\w_)?(.*)", layer) for layer in layers}
    return {layer: places.get(found[1] or "", "") + parts[found[2]] for layer, found in split.items() if found}


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


def spare_in_torch(name: str) -> bool:
    """Whether an array is a classifier's, or bookkeeping."""
    return _SPARE_TORCH.fullmatch(name) is not None


def keras_slots(model: Any) -> list[Slot]:
    """What each weight of a network is called in `by_layer`, in Keras' order."""
    return [
        Slot(f"{layer.name}/{number}", tuple(weight.shape))
        for layer in model.layers
        for number, weight in enumerate(layer.weights)
    ]


def spare_in_keras(name: str) -> bool:
    """Whether an array is a classifier's."""
    return _SPARE_KERAS.fullmatch(name) is not None


def in_keras_order(model: Any, layers: Mapping[str, list[Array]]) -> dict[str, list[Array]]:
    """The file's layers under the network's names.

    Keras' own files for its applications go by order alone where the layers were renamed since (MobileNetV3), so where
    there are as many of them as the network has, and not under its names, each takes the name of its place; the shapes
    have to fit all the same.
    """
    names = [layer.name for layer in model.layers if layer.weights]
    kept = {name: arrays for name, arrays in layers.items() if not spare_in_keras(name)}
    if len(kept) != len(names) or set(kept) & set(names):
        return dict(layers)
    return dict(zip(names, kept.values(), strict=True))
