"""Encoders: a normalised image → features by stride.

Contract: ``encode(x, spec, weights)`` takes the image scaled as the encoder wants it, ``[B, H, W, 3]``, and gives
`Encoded`; the names of all its layers begin with ``encoder``.
"""

from __future__ import annotations

import keras

from kseg.errors import ConfigError
from kseg.models.encoders.borrowed import BORROWED, borrow
from kseg.models.encoders.contract import Encoded, is_encoder
from kseg.models.encoders.mit import mit
from kseg.models.encoders.own import blocks
from kseg.models.specs import NetworkSpec
from kseg.models.tables import ENCODERS

__all__ = ["Encoded", "encode", "is_encoder"]


def encode(x: keras.KerasTensor, spec: NetworkSpec, weights: str | None) -> Encoded:
    """The encoder that a network asks for.

    Args:
        x: The scaled image, ``[B, H, W, 3]``.
        spec: The network.
        weights: Pretrained weights; None for random ones.

    Raises:
        ConfigError: There are no such weights, or an extra of kseg is missing.
        ArtifactError: The weights cannot be loaded.
    """
    if spec.encoder in BORROWED:
        return borrow(x, spec, weights)
    if weights is not None:
        raise ConfigError(
            "there are no pretrained weights for this encoder", where="model.weights",
            expected=f"none with encoder {spec.encoder}", found=repr(weights), remedy="choose --encoder mobilenetv2",
        )  # fmt: skip
    return mit(x, spec) if ENCODERS[spec.encoder].fixed else blocks(x, spec)
