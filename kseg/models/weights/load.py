"""A file of weights into a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kseg.errors import ArtifactError
from kseg.models.weights.arrays import KERAS, by_layer, read_keras, read_named
from kseg.models.weights.match import fit
from kseg.models.weights.names import (
    ignorable_in_keras,
    ignorable_in_torch,
    in_keras_order,
    is_efficientnet_pytorch,
    keras_slots,
    torch_slots,
)

__all__ = ["load_file"]


def load_file(model: Any, path: Path, *, of_tensorflow: bool = False) -> None:
    """Give a backbone, as its library builds it, the weights of a file; all of them, or none.

    Args:
        model: Of plain layers. From torch's files (``.safetensors``, ``.pth``, ``.pt``, ``.bin``) only KerasHub's
            backbones.
        path: The file.
        of_tensorflow: Whether the network pads and normalises as the EfficientNets of TensorFlow do, from which
            EfficientNet-PyTorch has its weights.

    Raises:
        ArtifactError: The file is damaged, or its arrays are not this network's; the message lists what does not match.
    """
    if path.suffix.lower() in KERAS:
        layers = in_keras_order(model, read_keras(path))
        arrays = fit(keras_slots(model), by_layer(layers), path, ignorable=ignorable_in_keras)
    else:
        named = read_named(path)
        if is_efficientnet_pytorch(named) and not of_tensorflow:
            raise ArtifactError(
                "the weights are of a network that pads images as TensorFlow does", where=str(path),
                expected="an encoder tf_efficientnet_… for EfficientNet-PyTorch's files",
                remedy="put tf_ before the encoder's name: model.encoder",
            )  # fmt: skip
        arrays = fit(torch_slots(model, named), named, path, ignorable=ignorable_in_torch)
    weights = [weight for layer in model.layers for weight in layer.weights]
    for weight, array in zip(weights, arrays, strict=True):
        weight.assign(array)
