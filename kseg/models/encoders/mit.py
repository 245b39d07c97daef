"""MiT-B0, the encoder of SegFormer (Xie et al. 2021, https://arxiv.org/abs/2105.15203), of Keras' own layers.

KerasHub has the network too, but its layers cannot be loaded again once they are part of another one, and take square
images alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import keras

from kseg.models.encoders import hub
from kseg.models.encoders.contract import PREFIX, Encoded
from kseg.models.specs import NetworkSpec

__all__ = ["mit"]


class _Stage(NamedTuple):
    """Channels, attention heads, how much shorter keys and values are per side, and the patches."""

    width: int
    heads: int
    reduction: int
    patch: int
    stride: int


_STAGES: Final = (_Stage(32, 1, 8, 7, 4), _Stage(64, 2, 4, 3, 2), _Stage(160, 5, 2, 3, 2), _Stage(256, 8, 1, 3, 2))
_DEPTH: Final = 2
_DROP_PATH: Final = 0.1
"""The share of samples that skip the deepest block in training; earlier ones in proportion."""
_EPSILON: Final = 1e-5
_BLOCK_EPSILON: Final = 1e-6
_HUB_SIZE: Final = (64, 64, 3)
"""KerasHub's network of this size has the same weights as of any other."""


def mit(x: keras.KerasTensor, spec: NetworkSpec, weights: str | None) -> Encoded:
    """Features at strides 4, 8, 16 and 32.

    Args:
        x: The scaled image, ``[B, H, W, 3]``.
        spec: The network.
        weights: A preset, handle, folder or file of KerasHub's network, or None.

    Raises:
        ConfigError: KerasHub is needed for its weights and missing.
        ArtifactError: The weights cannot be loaded.
    """
    if weights is None:
        return _stages(x)
    image = keras.Input(x.shape[1:])
    features = _stages(image)
    model = keras.Model(image, list(features.values()))
    _take(model, hub.backbone(spec.encoder, _HUB_SIZE, weights))
    return dict(zip(features, keras.tree.flatten(model.call(x)), strict=True))


def _take(model: keras.Model, theirs: keras.Model) -> None:
    """The weights of KerasHub's network, whose attention has its heads side by side in flat matrices."""
    found = {f"{name}/{weight.name}": weight for name, layer in _pairs(theirs) for weight in layer.weights}
    for weight in model.weights:
        weight.assign(keras.ops.reshape(found[weight.path], weight.shape))


def _pairs(theirs: keras.Model) -> Iterator[tuple[str, keras.Layer]]:
    """Our layers' names and KerasHub's layers."""
    norms = [layer for layer in theirs.layers if isinstance(layer, keras.layers.LayerNormalization)]
    for number, norm in enumerate(norms):
        patches = theirs.get_layer(f"patch_and_embed_{number}")
        name = f"{PREFIX}{number}"
        yield from ((f"{name}_patches", patches.proj), (f"{name}_patches_norm", patches.norm), (f"{name}_norm", norm))
        for depth in range(_DEPTH):
            block = theirs.get_layer(f"hierarchical_encoder_{number}_{depth}")
            yield from _block_pairs(block, f"{name}_{depth}")


def _block_pairs(block: Any, name: str) -> Iterator[tuple[str, keras.Layer]]:
    attention, mix = block.attn, block.mlp
    yield from ((f"{name}_norm1", block.norm1), (f"{name}_norm2", block.norm2))
    parts = {"query": attention.q, "key": attention.k, "value": attention.v, "attention_output": attention.proj}
    yield from ((f"{name}_attention/{part}", layer) for part, layer in parts.items())
    if attention.sr_ratio > 1:
        yield from ((f"{name}_reduce", attention.sr), (f"{name}_reduce_norm", attention.norm))
    yield from ((f"{name}_mix1", mix.fc1), (f"{name}_mix_depthwise", mix.dwconv), (f"{name}_mix2", mix.fc2))


def _stages(x: keras.KerasTensor) -> Encoded:
    features: Encoded = {}
    stride = 1
    for number, stage in enumerate(_STAGES):
        name = f"{PREFIX}{number}"
        x = keras.layers.ZeroPadding2D(stage.patch // 2, name=f"{name}_pad")(x)
        x = keras.layers.Conv2D(stage.width, stage.patch, strides=stage.stride, name=f"{name}_patches")(x)
        x = keras.layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_patches_norm")(x)
        for depth in range(_DEPTH):
            share = (number * _DEPTH + depth) / (len(_STAGES) * _DEPTH - 1)
            x = _block(x, stage, _DROP_PATH * share, f"{name}_{depth}")
        x = keras.layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_norm")(x)
        stride *= stage.stride
        features[stride] = x
    return features


def _block(x: keras.KerasTensor, stage: _Stage, drop: float, name: str) -> keras.KerasTensor:
    known = keras.layers.LayerNormalization(epsilon=_BLOCK_EPSILON, name=f"{name}_norm1")(x)
    x = _add(x, _attention(known, stage, name), drop, f"{name}_attention")
    known = keras.layers.LayerNormalization(epsilon=_BLOCK_EPSILON, name=f"{name}_norm2")(x)
    return _add(x, _mix(known, stage.width, name), drop, f"{name}_mix")


def _add(x: keras.KerasTensor, branch: keras.KerasTensor, drop: float, name: str) -> keras.KerasTensor:
    if drop:
        # Stochastic depth (https://arxiv.org/abs/1603.09382): the branch of a sample is dropped as a whole.
        branch = keras.layers.Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(branch)
    return keras.layers.Add(name=f"{name}_add")([x, branch])


def _attention(x: keras.KerasTensor, stage: _Stage, name: str) -> keras.KerasTensor:
    """Self-attention whose keys and values are of patches of ``reduction`` × ``reduction`` positions."""
    _, height, width, channels = x.shape
    source = x
    if stage.reduction > 1:
        source = keras.layers.Conv2D(channels, stage.reduction, strides=stage.reduction, name=f"{name}_reduce")(x)
        source = keras.layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_reduce_norm")(source)
    queries = keras.layers.Reshape((height * width, channels), name=f"{name}_queries")(x)
    keys = keras.layers.Reshape((source.shape[1] * source.shape[2], channels), name=f"{name}_keys")(source)
    attention = keras.layers.MultiHeadAttention(
        stage.heads, channels // stage.heads, flash_attention=False, name=f"{name}_attention"
    )
    return keras.layers.Reshape((height, width, channels), name=f"{name}_map")(attention(queries, keys))


def _mix(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    """Two dense layers with a depthwise convolution between them, which tells positions apart."""
    x = keras.layers.Dense(4 * width, name=f"{name}_mix1")(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same", name=f"{name}_mix_depthwise")(x)
    x = keras.layers.Activation("gelu", name=f"{name}_mix_gelu")(x)
    return keras.layers.Dense(width, name=f"{name}_mix2")(x)
