"""Which kind of artifact a path is, and its card: read it, or write it in the place of an earlier one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from kseg.card import keras, onnx, openvino, saved_model, tflite
from kseg.card.content import describe_content
from kseg.card.model_card import ModelCard
from kseg.errors import ArtifactError, shell_command

__all__ = ["ArtifactFormat", "artifact_format", "find_card", "read_card", "write_card"]

ArtifactFormat = Literal["keras", "saved_model", "tflite", "onnx", "openvino"]


@dataclass(frozen=True)
class _CardFormat:
    """How the artifacts of a format hold their card.

    Args:
        name: What such an artifact is, with an article, for messages.
        content: What `describe_content` says of a right file; None where first bytes say nothing.
        read: The card's JSON; None if there is none. Raises ValueError, OSError.
        write: Replaces or adds the card, atomically. Raises OutputError, ValueError, OSError.
    """

    name: str
    content: str | None
    read: Callable[[Path], bytes | None]
    write: Callable[[Path, str], None]


_FORMATS: Final[dict[ArtifactFormat, _CardFormat]] = {
    "keras": _CardFormat("a .keras file", "a zip archive, as Keras files are", keras.read, keras.write),
    "saved_model": _CardFormat("a SavedModel folder", None, saved_model.read, saved_model.write),
    "tflite": _CardFormat("a .tflite file", "a TFLite model", tflite.read, tflite.write),
    "onnx": _CardFormat("an .onnx file", "an ONNX model", onnx.read, onnx.write),
    "openvino": _CardFormat(
        "an OpenVINO network (.xml)", "XML, as OpenVINO networks are", openvino.read, openvino.write
    ),
}
_SUFFIXES: Final[dict[str, ArtifactFormat]] = {
    ".keras": "keras", ".tflite": "tflite", ".onnx": "onnx", ".xml": "openvino",
}  # fmt: skip
_GRAPHS: Final[dict[str, ArtifactFormat]] = {saved_model.GRAPH: "saved_model", openvino.GRAPH: "openvino"}
"""The file by which a folder is recognised."""


def artifact_format(path: Path) -> ArtifactFormat | None:
    """The format of a file by its suffix, of a folder by the file that such a folder holds; None if it has none."""
    if not path.is_dir():
        return _SUFFIXES.get(path.suffix.lower())
    return next((format for graph, format in _GRAPHS.items() if (path / graph).is_file()), None)


def write_card(path: Path, card: ModelCard) -> None:
    """Write the card into an artifact, in the place of an earlier one; nothing else of the artifact changes.

    It is atomic: the new file is written beside the old one and renamed over it, so that after a kill or an error the
    artifact is what it was, with its earlier card.

    Raises:
        OutputError: The file cannot be written.
        ArtifactError: There is no such artifact, or it is damaged.
    """
    format = _format(path)
    try:
        format.write(path, card.to_json())
    except (ValueError, OSError) as error:
        raise _damaged(path, format, error) from error


def read_card(path: Path) -> ModelCard:
    """The card of an artifact: a ``.keras``, ``.tflite`` or ``.onnx`` file, or a SavedModel or OpenVINO folder.

    Raises:
        ArtifactError: There is no such artifact, it is damaged, or it has no card.
    """
    card = find_card(path)
    if card is None:
        raise _no_card(path)
    return card


def find_card(path: Path) -> ModelCard | None:
    """As `read_card`; None if the artifact has no card.

    Raises:
        ArtifactError: There is no such artifact, or it or its card is damaged.
    """
    format = _format(path)
    if path.is_file() and not path.stat().st_size:
        raise ArtifactError("the file is empty", where=str(path), remedy="copy or export it again")
    try:
        text = format.read(path)
    except PermissionError as error:
        raise ArtifactError(
            "the model cannot be read", where=str(path), found=error.strerror, remedy="correct its permissions"
        ) from error  # fmt: skip
    except (ValueError, OSError) as error:
        raise _damaged(path, format, error) from error
    return None if text is None else ModelCard.from_json(text, where=str(path))


def _format(path: Path) -> _CardFormat:
    if not path.exists():
        raise ArtifactError("no such model", where=str(path))
    format = artifact_format(path)
    if format is None:
        raise ArtifactError("not a model", where=str(path), expected=_names())
    if not path.is_dir() and not path.is_file():
        # A pipe or a device, which would be waited for without end.
        raise ArtifactError("not a file", where=str(path), expected=_names())
    return _FORMATS[format]


def _names() -> str:
    *names, last = (format.name for format in _FORMATS.values())
    return f"{', '.join(names)} or {last}"


def _damaged(path: Path, format: _CardFormat, error: Exception) -> ArtifactError:
    file = path if path.is_file() else None
    content = describe_content(file) if file else None
    if content is not None and content != format.content:
        return ArtifactError(
            "the file is not what its name says", where=str(path), expected=format.name, found=content
        )  # fmt: skip
    return ArtifactError(
        "the model is corrupt", where=str(path), expected=f"{format.name} that is whole",
        found=_reason(error), remedy="copy or export it again",
    )  # fmt: skip


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _no_card(path: Path) -> ArtifactError:
    command = shell_command("kseg", "predict", path, "PHOTOS", "--out", "MASKS")
    return ArtifactError(
        "the model has no kseg card", where=str(path), expected="a model that `kseg fit` or `kseg export` wrote",
        remedy="copy or export it again if one of them did; otherwise say what it takes and returns: "
        f"{command} --size HEIGHT WIDTH --classes background,NAME",
    )  # fmt: skip
