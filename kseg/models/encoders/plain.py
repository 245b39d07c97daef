"""The encoder of the original U-Net: blocks and 2×2 max pooling, of any depth and widths."""

from __future__ import annotations

from dataclasses import replace

import keras

from kseg.models.blocks import Style, block
from kseg.models.encoders.features import Features
from kseg.models.specs import NetworkSpec

__all__ = ["plain_encoder"]


def plain_encoder(x: keras.KerasTensor, spec: NetworkSpec) -> Features:
    """A block and a pooling for each width: features at strides 1, 2, 4, …, then the pooled ones at `spec.stride`.

    Args:
        x: The scaled image, ``[B, H, W, 3]``.
        spec: The network; with the encoder ``residual`` the blocks are residual ones.
    """
    style = Style.of(spec)
    if spec.encoder == "residual":
        style = replace(style, block="residual")
    features: Features = {}
    for level, width in enumerate(spec.resolved_widths):
        x = block(x, width, style, f"encoder{level}")
        features[2**level] = x
        x = keras.layers.MaxPooling2D(name=f"encoder{level}_pool")(x)
    features[spec.stride] = x
    return features
