"""Find what to measure: the models of runs, single files, and all artifacts of export folders, by runtime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from kseg.card import read_card
from kseg.errors import UsageError
from kseg.files import content_files, content_sha256
from kseg.inference import RuntimeName, check_runtime, installed_runtimes, own_runtime, resolve_model, suitable_runtimes
from kseg.registry import lookup
from kseg.run_folder import RunFolder

__all__ = ["Target", "find_targets"]

ALL = "all"


@dataclass(frozen=True)
class Target:
    """A model to measure with a runtime.

    Args:
        model: Its name in the results.
        path: The file or folder.
        runtime: What runs it.
        skip_reason: Why it cannot be measured; None if it can.
    """

    model: str
    path: Path
    runtime: RuntimeName
    skip_reason: str | None = None

    @property
    def bytes(self) -> int:
        """The size on disk; of a folder, the sum over its files."""
        return sum(file.stat().st_size for file in content_files(self.path))

    def sha256(self) -> str:
        """The SHA-256 of the file, in hexadecimal; of a folder, of the names and contents of its files."""
        return content_sha256(self.path)


@dataclass(frozen=True)
class _Model:
    name: str
    path: Path
    in_export: bool = False


def find_targets(models: Sequence[Path], runtimes: Sequence[str] | None = None) -> list[Target]:
    """The models at these paths, in their order, each with the runtimes to measure.

    Args:
        models: Run folders, model files, SavedModel or OpenVINO folders, or export folders, which stand for every model
            in them.
        runtimes: The runtimes to measure each model with, of those that run its kind of file; ``["all"]`` for every
            installed one. Defaults to each model's own.

    Returns:
        The targets. Without ``runtimes``, those of export folders whose runtime is not installed have a
        ``skip_reason``.

    Raises:
        ArtifactError: A path is not a model, or kseg did not write it.
        UnknownNameError: There is no such runtime.
        UsageError: There are no paths, a model is named twice, no named runtime runs a model, or one is not installed.
    """
    if not models:
        raise UsageError("no models are named", expected="runs, model files or export folders")
    names = {name: name for name in (ALL, *get_args(RuntimeName))}
    wanted = None if runtimes is None else [lookup(names, name, kind="runtime", where="--runtime") for name in runtimes]
    expanded = [artifact for model in models for artifact in _expand(model)]
    _require_different(expanded)
    return [target for model in expanded for target in _targets(model, wanted)]


def _require_different(models: Sequence[_Model]) -> None:
    paths: set[Path] = set()
    for model in models:
        if model.path.resolve() in paths:
            raise UsageError("the model is named twice", where=str(model.path), remedy="name it once")
        paths.add(model.path.resolve())


def _targets(model: _Model, wanted: Sequence[str] | None) -> Iterator[Target]:
    if wanted is None and model.in_export:
        reason = _skip_reason(model.path)
        if reason is not None:
            yield Target(model.name, model.path, own_runtime(model.path), reason)
            return
    runtimes = _runtimes(model.path, wanted)
    read_card(model.path)
    for runtime in runtimes:
        yield Target(model.name, model.path, runtime)


def _skip_reason(path: Path) -> str | None:
    try:
        check_runtime(path, own_runtime(path))
    except UsageError as error:
        return f"{error.what}: {error.remedy}"
    return None


def _runtimes(path: Path, wanted: Sequence[str] | None) -> Sequence[RuntimeName]:
    """The runtimes to measure a model with. Raises UsageError where one is not installed, or none runs the model."""
    own = own_runtime(path)
    if wanted is None:
        check_runtime(path, own)
        return (own,)
    if ALL in wanted:
        return installed_runtimes(path)
    suitable = [runtime for runtime in suitable_runtimes(path) if runtime in wanted]
    for runtime in suitable or wanted[:1]:
        check_runtime(path, runtime)
    return suitable


def _expand(model: Path) -> Iterator[_Model]:
    if not _is_export(model):
        yield _Model(str(model), resolve_model(model))
        return
    for path in (model / "model.keras", model / "saved_model", *_portable(model)):
        if path.exists():
            yield _Model(str(path), path, in_export=True)


def _is_export(model: Path) -> bool:
    if not model.is_dir() or RunFolder(model).is_run:
        return False
    if any((model / name).exists() for name in ("saved_model.pb", "model.xml")):
        return False
    return (model / "model.keras").is_file() or (model / "saved_model").is_dir() or bool(_portable(model))


def _portable(model: Path) -> list[Path]:
    """The ``.tflite`` and ``.onnx`` files and the OpenVINO folders of an export folder."""
    networks = sorted(model.glob("*/model.xml"))
    return [*sorted(model.glob("*.tflite")), *sorted(model.glob("*.onnx")), *(network.parent for network in networks)]
