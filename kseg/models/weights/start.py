"""Start a training from a network that kseg trained before."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from kseg.errors import ArtifactError
from kseg.models.files import load_model
from kseg.models.weights.match import mismatch
from kseg.models.weights.source import start_file

__all__ = ["start_from"]

_HEAD: Final = "logits"
"""The name of the one layer that depends on the classes."""


def start_from(model: Any, place: Path) -> str:
    """Copy the weights of a network of the same structure, whatever its classes; all of them, or none.

    Args:
        model: As `kseg.models.build_model` makes it.
        place: A ``.keras`` file or a run folder.

    Returns:
        One line that says which arrays were copied and which were not.

    Raises:
        ArtifactError: No such model, damaged, or of another structure; the message lists what does not match.
    """
    path = start_file(place)
    saved, _ = load_model(path)
    source = {weight.path: weight for weight in saved.weights}
    target = {weight.path: weight for weight in model.weights}
    _check(path, source, target)
    if saved.name != model.name:
        # An EfficientNet and its tf_ namesake have the same arrays.
        raise ArtifactError(
            "the arrays fit, but are another network's", where=str(path), expected=model.name, found=saved.name,
            remedy="set model.arch and model.encoder as they were",
        )  # fmt: skip
    random = [name for name in target if name not in source or source[name].shape != target[name].shape]
    for name in target.keys() - set(random):
        target[name].assign(source[name])
    head = f"all but the head's {len(random)}" if random else "the head's among them"
    return f"{len(target) - len(random)} of {len(target)} arrays from {path}, {head}"


def _check(path: Path, source: dict[str, Any], target: dict[str, Any]) -> None:
    """Raise ArtifactError unless all arrays but the head's have the same names and shapes."""
    missing = [name for name in target if name not in source and not _is_head(name)]
    unexpected = [name for name in source if name not in target and not _is_head(name)]
    reshaped = [
        f"{name} {tuple(source[name].shape)} for {tuple(weight.shape)}"
        for name, weight in target.items()
        if name in source and source[name].shape != weight.shape and not _is_head(name)
    ]
    if missing or unexpected or reshaped:
        raise mismatch(path, missing, unexpected, reshaped, sum(not _is_head(name) for name in target))


def _is_head(name: str) -> bool:
    return name.split("/")[0] == _HEAD
