"""What every encoder returns, and how its layers are named."""

from __future__ import annotations

import keras

__all__ = ["PREFIX", "Features", "is_encoder"]

Features = dict[int, keras.KerasTensor]
"""Stride → features ``[B, H / stride, W / stride, C]``. The coarsest go into the bottleneck, all others are skips."""

PREFIX = "encoder"
"""The names of all layers of an encoder, and of no other layer, begin with this."""


def is_encoder(layer: keras.Layer) -> bool:
    """Whether a layer of a network belongs to its encoder."""
    return str(layer.name).startswith(PREFIX)
