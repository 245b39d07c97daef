"""From a path to a `Predictor`: which model is meant, how it is asked, which runtime runs it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final, get_args

from kseg.card import ModelCard, read_card
from kseg.errors import ArtifactError, UsageError
from kseg.inference.predictor import Predictor, with_mirror
from kseg.inference.regions import parse_min_area
from kseg.inference.windows import check_zoom
from kseg.registry import lookup
from kseg.run_folder import RunFolder
from kseg.tensorflow_runtime import DeviceName

__all__ = ["RUNTIMES", "PredictionPlan", "load_predictor", "resolve_model"]

RUNTIMES: Final = {
    "keras": "kseg.inference.runtimes.keras",
    "saved_model": "kseg.inference.runtimes.saved_model",
    "tflite": "kseg.inference.runtimes.litert",
    "onnx": "kseg.inference.runtimes.onnxruntime",
}
"""Kind of artifact → the module whose ``load(path, card, device=, threads=)`` runs it.

Names, not modules: only the runtime that is needed may be imported, since one costs seconds and others need no
TensorFlow at all.
"""

_KINDS: Final = "a run folder, a .keras, .tflite or .onnx file, or a SavedModel folder"


@dataclass(frozen=True)
class PredictionPlan:
    """A model and how it is asked, checked before a runtime loads for seconds.

    Args:
        model: The model's file or folder.
        card: Its card.
        device: Where to run: ``auto`` takes a GPU if the runtime sees one.
        threads: CPU threads; None leaves it to the runtime.
        threshold: The score from which on a pixel is foreground (binary models); None for the card's.
        flip: Ask about the mirror image, too, and take the mean: a little better, at twice the time.
        zoom: Above 1, ask about the image enlarged so many times, too, in windows; see `zoomed_scores`.
        min_area: Class id → the least pixels of a region; see `Predictor`.
    """

    model: Path
    card: ModelCard
    device: DeviceName = "auto"
    threads: int | None = None
    threshold: float | None = None
    flip: bool = False
    zoom: float = 1.0
    min_area: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def make(
        cls,
        path: str | os.PathLike[str],
        *,
        device: DeviceName = "auto",
        threads: int | None = None,
        threshold: float | None = None,
        flip: bool = False,
        zoom: float = 1.0,
        min_area: Sequence[str] = (),
    ) -> PredictionPlan:
        """Find the model and check everything that is asked of it.

        Args:
            path: A run folder, a ``.keras``, ``.tflite`` or ``.onnx`` file, or a SavedModel folder, as kseg writes
                them.
            min_area: As `parse_min_area` reads it: ``50``, ``car=50``. The other arguments are those of the plan.

        Raises:
            ArtifactError: There is no such model, or it is corrupt, not kseg's, or of no known kind.
            UnknownNameError: There is no such device.
            UsageError: The threshold, the zoom or an area is out of range, or kseg's extra ``onnx`` is missing.
        """
        model = resolve_model(path)
        _kind(model)
        card = read_card(model)
        lookup(dict.fromkeys(get_args(DeviceName), True), device, kind="device", where="--device")
        check_threshold(card, threshold)
        check_zoom(zoom)
        areas = parse_min_area(min_area, card.labels)
        return cls(model, card, device, threads, threshold, flip, zoom, areas)

    def load(self) -> Predictor:
        """Load the model into its runtime.

        Raises:
            ArtifactError: The model is corrupt.
            UsageError: A GPU is asked for and there is none, or the runtime's extra of kseg is not installed.
        """
        runtime = import_module(RUNTIMES[_kind(self.model)])
        run = runtime.load(self.model, self.card, device=self.device, threads=self.threads)
        return Predictor(with_mirror(run) if self.flip else run, self.card, self.min_area, self.zoom, self.threshold)

    def settings(self) -> dict[str, Any]:
        """What is done beyond running the network once, as plain JSON types: ``flip``, ``zoom`` and ``min_area``."""
        areas = {self.card.labels.names[k]: pixels for k, pixels in self.min_area.items()}
        return {"flip": self.flip, "zoom": self.zoom, "min_area": areas}


def load_predictor(path: str | os.PathLike[str], **options: Any) -> Predictor:
    """Load a model for prediction; arguments and errors are those of `PredictionPlan.make`."""
    return PredictionPlan.make(path, **options).load()


def check_threshold(card: ModelCard, threshold: float | None) -> None:
    """See that a threshold that the user asks for means something.

    Raises:
        UsageError: It is outside 0..1, or the model chooses among its classes without a threshold.
    """
    if threshold is None:
        return
    if not 0.0 <= threshold <= 1.0:
        raise UsageError("not a threshold", where="--threshold", expected="a number in 0..1", found=str(threshold))
    if card.channels > 1:
        raise UsageError(
            "this model takes no threshold", where="--threshold",
            found=f"{card.channels} classes ({', '.join(card.labels.names)}), of which the best scored wins",
            remedy="leave it out; a threshold is for background and one class",
        )  # fmt: skip


def resolve_model(path: str | os.PathLike[str]) -> Path:
    """The model that a path means: a run folder stands for its best weights, all else for itself.

    Raises:
        ArtifactError: There is no such file or folder, or the folder holds no one model.
    """
    path = Path(path)
    if not path.exists():
        raise ArtifactError("no such model", where=str(path), expected=_KINDS)
    if not path.is_dir() or (path / "saved_model.pb").is_file():
        return path
    if RunFolder(path).best.is_file():
        return RunFolder(path).best
    raise _no_model(path)


def _no_model(folder: Path) -> ArtifactError:
    run = RunFolder(folder)
    if run.is_run:
        return ArtifactError(
            "the run has no best weights (yet)", where=str(folder), expected=str(run.best.relative_to(folder)),
            remedy=f"take {run.last}" if run.last.is_file() else "train it first: kseg fit",
        )  # fmt: skip
    inside = sorted(
        p for p in folder.iterdir() if p.suffix in (".keras", ".tflite", ".onnx") or (p / "saved_model.pb").is_file()
    )
    return ArtifactError(
        "the folder is no model", where=str(folder), expected="a run folder or a SavedModel folder",
        remedy=f"did you mean {' or '.join(map(str, inside))}?" if inside else None,
    )  # fmt: skip


def _kind(model: Path) -> str:
    if model.is_dir():
        return "saved_model"
    kind = model.suffix.lower().removeprefix(".")
    if kind not in RUNTIMES:
        raise ArtifactError(
            "not a kind of model that kseg runs", where=str(model),
            expected=_KINDS,
            found=f"a file with the suffix {model.suffix!r}",
        )  # fmt: skip
    return kind
