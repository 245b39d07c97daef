"""ModelCard: what a model file expects, what it returns and where it came from.

Every artifact carries its card, so that the file alone is enough to predict::

    best.keras      a member `kseg_card.json` of the zip archive
    saved_model/    `assets.extra/kseg_card.json`
    model.tflite    a zip archive with `kseg_card.json` appended to the flatbuffer, as TFLite packs associated files
    model.onnx      the entry `kseg_card.json` of the metadata

All are read without TensorFlow; the last by the package onnx.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kseg.errors import ArtifactError, KsegError, missing_extra
from kseg.labels import Activation, LabelMap

__all__ = ["CARD_NAME", "ModelCard", "append_card", "read_card"]

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


def append_card(path: Path, card: ModelCard) -> None:
    """Add the card to a ``.keras``, ``.onnx`` or ``.tflite`` file, in place.

    Raises:
        UsageError: The file is an ``.onnx`` file, and kseg's extra ``onnx`` is not installed.
    """
    if _is_onnx(path):
        entry = {"key": CARD_NAME, "value": card.to_json()}
        # Concatenated protocol buffers parse as one merged message, so the card can be appended.
        with path.open("ab") as file:
            file.write(_onnx(path).ModelProto(metadata_props=[entry]).SerializeToString())
        return
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(CARD_NAME, card.to_json())


def read_card(path: Path) -> ModelCard:
    """The card of a ``.keras``, ``.tflite`` or ``.onnx`` file or of a SavedModel folder.

    Raises:
        ArtifactError: There is no such file, it is corrupt, or kseg did not write it.
        UsageError: The file is an ``.onnx`` file, and kseg's extra ``onnx`` is not installed.
    """
    if not path.exists():
        raise ArtifactError("no such model", where=str(path))
    if path.is_dir():
        return _read_folder_card(path)
    if _is_onnx(path):
        return _read_onnx_card(path)
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(CARD_NAME)
    except KeyError:
        raise _not_ours(path) from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, EOFError, ValueError) as error:
        raise _corrupt(path, error) from error
    return ModelCard.from_json(text, where=str(path))


def _read_folder_card(path: Path) -> ModelCard:
    card = path / "assets.extra" / CARD_NAME
    if not (path / "saved_model.pb").is_file():
        raise ArtifactError("not a model", where=str(path), expected="a SavedModel folder (saved_model.pb)")
    if not card.is_file():
        raise _not_ours(path)
    return ModelCard.from_json(card.read_bytes(), where=str(card))


def _is_onnx(path: Path) -> bool:
    return path.suffix.lower() == ".onnx"


def _onnx(path: Path) -> Any:
    """Import the package onnx. Raises UsageError where it is not installed."""
    try:
        import onnx
    except ImportError as error:
        raise missing_extra("onnx", "the package onnx is not installed", where=str(path)) from error
    return onnx


def _read_onnx_card(path: Path) -> ModelCard:
    onnx = _onnx(path)
    from google.protobuf.message import DecodeError

    try:
        network = onnx.ModelProto.FromString(path.read_bytes())
    except (DecodeError, OSError) as error:
        raise _corrupt(path, error) from error
    texts = {entry.key: entry.value for entry in network.metadata_props}
    if CARD_NAME not in texts:
        raise _not_ours(path)
    return ModelCard.from_json(texts[CARD_NAME], where=str(path))


def _corrupt(path: Path, error: Exception) -> ArtifactError:
    return ArtifactError(
        "the model file is corrupt or not kseg's", where=str(path),
        expected="a .keras, .tflite, .onnx or SavedModel written by kseg", found=str(error),
    )  # fmt: skip


def _not_ours(path: Path) -> ArtifactError:
    return ArtifactError(
        "the model has no kseg card", where=str(path), expected="a model that `kseg fit` or `kseg export` wrote",
        remedy="train it with kseg, whose files say which size, classes and threshold they take",
    )  # fmt: skip
