"""Multiply-accumulates of a network, counted over its graph.

What counts is what papers count (https://arxiv.org/abs/1801.04381): convolutions, dense layers and the matrix products
of attention, for one image. Normalisations, activations, sums, gates, poolings and scaling up count nothing, and
neither do biases.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import keras

from kseg.errors import ArtifactError

__all__ = ["node_macs", "node_of", "total_macs"]

Count = Callable[[Any, Any], int]
"""A layer and its node in the graph → multiply-accumulates of one image."""


def total_macs(model: keras.Model) -> int:
    """Multiply-accumulates of a functional model for one image. Raises ArtifactError, see `node_macs`."""
    return sum(node_macs(node) for nodes in model._nodes_by_depth.values() for node in nodes)


def node_of(tensor: keras.KerasTensor) -> Any:
    """Keras' record of the use of a layer that gave a tensor; its ``parent_nodes`` gave the layer's inputs."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def node_macs(node: Any) -> int:
    """Multiply-accumulates of one use of a layer, for one image.

    Args:
        node: As `node_of` returns it, with every size but the batch's known.

    Raises:
        ArtifactError: A layer with weights, or a product, that no rule here counts.
    """
    operation = node.operation
    for kind, count in _RULES:
        if isinstance(operation, kind):
            return count(operation, node)
    if isinstance(operation, _FREE):
        return 0
    weighs = isinstance(operation, keras.Layer) and operation.weights
    if weighs or type(operation).__name__ in _PRODUCTS:
        raise ArtifactError(
            "the work of this layer cannot be counted", where=operation.name, found=type(operation).__name__
        )
    return 0


def _positions(tensor: keras.KerasTensor) -> int:
    """All but the batch and the channels: pixels of a map, tokens of a sequence."""
    return int(math.prod(tensor.shape[1:-1]))


def _size(kernel: Any) -> int:
    return int(math.prod(kernel.shape))


def _conv(layer: Any, node: Any) -> int:
    return _positions(node.outputs[0]) * _size(layer.kernel)


def _separable(layer: Any, node: Any) -> int:
    return _positions(node.outputs[0]) * (_size(layer.depthwise_kernel) + _size(layer.pointwise_kernel))


def _transposed(layer: Any, node: Any) -> int:
    # Each position that goes in is spread by the whole kernel.
    return _positions(node.input_tensors[0]) * _size(layer.kernel)


def _attention(layer: Any, node: Any) -> int:
    """Multi-head attention: four projections, and per head ``Q Kᵀ`` and its product with V."""
    query, value, *rest = node.input_tensors
    key = rest[0] if rest else value
    config = layer.get_config()
    heads, size = config["num_heads"], config["key_dim"]
    value_size = config["value_dim"] or size
    queries, keys = _positions(query), _positions(value)
    projections = (
        queries * query.shape[-1] * heads * size
        + keys * key.shape[-1] * heads * size
        + keys * value.shape[-1] * heads * value_size
        + queries * heads * value_size * node.outputs[0].shape[-1]
    )
    return int(projections + heads * queries * keys * (size + value_size))


_RULES: Final[tuple[tuple[type, Count], ...]] = (
    (keras.layers.DepthwiseConv2D, _conv),
    (keras.layers.SeparableConv2D, _separable),
    (keras.layers.Conv2DTranspose, _transposed),
    (keras.layers.Conv2D, _conv),
    (keras.layers.Dense, _conv),
    (keras.layers.MultiHeadAttention, _attention),
)
"""The first that fits counts; some of these classes are subclasses of later ones."""

_FREE: Final = (
    keras.layers.BatchNormalization, keras.layers.GroupNormalization, keras.layers.LayerNormalization,
    keras.layers.PReLU,
)  # fmt: skip
"""Layers with weights that work element by element."""

_PRODUCTS: Final = {
    "AdditiveAttention", "Attention", "Conv", "ConvTranspose", "DepthwiseConv", "Dot", "DotProductAttention", "Einsum",
    "Inner", "Matmul", "Outer", "SeparableConv", "Tensordot", "Vdot",
}  # fmt: skip
"""Classes of operations that multiply matrices without having weights."""
