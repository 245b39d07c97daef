"""A network by its parts: image, normalisation, encoder (a part a stride), bottleneck, decoder (a part a step), head.

Read off the graph itself, so that it is the same for a network that is built and for a file that is loaded. Which part
a layer belongs to is told by its name, as `kseg.models` gives them, and within the encoder by which stride's features
need it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import keras

from kseg.models.encoders import is_encoder
from kseg.models.macs import graph_nodes, node_macs

__all__ = ["Kind", "Part", "Summary", "summarize"]

Kind = Literal["image", "normalization", "encoder", "bottleneck", "decoder", "head"]
_ORDER: Final[tuple[Kind, ...]] = ("image", "normalization", "encoder", "bottleneck", "decoder", "head")
_NAMES: Final[tuple[tuple[str, Kind], ...]] = (
    (r"image", "image"),
    (r"normalize", "normalization"),
    (r"(bottleneck|attention|aspp|dropout)", "bottleneck"),
    (r"(decoder\d*|node\d+_\d+)", "decoder"),
    (r"(logits|scores)", "head"),
)


@dataclass(frozen=True)
class Part:
    """Layers that belong together.

    Args:
        name: Unique: the kind; with the stride for the encoder, as its layers begin for the decoder.
        kind: What it is.
        shape: Height, width and channels of what it gives on.
        stride: How many times smaller than the image that is.
        parameters: All weights, moving statistics included.
        macs: Multiply-accumulates for one image, see `kseg.models.macs`.
        sources: Names of the parts whose results it takes.
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
    """A network.

    Args:
        name: The model's: architecture and encoder.
        parts: From the image to the scores.
    """

    name: str
    parts: tuple[Part, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.parts[0].shape[:2]

    @property
    def parameters(self) -> int:
        """Of all parts."""
        return sum(part.parameters for part in self.parts)

    @property
    def macs(self) -> int:
        """Of all parts."""
        return sum(part.macs for part in self.parts)


def summarize(model: keras.Model) -> Summary:
    """Sort a network's layers into parts.

    Args:
        model: What `kseg.models.build_model` or `load_model` gave.

    Raises:
        ArtifactError: A layer is of a kind whose work cannot be counted.
    """
    nodes = graph_nodes(model)
    height = model.input_shape[1]
    members = _join_weightless(_sort_layers(nodes, height))
    homes = {id(node): name for name, group in members.items() for node in group}
    parts = [_part(name, group, homes, height) for name, group in members.items()]
    return Summary(str(model.name), tuple(sorted(parts, key=lambda part: _ORDER.index(part.kind))))


Members = dict[str, list[Any]]


def _sort_layers(nodes: list[Any], height: int) -> Members:
    """Part → its nodes; parts in the order in which they are finished."""
    stages = _stages([node for node in nodes if is_encoder(node.operation)], nodes, height)
    homes: dict[int, str] = {}
    for node in nodes:
        before = homes[id(node.parent_nodes[0])] if node.parent_nodes else "image"
        # What has no name of ours (a conversion that Keras puts in) goes with what it follows.
        homes[id(node)] = stages.get(id(node)) or _part_name(str(node.operation.name)) or before
    last = {name: place for place, name in enumerate(homes.values())}
    return {name: [n for n in nodes if homes[id(n)] == name] for name in sorted(last, key=lambda name: last[name])}


def _part_name(layer: str) -> str | None:
    for pattern, kind in _NAMES:
        if found := re.match(pattern, layer):
            return found[0] if kind == "decoder" else kind
    return None


def _kind(part: str) -> Kind:
    if part.startswith("encoder"):
        return "encoder"
    return "decoder" if part not in _ORDER else next(kind for kind in _ORDER if kind == part)


def _stages(encoder: list[Any], nodes: list[Any], height: int) -> dict[int, str]:
    """Node of the encoder → the part of the finest features that need it."""
    features = _features(encoder, nodes, height)
    inside, homes = {id(node) for node in encoder}, dict[int, str]()
    for stride in sorted(features):
        waiting = [features[stride]]
        while waiting:
            node = waiting.pop()
            if id(node) in inside and id(node) not in homes:
                homes[id(node)] = f"encoder {stride}"
                waiting += node.parent_nodes
    return homes


def _features(encoder: list[Any], nodes: list[Any], height: int) -> dict[int, Any]:
    """Stride → the node whose result are its features: what the rest of the network takes, else the last of the trunk.

    DeepLabV3+ leaves most strides unused, and they are worth telling apart all the same.
    """
    inside = {id(node) for node in encoder}
    taken = [p for node in nodes if id(node) not in inside for p in node.parent_nodes if id(p) in inside]
    found: dict[int, Any] = {}
    for node in _trunk(encoder):
        stride = _stride(node, height)
        # A padded map is larger than what it was made of, and may by chance have the size of finer features.
        if stride and stride >= max(found, default=1):
            found[stride] = node
    return {**found, **{stride: node for node in taken if (stride := _stride(node, height))}}


def _stride(node: Any, height: int) -> int | None:
    """Of a map of features; None for a sequence, or a padded map, which has none of its own."""
    shape = node.outputs[0].shape
    if len(shape) != 4 or height % shape[1]:
        return None
    stride: int = height // shape[1]
    return stride if stride.bit_count() == 1 else None


def _trunk(encoder: list[Any]) -> Iterable[Any]:
    """The nodes that no path goes around: ends of residual blocks, nothing within, no squeeze-and-excitation."""
    place = {id(node): i for i, node in enumerate(encoder)}
    reach = 0
    farthest = dict.fromkeys(range(len(encoder)), 0)
    for i, node in enumerate(encoder):
        for parent in node.parent_nodes:
            if id(parent) in place:
                farthest[place[id(parent)]] = i
    for i, node in enumerate(encoder):
        if reach <= i:
            yield node
        reach = max(reach, farthest[i])


def _join_weightless(members: Members) -> Members:
    """A pooling alone, or a dropout alone, is no part: it joins the deepest features, or they join the bottleneck."""
    deepest = max((name for name in members if name.startswith("encoder")), key=lambda name: int(name.split()[1]))
    if "bottleneck" not in members or (_weigh(members[deepest]) and _weigh(members["bottleneck"])):
        return members
    keep = "bottleneck" if _weigh(members["bottleneck"]) else deepest
    joined = members[deepest] + members["bottleneck"]
    return {
        name: joined if name == keep else group
        for name, group in members.items()
        if name == keep or name not in (deepest, "bottleneck")
    }


def _weigh(group: list[Any]) -> int:
    """Weights of the layers, each counted once."""
    layers = {id(node.operation): node.operation for node in group if isinstance(node.operation, keras.Layer)}
    return sum(math.prod(weight.shape) for layer in layers.values() for weight in layer.weights)


def _part(name: str, group: list[Any], homes: Mapping[int, str], height: int) -> Part:
    inside = {id(node) for node in group}
    given = [node for node in group if _goes_on(node, inside)]
    _, rows, columns, channels = (given or group)[-1].outputs[0].shape
    parents = [homes[id(p)] for node in group for p in node.parent_nodes if id(p) not in inside]
    return Part(
        name=name,
        kind=_kind(name),
        shape=(rows, columns, channels),
        stride=height // rows,
        parameters=_weigh(group),
        macs=sum(map(node_macs, group)),
        sources=tuple(dict.fromkeys(parents)),
    )


def _goes_on(node: Any, inside: set[int]) -> bool:
    """Whether another part takes its result."""
    return any(id(user) not in inside for user in node.outputs[0]._keras_history.operation._outbound_nodes)
