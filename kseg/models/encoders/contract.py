"""What an encoder gives."""

from __future__ import annotations

import keras

__all__ = ["PREFIX", "Encoded", "is_encoder"]

Encoded = dict[int, keras.KerasTensor]
"""Stride → features ``[B, H / stride, W / stride, C]``; the coarsest go on to the bottleneck, the rest beside it."""

PREFIX = "encoder"
"""How the names of an encoder's layers begin, whoever made them."""


def is_encoder(layer: keras.Layer) -> bool:
    """Whether a layer of a network belongs to its encoder."""
    return str(layer.name).startswith(PREFIX)
