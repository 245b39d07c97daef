"""MiT-B0, the encoder of SegFormer (Xie et al. 2021, https://arxiv.org/abs/2105.15203), built of Keras' own layers.

KerasHub has the network too, but a model that contains its layers cannot be loaded without it, and they take square
images alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import keras

from kseg.models.encoders import hub
from kseg.models.encoders.features import PREFIX, Features
from kseg.models.weights.arrays import read_paths
from kseg.models.weights.match import Slot, fit
from kseg.models.weights.names import ignorable_in_keras
from kseg.models.weights.source import file_of

__all__ = ["mit"]


class _Stage(NamedTuple):
    """One of the four stages.

    Args:
        width: Channels.
        heads: Heads of the attention.
        reduction: Keys and values have so many times fewer positions per side than queries.
        patch: Side of the overlapping patches that are embedded, in pixels of the stage before.
        stride: Distance of the patches.
    """

    width: int
    heads: int
    reduction: int
    patch: int
    stride: int


_STAGES: Final = (_Stage(32, 1, 8, 7, 4), _Stage(64, 2, 4, 3, 2), _Stage(160, 5, 2, 3, 2), _Stage(256, 8, 1, 3, 2))
_DEPTH: Final = 2
"""Blocks of a stage."""
_DROP_PATH: Final = 0.1
"""The share of samples that skip the deepest block in training; it grows linearly from 0 in the first one."""
_EPSILON: Final = 1e-5
_BLOCK_EPSILON: Final = 1e-6
_PARTS: Final = {
    "norm1": "norm1", "norm2": "norm2", "reduce": "attn/sr", "reduce_norm": "attn/norm",
    "attention/query": "attn/q", "attention/key": "attn/k", "attention/value": "attn/v",
    "attention/attention_output": "attn/proj", "mix1": "mlp/fc1", "mix_depthwise": "mlp/dwconv", "mix2": "mlp/fc2",
}  # fmt: skip
"""The layers of a block → where KerasHub's file has them."""


def mit(x: keras.KerasTensor, weights: str | None) -> Features:
    """Features at strides 4, 8, 16 and 32.

    Args:
        x: The scaled image, ``[B, H, W, 3]``.
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
    _load(model, weights)
    return dict(zip(features, keras.tree.flatten(model.call(x)), strict=True))


def _load(model: keras.Model, weights: str) -> None:
    """Load KerasHub's weights, whose attention has its heads side by side in flat matrices."""
    paths = dict(_paths_in_file())
    slots = []
    for weight in model.weights:
        layer, _, kind = str(weight.path).rpartition("/")
        number = {"kernel": 0, "gamma": 0, "bias": 1, "beta": 1}[kind]
        slots.append(Slot(f"{paths[layer]}/{number}", _flat(layer, kind, tuple(weight.shape))))
    with _file(weights) as path:
        arrays = fit(slots, read_paths(path), path, ignorable=ignorable_in_keras)
    for weight, array in zip(model.weights, arrays, strict=True):
        weight.assign(array.reshape(weight.shape))


def _flat(layer: str, kind: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that KerasHub's file has for a weight: in attention, without the axis of the heads."""
    if not layer.rpartition("/")[0]:
        return shape
    if kind == "bias":
        return (math.prod(shape),)
    # The output's heads come first, those of the others last.
    return (math.prod(shape[:-1]), shape[-1]) if layer.endswith("_output") else (shape[0], math.prod(shape[1:]))


@contextmanager
def _file(weights: str) -> Iterator[Path]:
    """A file of KerasHub's network: the one named, or a temporary one of the preset, handle or folder named."""
    file = file_of("mit_b0", weights)
    if file is not None:
        yield file
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mit.weights.h5"
        hub.from_preset("MiTBackbone", weights).save_weights(path)
        yield path


def _paths_in_file() -> Iterator[tuple[str, str]]:
    """Names of layers here, each with its path in KerasHub's file: the kind of the layer, its number, and its part."""
    for stage in range(len(_STAGES)):
        name, patches = f"{PREFIX}{stage}", _numbered("overlapping_patching_and_embedding", stage)
        yield f"{name}_patches", f"{patches}/proj"
        yield f"{name}_patches_norm", f"{patches}/norm"
        yield f"{name}_norm", _numbered("layer_normalization", stage)
        for depth in range(_DEPTH):
            block = _numbered("hierarchical_transformer_encoder", stage * _DEPTH + depth)
            yield from ((f"{name}_{depth}_{part}", f"{block}/{path}") for part, path in _PARTS.items())


def _numbered(kind: str, number: int) -> str:
    """Keras' name of the number-th layer of a kind: the first one has no number."""
    return f"{kind}_{number}" if number else kind


def _stages(x: keras.KerasTensor) -> Features:
    features: Features = {}
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
    normalized = keras.layers.LayerNormalization(epsilon=_BLOCK_EPSILON, name=f"{name}_norm1")(x)
    x = _add(x, _attention(normalized, stage, name), drop, f"{name}_attention")
    normalized = keras.layers.LayerNormalization(epsilon=_BLOCK_EPSILON, name=f"{name}_norm2")(x)
    return _add(x, _mix(normalized, stage.width, name), drop, f"{name}_mix")


def _add(x: keras.KerasTensor, branch: keras.KerasTensor, drop: float, name: str) -> keras.KerasTensor:
    if drop:
        # Stochastic depth (https://arxiv.org/abs/1603.09382): the branch of a sample is dropped as a whole.
        branch = keras.layers.Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(branch)
    return keras.layers.Add(name=f"{name}_add")([x, branch])


def _attention(x: keras.KerasTensor, stage: _Stage, name: str) -> keras.KerasTensor:
    """Self-attention with one key and value for every ``reduction`` × ``reduction`` positions."""
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
    """Mix-FFN: two dense layers around a depthwise convolution, which stands in for positional encodings."""
    x = keras.layers.Dense(4 * width, name=f"{name}_mix1")(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same", name=f"{name}_mix_depthwise")(x)
    x = keras.layers.Activation("gelu", name=f"{name}_mix_gelu")(x)
    return keras.layers.Dense(width, name=f"{name}_mix2")(x)
