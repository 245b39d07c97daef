"""Which model files a command line means: runs, single files, and all artifacts of an export folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from kseg.card import read_card
from kseg.errors import UsageError
from kseg.inference import resolve_model
from kseg.run_folder import RunFolder

__all__ = ["Target", "find_targets"]


@dataclass(frozen=True)
class Target:
    """One artifact to measure.

    Args:
        model: What to call it.
        path: The file or SavedModel folder.
        runtime: ``keras``, ``saved_model``, ``tflite`` or ``onnx``.
        obstacle: Why it is left out here, if it is.
    """

    model: str
    path: Path
    runtime: str
    obstacle: str | None = None

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return sum(file.stat().st_size for file in self._files())

    def sha256(self) -> str:
        """Of all its bytes, and of the names in a folder."""
        total = hashlib.sha256()
        for file in self._files():
            if file != self.path:
                total.update(file.relative_to(self.path).as_posix().encode())
            total.update(file.read_bytes())
        return total.hexdigest()

    def _files(self) -> list[Path]:
        return sorted(f for f in self.path.rglob("*") if f.is_file()) if self.path.is_dir() else [self.path]


def find_targets(models: Sequence[Path]) -> list[Target]:
    """Every artifact that the paths stand for, in the order given.

    Raises:
        ArtifactError: A path is no model, or a model that kseg did not write.
        UsageError: No model is named, the same artifact is named twice, or an ``.onnx`` file where kseg's extra
            ``onnx`` is not installed; of an export folder such a file is left out.
    """
    if not models:
        raise UsageError("no models are named", expected="runs, model files or export folders")
    targets = [target for model in models for target in _expand(model)]
    seen: set[Path] = set()
    for target in targets:
        if target.path.resolve() in seen:
            raise UsageError("the model is named twice", where=str(target.path), remedy="name it once")
        seen.add(target.path.resolve())
        if target.obstacle is None:
            read_card(target.path)
    return targets


def _expand(model: Path) -> Iterable[Target]:
    if _is_export(model):
        files = [model / "model.keras", model / "saved_model", *_exchanged(model)]
        return [Target(str(file), file, _runtime(file), _obstacle(file)) for file in files if file.exists()]
    path = resolve_model(model)
    return [Target(str(model), path, _runtime(path))]


def _is_export(model: Path) -> bool:
    if not model.is_dir() or (model / "saved_model.pb").exists() or RunFolder(model).is_run:
        return False
    return (model / "model.keras").is_file() or (model / "saved_model").is_dir() or bool(_exchanged(model))


def _exchanged(model: Path) -> list[Path]:
    """The files of an export that other libraries than TensorFlow run."""
    return [*sorted(model.glob("*.tflite")), *sorted(model.glob("*.onnx"))]


def _obstacle(file: Path) -> str | None:
    if _runtime(file) != "onnx" or all(find_spec(package) for package in ("onnx", "onnxruntime")):
        return None
    return "ONNX Runtime is not installed: pip install 'kseg[onnx]'"


def _runtime(path: Path) -> str:
    if path.is_dir():
        return "saved_model"
    return {".tflite": "tflite", ".onnx": "onnx"}.get(path.suffix.lower(), "keras")
