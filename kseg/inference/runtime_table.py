"""Which runtimes there are, which kinds of files each runs, and which are installed. Imports none of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

from kseg.errors import ArtifactError, UsageError, missing_extra
from kseg.registry import lookup

__all__ = [
    "CPU_ONLY", "DISTRIBUTIONS", "KINDS", "OPENVINO_NETWORK", "RUNTIMES", "ArtifactKind", "RuntimeChoice",
    "RuntimeName", "artifact_kind", "check_runtime", "installed_runtimes", "own_runtime",
    "suitable_runtimes",
]  # fmt: skip

RuntimeName = Literal["keras", "saved_model", "litert", "onnxruntime", "openvino"]
RuntimeChoice = Literal["auto", RuntimeName]
ArtifactKind = Literal["keras", "saved_model", "tflite", "onnx", "openvino"]

RUNTIMES: Final[Mapping[RuntimeName, str]] = {
    "keras": "kseg.inference.runtimes.keras",
    "saved_model": "kseg.inference.runtimes.saved_model",
    "litert": "kseg.inference.runtimes.litert",
    "onnxruntime": "kseg.inference.runtimes.onnxruntime",
    "openvino": "kseg.inference.runtimes.openvino",
}
"""Runtime → the module whose ``load(path, card, device=, threads=)`` loads a file into it.

Names of modules, so that only the runtime that is needed is imported: importing TensorFlow takes seconds.
"""

_RUNTIMES_OF: Final[Mapping[ArtifactKind, tuple[RuntimeName, ...]]] = {
    "keras": ("keras",),
    "saved_model": ("saved_model",),
    "tflite": ("litert", "openvino"),
    "onnx": ("onnxruntime", "openvino"),
    "openvino": ("openvino",),
}
"""Kind of file → the runtimes that run it, its own first."""

CPU_ONLY: Final[Mapping[str, str]] = {"litert": "LiteRT", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
"""Runtimes that kseg runs on the CPU only → their names in messages."""


DISTRIBUTIONS: Final[Mapping[RuntimeName, tuple[str, ...]]] = {
    "keras": ("tensorflow", "tensorflow-cpu"),
    "saved_model": ("tensorflow", "tensorflow-cpu"),
    "litert": ("ai-edge-litert",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
}
"""Runtime → the names under which package indexes have it."""


class _Package(NamedTuple):
    module: str
    title: str
    extra: str


_OPTIONAL: Final[Mapping[str, _Package]] = {
    "onnxruntime": _Package("onnxruntime", "ONNX Runtime", "onnx"),
    "openvino": _Package("openvino", "OpenVINO", "openvino"),
}
"""Runtimes that an extra of kseg installs; the others come with kseg."""

OPENVINO_NETWORK: Final = "model.xml"
"""The file of an OpenVINO folder that holds the network; the weights are in the ``.bin`` beside it."""

KINDS: Final = "a run folder, a .keras, .tflite or .onnx file, or a SavedModel or OpenVINO folder"


def artifact_kind(model: Path) -> ArtifactKind:
    """The kind of a model file or folder, by its name and, for a folder, by what is in it.

    Raises:
        ArtifactError: It is of none of the kinds that kseg runs.
    """
    if model.is_dir():
        return "openvino" if (model / OPENVINO_NETWORK).is_file() else "saved_model"
    kinds: Mapping[str, ArtifactKind] = {
        ".keras": "keras", ".tflite": "tflite", ".onnx": "onnx", ".xml": "openvino",
    }  # fmt: skip
    kind = kinds.get(model.suffix.lower())
    if kind is None:
        raise ArtifactError(
            "not a kind of model that kseg runs", where=str(model), expected=KINDS,
            found=f"a file with the suffix {model.suffix!r}",
        )  # fmt: skip
    return kind


def own_runtime(model: Path) -> RuntimeName:
    """The runtime that a kind of file was made for. Raises ArtifactError for other kinds."""
    return suitable_runtimes(model)[0]


def suitable_runtimes(model: Path) -> tuple[RuntimeName, ...]:
    """The runtimes for a kind of file, installed or not, its own first. Raises ArtifactError for other kinds."""
    return _RUNTIMES_OF[artifact_kind(model)]


def installed_runtimes(model: Path) -> tuple[RuntimeName, ...]:
    """The installed runtimes that run a file, its own first. Raises ArtifactError for other kinds."""
    return tuple(runtime for runtime in suitable_runtimes(model) if _is_installed(runtime))


def check_runtime(model: Path, runtime: str) -> RuntimeChoice:
    """Check that ``runtime`` (or ``auto``) can run a file here.

    Raises:
        ArtifactError: The file is of none of the kinds that kseg runs.
        UnknownNameError: There is no such runtime.
        UsageError: The runtime does not run this kind of file, or the extra of kseg that installs it is missing.
    """
    names = dict.fromkeys(get_args(RuntimeName))
    choice: RuntimeChoice = lookup(
        {name: name for name in ("auto", *names)}, runtime, kind="runtime", where="--runtime"
    )
    suitable = suitable_runtimes(model)
    if choice == "auto":
        return choice
    if choice not in suitable:
        raise UsageError(
            "this runtime does not run this kind of file", where="--runtime", expected=" or ".join(suitable),
            found=f"{choice} for {model}", remedy=f"use --runtime {suitable[0]}, or leave --runtime out",
        )  # fmt: skip
    if not _is_installed(choice):
        package = _OPTIONAL[choice]
        raise missing_extra(package.extra, f"{package.title} is not installed", where=str(model))
    return choice


def _is_installed(runtime: str) -> bool:
    return runtime not in _OPTIONAL or find_spec(_OPTIONAL[runtime].module) is not None
