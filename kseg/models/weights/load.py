"""A file of weights into a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kseg.models.weights.arrays import KERAS, by_layer, read_keras, read_named
from kseg.models.weights.match import fit
from kseg.models.weights.names import (
    in_keras_order,
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
            backbones.
        path: The file.

    Raises:
        ArtifactError: The file is damaged, or its arrays are not this network's; the message lists what does not match.
    """
    if path.suffix.lower() in KERAS:
        given = by_layer(in_keras_order(model, read_keras(path)))
        arrays = fit(keras_slots(model), given, path, spare=spare_in_keras)
    else:
        arrays = fit(torch_slots(model), read_named(path), path, spare=spare_in_torch)
    weights = [weight for layer in model.layers for weight in layer.weights]
    for weight, array in zip(weights, arrays, strict=True):
        weight.assign(array)
