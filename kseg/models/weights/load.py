"""A file of weights into a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from kseg.models.weights.arrays import KERAS, by_layer, read_keras, read_named
from kseg.models.weights.match import fit
from kseg.models.weights.names import (
    in_keras_order,
    is_efficientnet_pytorch,
    keras_slots,
    spare_in_keras,
    spare_in_torch,
    torch_slots,
)

__all__ = ["load_file"]


def load_file(model: Any, path: Path) -> None:
    """Give a backbone, as its library builds it, the weights of a file; all of them, or none.

    Args:
        model: Of plain layers. From torch's files (``.safetensors``, ``.pth``, ``.pt``, ``.bin``) only KerasHub's
            backbones, whose layers may be changed to compute as the file's network does.
        path: The file.

    Raises:
        ArtifactError: The file is damaged, or its arrays are not this network's; the message lists what does not match.
    """
    if path.suffix.lower() in KERAS:
        given = by_layer(in_keras_order(model, read_keras(path)))
        arrays = fit(keras_slots(model), given, path, spare=spare_in_keras)
    else:
        named = read_named(path)
        arrays = fit(torch_slots(model, named), named, path, spare=spare_in_torch)
        if is_efficientnet_pytorch(named):
            _compute_as_tensorflow(model)
    weights = [weight for layer in model.layers for weight in layer.weights]
    for weight, array in zip(weights, arrays, strict=True):
        weight.assign(array)


def _compute_as_tensorflow(model: Any) -> None:
    """Pad images and normalise batches as TensorFlow's EfficientNets do, whose weights EfficientNet-PyTorch has.

    Before a stride of 2, TensorFlow pads one pixel less above and left. Layers are what is copied into a network, so
    they alone have to know.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.epsilon = 1e-3
        if isinstance(layer, keras.layers.ZeroPadding2D):
            (_, side), _ = layer.padding
            stride = model.get_layer(layer.name.removesuffix("_pad")).strides[0]
            layer.padding = ((side + 1 - stride, side),) * 2
