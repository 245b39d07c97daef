"""The card itself, and its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kseg.errors import ArtifactError, KsegError
from kseg.labels import Activation, LabelMap

__all__ = ["CARD_NAME", "ModelCard"]

CARD_NAME: Final = "kseg_card.json"
FORMAT: Final = 2


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
            return foreground.astype(np.uint8)
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
            data = json.loads(text)
            if data["format"] != FORMAT:
                raise ArtifactError(
                    "the model card has another format", where=where, expected=str(FORMAT),
                    found=str(data["format"]), remedy="use the kseg version that wrote the file",
                )  # fmt: skip
            labels = LabelMap.from_json(data["labels"])
            card = cls(
                name=str(data["name"]),
                architecture=str(data["architecture"]),
                height=int(data["height"]),
                width=int(data["width"]),
                labels=labels,
                threshold=float(data["threshold"]),
                normalization=str(data["normalization"]),
                activation="sigmoid" if data["activation"] == "sigmoid" else "softmax",
                network=dict(data["network"]),
                provenance=dict(data["provenance"]),
            )
        except ArtifactError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, KsegError) as error:
            raise ArtifactError("the model card cannot be read", where=where, found=str(error) or "nothing") from error
        if card.height < 1 or card.width < 1 or not 0.0 <= card.threshold <= 1.0:
            raise ArtifactError("the model card contradicts itself", where=where)
        return card
