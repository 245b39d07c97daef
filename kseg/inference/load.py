"""From a path to a `Predictor`: which file is meant, what kind it is, which runtime runs it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from kseg.card import read_card
from kseg.errors import ArtifactError
from kseg.inference.predictor import Predictor, with_mirror
from kseg.inference.windows import check_zoom

__all__ = ["RUNTIMES", "Device", "find_run", "load_predictor", "resolve_model"]

Device = Literal["auto", "cpu", "gpu"]

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
_BEST = Path("weights") / "best.keras"


def load_predictor(
    path: str | Path,
    *,
    device: Device = "auto",
    threads: int | None = None,
    flip: bool = False,
    zoom: float = 1.0,
    min_area: Mapping[int, int] = MappingProxyType({}),
) -> Predictor:
    """Load a model for prediction.

    Args:
        path: A run folder, a ``.keras``, ``.tflite`` or ``.onnx`` file, or a SavedModel folder, as kseg writes them.
        device: Where to run: ``auto`` takes a GPU if the runtime sees one.
        threads: CPU threads; None leaves it to the runtime.
        flip: Ask it about the mirror image, too, and take the mean: a little better, at twice the time.
        zoom: Above 1, ask it about the image enlarged so many times, too, in windows: finds smaller things, at several
            times the time; see `zoomed_scores`.
        min_area: Class id → the least pixels of a region; see `Predictor`.

    Raises:
        ArtifactError: There is no such model, or it is corrupt, not kseg's, or of no known kind.
        UsageError: The zoom is not in 1..4, a GPU is asked for and there is none, or the runtime's extra of kseg is not
            installed.
    """
    check_zoom(zoom)
    model = resolve_model(path)
    kind = _kind(model)
    card = read_card(model)
    run = import_module(RUNTIMES[kind]).load(model, card, device=device, threads=threads)
    return Predictor(with_mirror(run) if flip else run, card, min_area, zoom)


def resolve_model(path: str | Path) -> Path:
    """The model that a path means: a run folder stands for its best weights, all else for itself.

    Raises:
        ArtifactError: There is no such file or folder, or the folder holds no one model.
    """
    path = Path(path)
    if not path.exists():
        raise ArtifactError("no such model", where=str(path), expected=_KINDS)
    if not path.is_dir() or (path / "saved_model.pb").is_file():
        return path
    if (path / _BEST).is_file():
        return path / _BEST
    raise _no_model(path)


def _no_model(folder: Path) -> ArtifactError:
    if (folder / "args.yaml").is_file():
        last = folder / _BEST.with_name("last.keras")
        return ArtifactError(
            "the run has no best weights (yet)", where=str(folder), expected=str(_BEST),
            remedy=f"take {last}" if last.is_file() else "train it first: kseg fit",
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


def find_run(path: str | Path) -> Path | None:
    """The run folder that a model lies in, or that the path is; None if it lies in none."""
    path = Path(path)
    # runs/fit/NAME/weights/best.keras: the run is two levels up.
    for folder in (path, path.absolute().parent, path.absolute().parent.parent):
        if (folder / "args.yaml").is_file() and (folder / "data.json").is_file():
            return folder
    return None
