"""Deep supervision: in training, the coarser levels of the decoder have heads and a loss of their own.

::

    decoder level 1 ── 1×1 convolution ── scaled up ───┐
    decoder level 2 ── 1×1 convolution ── scaled up ──┐│
    decoder level 3 ── the network's head ────────── [main, level 2, level 1]   channels side by side

Each level thus has a short way to the loss (Lee et al. 2015, https://arxiv.org/abs/1409.5185). The auxiliary heads
belong to the training alone: what is saved is the network without them, which shares its variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import keras

from kseg.models.blocks import head
from kseg.models.specs import NetworkSpec

__all__ = ["add_auxiliaries", "head_weights", "plain_network"]

_JOINED: Final = "supervised"
"""The name of the layer that concatenates the heads; its first input is the network's own output."""


def add_auxiliaries(
    logits: keras.KerasTensor, coarser: Sequence[keras.KerasTensor], spec: NetworkSpec
) -> keras.KerasTensor:
    """Concatenate the logits of coarser levels with the network's own.

    Args:
        logits: The network's own, ``[B, H, W, C]``.
        coarser: The other levels of its decoder, the coarsest first.
        spec: The network.

    Returns:
        Float32 ``[B, H, W, C · (1 + levels)]``: the network's own, then those of the levels, the coarsest last; the
        network's own alone, where there are no other levels.
    """
    if not coarser:
        return logits
    others = [head(level, spec, f"auxiliary{place}") for place, level in enumerate(coarser)]
    return keras.layers.Concatenate(name=_JOINED, dtype="float32")([logits, *reversed(others)])


def plain_network(model: keras.Model) -> keras.Model:
    """The network without its auxiliary heads, made of the same layers and variables; itself where it has none.

    Its weights come in the order of `build_model`'s. Clones of a supervised network have one, too.
    """
    layers = [layer for layer in model.layers if layer.name == _JOINED]
    return keras.Model(model.input, layers[0].input[0], name=model.name) if layers else model


def head_weights(spec: NetworkSpec, heads: int) -> tuple[float, ...]:
    """The weight of each head in the loss; they sum to 1.

    In a U-Net each level has half the weight of the next finer one (nnU-Net, Isensee et al. 2021,
    https://doi.org/10.1038/s41592-020-01008-z); those of U-Net++ have one size, and the same weight (Zhou et al. 2018,
    https://arxiv.org/abs/1807.10165).

    Args:
        spec: The network.
        heads: Number of heads, the network's own among them.
    """
    parts = [1.0 if spec.arch == "unetplusplus" else 0.5**place for place in range(heads)]
    return tuple(part / sum(parts) for part in parts)
