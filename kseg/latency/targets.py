"""Find the models to measure: of runs, single files, and all artifacts of export folders."""

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
    """A model to measure.

    Args:
        model: Its name in the results.
        path: The file or SavedModel folder.
        runtime: ``keras``, ``saved_model``, ``tflite`` or ``onnx``.
        skip_reason: Why it cannot be measured; None if it can.
    """

    model: str
    path: Path
    runtime: str
    skip_reason: str | None = None

    @property
    def bytes(self) -> int:
        """The size on disk; of a folder, the sum over its files."""
        return sum(file.stat().st_size for file in self._files())

    def sha256(self) -> str:
        """The SHA-256 of the file, in hexadecimal; of a folder, of the names and contents of its files."""
        digest = hashlib.sha256()
        for file in self._files():
            if file != self.path:
                digest.update(file.relative_to(self.path).as_posix().encode())
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def _files(self) -> list[Path]:
        return sorted(f for f in self.path.rglob("*") if f.is_file()) if self.path.is_dir() else [self.path]


def find_targets(models: Sequence[Path]) -> list[Target]:
    """The models at these paths, in their order.

    Args:
        models: Run folders, model files, SavedModel folders, or export folders, which stand for every model in them.

    Returns:
        The models. ``.onnx`` files of export folders have a ``skip_reason`` if kseg's extra ``onnx`` is not installed.

    Raises:
        ArtifactError: A path is not a model, or kseg did not write it.
        UsageError: There are no paths, a model is named twice, or an ``.onnx`` file is named and kseg's extra
            ``onnx`` is not installed.
    """
    if not models:
        raise UsageError("no models are named", expected="runs, model files or export folders")
    targets = [target for model in models for target in _expand(model)]
    paths: set[Path] = set()
    for target in targets:
        if target.path.resolve() in paths:
            raise UsageError("the model is named twice", where=str(target.path), remedy="name it once")
        paths.add(target.path.resolve())
        if target.skip_reason is None:
            read_card(target.path)
    return targets


def _expand(model: Path) -> Iterable[Target]:
    if _is_export(model):
        files = [model / "model.keras", model / "saved_model", *_portable_files(model)]
        return [Target(str(file), file, _runtime(file), _skip_reason(file)) for file in files if file.exists()]
    path = resolve_model(model)
    return [Target(str(model), path, _runtime(path))]


def _is_export(model: Path) -> bool:
    if not model.is_dir() or (model / "saved_model.pb").exists() or RunFolder(model).is_run:
        return False
    return (model / "model.keras").is_file() or (model / "saved_model").is_dir() or bool(_portable_files(model))


def _portable_files(model: Path) -> list[Path]:
    """The ``.tflite`` and ``.onnx`` files of an export folder."""
    return [*sorted(model.glob("*.tflite")), *sorted(model.glob("*.onnx"))]


def _skip_reason(file: Path) -> str | None:
    if _runtime(file) != "onnx" or all(find_spec(package) for package in ("onnx", "onnxruntime")):
        return None
    return "ONNX Runtime is not installed: pip install 'kseg[onnx]'"


def _runtime(path: Path) -> str:
    if path.is_dir():
        return "saved_model"
    return {".tflite": "tflite", ".onnx": "onnx"}.get(path.suffix.lower(), "keras")
