"""Groups of layers that are quantised, or kept in float, together: the stages of the network."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import keras

__all__ = ["group_layers", "layer_of"]

_BY_NAME: Final = {"normalize": "normalization", "logits": "head", "scores": "head"}
_STAGE: Final = re.compile(r"encoder\d+(?=_)")
_REPEATED: Final = re.compile(r"_\d+$")


def group_layers(model: keras.Model) -> dict[str, str]:
    """The group of each layer: ``normalization``, ``encoder0``, ``bottleneck``, ``decoder0``, ``head``, …

    The stages of kseg's own encoders are in their layers' names; those of other encoders are called by the stride of
    their layers, ``encoder 4``.

    Args:
        model: A network of kseg, images ``[B, h, w, 3]`` → scores.

    Returns:
        Layer → group, in the order of the model.
    """
    height = model.input_shape[1]
    groups: dict[str, str] = {}
    stride = 1
    for layer in model.layers:
        if stage := _STAGE.match(layer.name):
            groups[layer.name] = stage[0]
        elif layer.name.startswith("encoder"):
            stride = _stride(layer, height) or stride
            groups[layer.name] = f"encoder {stride}"
        else:
            groups[layer.name] = _BY_NAME.get(layer.name, layer.name.split("_")[0])
    return groups


def _stride(layer: keras.Layer, height: int) -> int | None:
    """How many times smaller than the image the output is, a power of 2; None if it is no map of features."""
    shape: Any = layer.output.shape
    if len(shape) != 4 or shape[1] == 1:  # the means of squeeze and excitation
        return None
    return int(2 ** max(0, round(math.log2(height / shape[1]))))


def layer_of(tensor: str, groups: Mapping[str, str]) -> str | None:
    """The layer that a tensor of a TFLite graph came from, by its name; None if no layer is in it.

    The converter joins the names of the operations that it fused:
    ``unet_1/decoder0_1_relu_1/Relu;unet_1/decoder0_1_conv_1/convolution;…``. TensorFlow appends the ``_1`` to names
    that are in use.
    """
    for path in tensor.split(";"):
        for part in path.split("/"):
            for name in (_REPEATED.sub("", part), part):
                if name in groups:
                    return name
    return None
