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

__all__ = ["graph_nodes", "node_macs", "total_macs"]

Count = Callable[[Any, Any], int]
"""A layer and its node in the graph → multiply-accumulates of one image."""


def graph_nodes(model: keras.Model) -> list[Any]:
    """Keras' nodes of a functional model, one a use of a layer, each after those whose results it takes."""
    return [node for depth in sorted(model._nodes_by_depth, reverse=True) for node in model._nodes_by_depth[depth]]


def total_macs(model: keras.Model) -> int:
    """Multiply-accumulates of one image. Raises ArtifactError, see `node_macs`."""
    return sum(node_macs(node) for node in graph_nodes(model))


def node_macs(node: Any) -> int:
    """Multiply-accumulates of one use of a layer, for one image.

    Args:
        node: Of `graph_nodes`; its shapes are known but for the batch.

    Raises:
        ArtifactError: A layer with weights, or a product, that no rule here counts; nothing is taken for free unseen.
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
    query, value, *rest = node.input_tensors
    key = rest[0] if rest else value
    config = layer.get_config()
    heads, size = config["num_heads"], config["key_dim"]
    value_size = config["value_dim"] or size
    asked, known = _positions(query), _positions(value)
    projections = (
        asked * query.shape[-1] * heads * size
        + known * key.shape[-1] * heads * size
        + known * value.shape[-1] * heads * value_size
        + asked * heads * value_size * node.outputs[0].shape[-1]
    )
    return int(projections + heads * asked * known * (size + value_size))


_RULES: Final[tuple[tuple[type, Count], ...]] = (
    (keras.layers.DepthwiseConv2D, _conv),
    (keras.layers.SeparableConv2D, _separable),
    (keras.layers.Conv2DTranspose, _transposed),
    (keras.layers.Conv2D, _conv),
    (keras.layers.Dense, _conv),
    (keras.layers.MultiHeadAttention, _attention),
)
"""The first that fits; as Keras has it, some of these classes are others' children."""

_FREE: Final = (
    keras.layers.BatchNormalization, keras.layers.GroupNormalization, keras.layers.LayerNormalization,
    keras.layers.PReLU,
)  # fmt: skip
"""Have weights and work by the element alone."""

_PRODUCTS: Final = {
    "AdditiveAttention", "Attention", "Conv", "ConvTranspose", "DepthwiseConv", "Dot", "DotProductAttention", "Einsum",
    "Inner", "Matmul", "Outer", "SeparableConv", "Tensordot", "Vdot",
}  # fmt: skip
"""Have no weights and multiply matrices."""
