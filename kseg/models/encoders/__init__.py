"""Encoders: a normalised image → features by stride.

Contract: ``encode(x, spec, weights)`` takes the image scaled as the encoder wants it, ``[B, H, W, 3]``, and gives
`Encoded`; the names of all its layers begin with ``encoder``.
"""

from __future__ import annotations

import keras

from kseg.models.encoders.borrowed import BORROWED, borrow
from kseg.models.encoders.contract import Encoded, is_encoder
from kseg.models.encoders.mit import mit
from kseg.models.encoders.own import blocks
from kseg.models.specs import NetworkSpec
from kseg.models.tables import ENCODERS
from kseg.models.weights.source import check_source

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
    check_source(spec.encoder, weights)
    if spec.encoder in BORROWED:
        return borrow(x, spec, weights)
    return mit(x, weights) if ENCODERS[spec.encoder].fixed else blocks(x, spec)
