"""The card itself, and its JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from kseg.card.limits import CARD_NAME
from kseg.card.strict_json import parse_object
from kseg.errors import ArtifactError, KsegError
from kseg.labels import MAX_CLASSES, Activation, LabelMap

__all__ = ["CARD_NAME", "ModelCard"]

T = TypeVar("T")

FORMAT: Final = 2
_MAX_SIDE: Final = 16384
"""Pixels; larger inputs than any network's."""
_MAX_VALUES: Final = 65537
"""Mask values that a card may list: those of 16 bits, and ``other``."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class ModelCard:
    """What an artifact expects and returns.

    The contract of every artifact: RGB images ``[B, height, width, 3]`` with raw values 0..255 in, float32 scores
    ``[B, height, width, C]`` in 0..1 out, with C = 1 (sigmoid) or C = K classes (softmax, or sigmoid
    where the classes are independent of one another). An image of another size is resized to ``(height, width)``, and
    the scores are resized back before the threshold or argmax.

    Args:
        name: The model's display name.
        architecture: Name of the architecture, e.g. ``unet``.
        height: Height of the network's input, in pixels.
        width: Width of the network's input, in pixels.
        labels: Class names, colours and on-disk mask values.
        threshold: A pixel is foreground where its score is at least this (binary models only).
        normalization: The name of the normalisation inside the graph.
        activation: What turns logits into scores; always a sigmoid in a binary model.
        network: The structure of the network, as `kseg.models.specs.NetworkSpec.to_json` gives it; plain JSON types.
        provenance: Origin of the file: kseg version, date, run, data fingerprint, scores …; plain JSON types.
    """

    name: str
    architecture: str
    height: int
    width: int
    labels: LabelMap
    threshold: float = 0.5
    normalization: str = ""
    activation: Activation = "softmax"
    network: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.labels.is_binary:
            object.__setattr__(self, "activation", "sigmoid")

    @property
    def channels(self) -> int:
        """C: the number of score channels."""
        return 1 if self.labels.is_binary else self.labels.num_classes

    def class_ids(self, scores: npt.NDArray[np.float32], threshold: float | None = None) -> npt.NDArray[np.uint8]:
        """Scores ``[..., C]`` → class ids uint8 ``[...]``, by threshold (default: the card's) or by argmax."""
        if self.channels == 1:
            foreground: npt.NDArray[np.bool_] = scores[..., 0] >= (self.threshold if threshold is None else threshold)
            return foreground.view(np.uint8)
        ids: npt.NDArray[np.uint8] = scores.argmax(axis=-1).astype(np.uint8)
        return ids

    def with_provenance(self, **facts: Any) -> ModelCard:
        """A copy of the card with ``facts`` added to its provenance."""
        return replace(self, provenance={**self.provenance, **facts})

    def to_json(self) -> str:
        """The card as JSON text; `from_json` reads it back."""
        facts = {field.name: getattr(self, field.name) for field in fields(self)}
        facts |= {"format": FORMAT, "labels": self.labels.to_json(), "network": dict(self.network)}
        facts["provenance"] = dict(self.provenance)
        return json.dumps(facts, indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes, *, where: str) -> ModelCard:
        """Rebuild a card from the text that `to_json` returned.

        Raises:
            ArtifactError: The text is not a model card, or of a format that this version does not read.
        """
        try:
            data = parse_object(text)
            if data["format"] != FORMAT:
                raise ArtifactError(
                    "the model card has another format", where=where, expected=str(FORMAT),
                    found=repr(data["format"])[:40], remedy="use the kseg version that wrote the file",
                )  # fmt: skip
            return cls(
                name=_text(data, "name"),
                architecture=_text(data, "architecture"),
                height=_side(data, "height"),
                width=_side(data, "width"),
                labels=_labels(data["labels"]),
                threshold=_threshold(data),
                normalization=_text(data, "normalization"),
                activation=_activation(data),
                network=_typed(data, "network", dict),
                provenance=_typed(data, "provenance", dict),
            )
        except ArtifactError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, KsegError) as error:
            raise ArtifactError("the model card cannot be read", where=where, found=_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"no key {error}"
    return str(error)[:300] or type(error).__name__


def _typed(data: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = data[key]
    if type(value) is not kind:
        raise ValueError(f"{key}: {value!r:.40} instead of a value of the type {kind.__name__}")
    return value


def _text(data: Mapping[str, Any], key: str) -> str:
    text = _typed(data, key, str)
    if _CONTROL.search(text):
        raise ValueError(f"{key}: a control character in {text[:40]!r}")
    return text


def _side(data: Mapping[str, Any], key: str) -> int:
    side = _typed(data, key, int)
    if not 1 <= side <= _MAX_SIDE:
        raise ValueError(f"{key}: {side!r:.40} instead of pixels in 1..{_MAX_SIDE}")
    return side


def _threshold(data: Mapping[str, Any]) -> float:
    threshold = data["threshold"]
    if type(threshold) not in (int, float) or not 0.0 <= threshold <= 1.0:
        raise ValueError(f"threshold: {threshold!r:.40} instead of a number in 0..1")
    return float(threshold)


def _activation(data: Mapping[str, Any]) -> Activation:
    activation = data["activation"]
    if activation not in get_args(Activation):
        raise ValueError(f"activation: {activation!r:.40} instead of one of {', '.join(get_args(Activation))}")
    chosen: Activation = activation
    return chosen


def _labels(data: Any) -> LabelMap:
    # Counted before the map is made, whose checks compare names with one another.
    if not isinstance(data, dict) or len(data["names"]) > MAX_CLASSES or len(data["values"]) > _MAX_VALUES:
        raise ValueError(f"labels: not a map of at most {MAX_CLASSES} classes and {_MAX_VALUES} mask values")
    control = [name for name in data["names"] if isinstance(name, str) and _CONTROL.search(name)]
    if control:
        raise ValueError(f"labels: a control character in the class name {control[0][:40]!r}")
    return LabelMap.from_json(data)
