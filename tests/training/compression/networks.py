"""Networks with statistics, and pictures for them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kseg.models import NetworkSpec, build_model

__all__ = ["FIXED", "images", "make_network"]

FIXED: dict[str, Any] = {"decoder_widths": (4, 4, 4, 4, 4)}


def images(size: tuple[int, int], count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, *size, 3)).astype(np.float32)


def make_network(size: tuple[int, int] = (32, 32), **spec: Any) -> keras.Model:
    """A network with random weights that ends in logits; batch normalisation has the statistics of the pictures."""
    keras.utils.set_random_seed(1)
    network = build_model(NetworkSpec(size=size, channels=1, **spec), logits=True)
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    # Of two pictures the deepest layers have two values each, whose variance may be next to nothing.
    network(images(size, 16), training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    return network
