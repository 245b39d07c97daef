"""Write a card into a model file, and read it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from kseg.card.model_card import CARD_NAME, ModelCard
from kseg.errors import ArtifactError, missing_extra

__all__ = ["append_card", "read_card"]


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
