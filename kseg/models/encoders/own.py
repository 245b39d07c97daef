"""Encoders that kseg builds itself: `block`s and 2×2 max pooling, of any depth and widths."""

from __future__ import annotations

from dataclasses import replace

import keras

from kseg.models.blocks import Style, block
from kseg.models.encoders.contract import Encoded
from kseg.models.specs import NetworkSpec

__all__ = ["blocks"]


def blocks(x: keras.KerasTensor, spec: NetworkSpec) -> Encoded:
    """A block and a pooling for each width: features at strides 1, 2, 4, …, then the pooled ones at `spec.stride`."""
    style = Style.of(spec)
    if spec.encoder == "residual":
        style = replace(style, block="residual")
    features: Encoded = {}
    for level, width in enumerate(spec.down_widths):
        x = block(x, width, style, f"encoder{level}")
        features[2**level] = x
        x = keras.layers.MaxPooling2D(name=f"encoder{level}_pool")(x)
    features[spec.stride] = x
    return features
