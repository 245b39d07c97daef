"""Encoders: a scaled image → features by stride.

::

    plain       blocks of any depth and widths             plain, residual
    backbones   keras.applications, KerasHub (hub)         mobilenetv2, resnet34, …
    mit         the transformer of SegFormer               mit_b0
"""

from __future__ import annotations

import keras

from kseg.models.encoders.backbones import BACKBONES, copy_backbone
from kseg.models.encoders.features import Features
from kseg.models.encoders.mit import mit
from kseg.models.encoders.plain import plain_encoder
from kseg.models.specs import NetworkSpec
from kseg.models.tables import ENCODERS
from kseg.models.weights.source import check_source

__all__ = ["encode"]


def encode(x: keras.KerasTensor, spec: NetworkSpec, weights: str | None) -> Features:
    """Add the encoder that a network asks for to the graph.

    Args:
        x: The scaled image, ``[B, H, W, 3]``.
        spec: The network.
        weights: Pretrained weights; None for random ones.

    Returns:
        The features by stride, ascending; the last ones at ``spec.stride``.

    Raises:
        ConfigError: There are no such weights, or an extra of kseg is missing.
        ArtifactError: The weights cannot be loaded.
    """
    check_source(spec.encoder, weights)
    if spec.encoder in BACKBONES:
        return copy_backbone(x, spec, weights)
    return mit(x, weights) if ENCODERS[spec.encoder].fixed else plain_encoder(x, spec)
