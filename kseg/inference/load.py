"""From a path to a `Predictor`: find the model, check the options of the prediction, load the runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from kseg.card import CardContradiction, ModelCard
from kseg.errors import ArtifactError, UsageError
from kseg.inference.choose_runtime import choose_runtime
from kseg.inference.copies import Copies, number_of_copies
from kseg.inference.no_card import card_of, check_scores, misfit
from kseg.inference.predictor import Predictor, Run, with_flip
from kseg.inference.regions import parse_min_area
from kseg.inference.runtime_table import (
    CPU_ONLY,
    KINDS,
    OPENVINO_NETWORK,
    RUNTIMES,
    RuntimeChoice,
    RuntimeName,
    check_runtime,
    own_runtime,
)
from kseg.inference.runtimes.failures import guarded
from kseg.inference.saturation import warn_of_saturation
from kseg.inference.windows import check_zoom
from kseg.processor import usable_cores
from kseg.registry import lookup
from kseg.run_folder import RunFolder
from kseg.sizes import Size
from kseg.tensorflow_runtime import DeviceName

__all__ = ["PredictionPlan", "check_threshold", "load_predictor", "resolve_model"]


@dataclass(frozen=True)
class PredictionPlan:
    """A model and the options of its predictions, checked before a runtime is loaded, which takes seconds.

    Args:
        model: The model's file or folder.
        card: Its card.
        runtime: What runs it; ``auto`` is chosen when it is loaded, see `choose_runtime`.
        device: The device: ``auto`` is a GPU if the runtime sees one.
        threads: The number of CPU threads; None leaves it to the runtime.
        threshold: Pixels with at least this score are foreground (binary models); None takes the card's.
        flip: Also predict the mirror image, and average the scores: slightly better, at twice the time.
        zoom: Above 1, also predict the image enlarged by this factor, in windows; see `zoomed_scores`.
        min_area: Class id → the smallest area of a region in pixels; see `Predictor`.
        declared: Whether the file has no card, and ``card`` is what the caller said of it; see `card_of`.
    """

    model: Path
    card: ModelCard
    runtime: RuntimeChoice
    device: DeviceName = "auto"
    threads: int | None = None
    threshold: float | None = None
    flip: bool = False
    zoom: float = 1.0
    min_area: Mapping[int, int] = field(default_factory=dict)
    declared: bool = False

    @classmethod
    def make(
        cls,
        path: str | os.PathLike[str],
        *,
        runtime: str | None = None,
        device: DeviceName = "auto",
        threads: int | None = None,
        threshold: float | None = None,
        flip: bool = False,
        zoom: float = 1.0,
        min_area: Sequence[str] = (),
        size: Size | None = None,
        classes: Sequence[str] | None = None,
    ) -> PredictionPlan:
        """Find the model, read its card and check the options.

        Args:
            path: A run folder, a ``.keras``, ``.tflite`` or ``.onnx`` file, or a SavedModel or OpenVINO folder, as kseg
                writes them.
            runtime: A name of `RUNTIMES`, or ``auto``. Defaults to the file's own runtime: Keras for a ``.keras`` file,
                LiteRT for a ``.tflite`` file, …
            device: As in `PredictionPlan`; so are ``threads``, ``threshold``, ``flip`` and ``zoom``.
            min_area: As `parse_min_area` reads it: ``50``, ``car=50``.
            size: Height and width of the network's input, for a model without a card only.
            classes: The names of its classes, for such a model only; see `card_of`.

        Raises:
            ArtifactError: There is no such model, or it is corrupt, not kseg's, or of an unknown kind.
            UnknownNameError: There is no such device or runtime.
            UsageError: The threshold, the zoom or an area is out of range, the runtime does not run this kind of file,
                or an extra of kseg is missing.
        """
        model = resolve_model(path)
        choice = check_runtime(model, own_runtime(model) if runtime is None else runtime)
        card = card_of(model, size, classes)
        lookup(dict.fromkeys(get_args(DeviceName), True), device, kind="device", where="--device")
        check_threshold(card, threshold)
        check_zoom(zoom)
        areas = parse_min_area(min_area, card.labels)
        return cls(model, card, choice, device, threads, threshold, flip, zoom, areas, declared=size is not None)

    def with_runtime(self, pictures: int | None = None) -> PredictionPlan:
        """The plan with a runtime in the place of ``auto``; ``pictures`` as in `choose_runtime`."""
        if self.runtime != "auto":
            return self
        runtime = choose_runtime(self.model, self.card, device=self.device, threads=self.threads, pictures=pictures)
        return replace(self, runtime=runtime)

    def load(self, *, pictures: int = 1) -> Predictor:
        """Load the model into its runtime.

        Args:
            pictures: The number of pictures that will be predicted. For many, `Copies` of the network are loaded, which
                share the threads. Keras and TensorFlow distribute their work themselves: of them there is one.

        Raises:
            ArtifactError: The model is corrupt.
            UsageError: A GPU is asked for and there is none, or the runtime's extra of kseg is not installed.
        """
        if self.runtime == "auto":
            return self.with_runtime(pictures).load(pictures=pictures)
        runtime = self.runtime
        warn_of_saturation(self.model, runtime, self.card)
        count = number_of_copies(pictures, self.threads) if runtime in CPU_ONLY else 1
        threads = self.threads if count == 1 else (self.threads or usable_cores()) // count
        runs = [self._run(runtime, threads) for _ in range(count)]
        run = Copies([with_flip(run) if self.flip else run for run in runs])
        return Predictor(run, self.card, self.min_area, self.zoom, self.threshold)

    def _run(self, runtime: RuntimeName, threads: int | None) -> Run:
        load = import_module(RUNTIMES[runtime]).load
        try:
            run: Run = load(self.model, self.card, device=self.device, threads=threads)
        except CardContradiction as error:
            raise misfit(error, self.card) if self.declared else error from None
        run = guarded(run, self.model)
        return check_scores(run, self.model) if self.declared else run

    def settings(self) -> dict[str, Any]:
        """What the scores depend on, as plain JSON: ``runtime``, ``flip``, ``zoom`` and ``min_area`` (by name)."""
        areas = {self.card.labels.names[k]: pixels for k, pixels in self.min_area.items()}
        return {"runtime": self.runtime, "flip": self.flip, "zoom": self.zoom, "min_area": areas}


def load_predictor(path: str | os.PathLike[str], **options: Any) -> Predictor:
    """Load a model for prediction; arguments and errors are those of `PredictionPlan.make`."""
    return PredictionPlan.make(path, **options).load()


def check_threshold(card: ModelCard, threshold: float | None) -> None:
    """Check a threshold that the user asks for; None is always right.

    Raises:
        UsageError: It is outside 0..1, or the model has several score channels, whose argmax needs no threshold.
    """
    if threshold is None:
        return
    if not 0.0 <= threshold <= 1.0:
        raise UsageError("not a threshold", where="--threshold", expected="a number in 0..1", found=str(threshold))
    if card.channels > 1:
        raise UsageError(
            "this model takes no threshold", where="--threshold",
            found=f"{card.channels} classes ({', '.join(card.labels.names)}), of which the highest score wins",
            remedy="leave it out; a threshold is for background and one class",
        )  # fmt: skip


def resolve_model(path: str | os.PathLike[str]) -> Path:
    """The file or folder of the model: best.keras of a run folder, otherwise the path itself.

    The ``model.xml`` of an OpenVINO folder stands for the folder.

    Raises:
        ArtifactError: There is no such file or folder, or the folder is neither a run with best.keras nor a model.
    """
    path = Path(path)
    if not path.exists():
        raise ArtifactError("no such model", where=str(path), expected=KINDS)
    if path.name == OPENVINO_NETWORK:
        return path.parent
    if not path.is_dir() or _is_model_folder(path):
        return path
    if RunFolder(path).best.is_file():
        return RunFolder(path).best
    raise _no_model(path)


def _is_model_folder(path: Path) -> bool:
    return any((path / name).is_file() for name in ("saved_model.pb", OPENVINO_NETWORK))


def _no_model(folder: Path) -> ArtifactError:
    run = RunFolder(folder)
    if run.is_run:
        return ArtifactError(
            "the run has no best weights (yet)", where=str(folder), expected=str(run.best.relative_to(folder)),
            remedy=f"take {run.last}" if run.last.is_file()
            else f"train it first: {run.new_run_command()}",
        )  # fmt: skip
    inside = sorted(p for p in folder.iterdir() if p.suffix in (".keras", ".tflite", ".onnx") or _is_model_folder(p))
    return ArtifactError(
        "the folder is no model", where=str(folder), expected="a run folder, or a SavedModel or OpenVINO folder",
        remedy=f"did you mean {' or '.join(map(str, inside))}?" if inside else None,
    )  # fmt: skip
