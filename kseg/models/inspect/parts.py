"""A network by its parts: image, normalisation, encoder (a part a stride), bottleneck, decoder (a part a step), head.

The parts are the steps in which `kseg.models.build.build_graph` builds the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras

from kseg.models.build import Kind, Step, build_graph
from kseg.models.inspect.macs import node_macs, node_of
from kseg.models.specs import NetworkSpec
from kseg.sizes import Size

__all__ = ["Part", "Summary", "summarize"]


@dataclass(frozen=True)
class Part:
    """Layers that belong together.

    Args:
        name: Unique: the kind; with the stride for the encoder, as its layers begin for the decoder.
        kind: What it is.
        shape: Height, width and channels of its output.
        stride: How many times smaller than the image the output is.
        parameters: All weights, moving statistics included.
        macs: Multiply-accumulates for one image, see `kseg.models.inspect.macs`.
        sources: Names of the parts whose outputs it takes, the last computed first.
    """

    name: str
    kind: Kind
    shape: tuple[int, int, int]
    stride: int
    parameters: int
    macs: int
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """A network and its parts.

    Args:
        spec: The network's structure.
        parts: From the image to the scores.
    """

    spec: NetworkSpec
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """The model's name: architecture and encoder."""
        return self.spec.name

    @property
    def size(self) -> Size:
        """Height and width of the image."""
        return self.spec.size

    @property
    def parameters(self) -> int:
        """Sum over all parts of their weights."""
        return sum(part.parameters for part in self.parts)

    @property
    def macs(self) -> int:
        """Sum over all parts of their multiply-accumulates for one image."""
        return sum(part.macs for part in self.parts)


def summarize(spec: NetworkSpec) -> Summary:
    """Build a network with random weights, and measure its parts.

    Raises:
        ConfigError: An extra of kseg is missing that brings the encoder.
        ArtifactError: A layer is of a kind whose work cannot be counted.

    Example:

    ::

        summarize(NetworkSpec(size=(256, 256), channels=1, encoder="mobilenetv2")).parts
    """
    groups = _join_weightless(_group_nodes(build_graph(spec).steps))
    part_of = {id(node): group.step.name for group in groups for node in group.nodes}
    return Summary(spec, tuple(_measure(group, part_of, spec.size[0]) for group in groups))


@dataclass(frozen=True)
class _Group:
    """A step and its nodes, Keras' records of a use of a layer."""

    step: Step
    nodes: list[Any]

    @property
    def parameters(self) -> int:
        """Weights of the layers, each counted once."""
        layers = {id(node.operation): node.operation for node in self.nodes}.values()
        return sum(
            math.prod(weight.shape) for layer in layers if isinstance(layer, keras.Layer) for weight in layer.weights
        )


def _group_nodes(steps: tuple[Step, ...]) -> list[_Group]:
    """Each step with the nodes that its output needs and no earlier step's does."""
    visited: set[int] = set()
    groups = []
    for step in steps:
        nodes, waiting = [], [node_of(step.output)]
        while waiting:
            node = waiting.pop()
            if id(node) not in visited:
                visited.add(id(node))
                nodes.append(node)
                waiting += node.parent_nodes
        groups.append(_Group(step, nodes))
    return groups


def _join_weightless(groups: list[_Group]) -> list[_Group]:
    """A dropout alone joins the end of the encoder; a pooling alone joins the beginning of the bottleneck."""
    place = next(i for i, group in enumerate(groups) if group.step.kind == "bottleneck")
    encoder, bottleneck = groups[place - 1 : place + 1]
    nodes = encoder.nodes + bottleneck.nodes
    if not bottleneck.parameters:
        joined = [_Group(encoder.step._replace(output=bottleneck.step.output), nodes)]
    elif not encoder.parameters:
        joined = [_Group(bottleneck.step, nodes)]
    else:
        joined = [encoder, bottleneck]
    return [*groups[: place - 1], *joined, *groups[place + 1 :]]


def _measure(group: _Group, part_of: dict[int, str], height: int) -> Part:
    _, rows, columns, channels = group.step.output.shape
    inputs = {part_of[id(parent)] for node in group.nodes for parent in node.parent_nodes} - {group.step.name}
    return Part(
        name=group.step.name,
        kind=group.step.kind,
        shape=(rows, columns, channels),
        stride=height // rows,
        parameters=group.parameters,
        macs=sum(map(node_macs, group.nodes)),
        sources=tuple(name for name in reversed(dict.fromkeys(part_of.values())) if name in inputs),
    )
