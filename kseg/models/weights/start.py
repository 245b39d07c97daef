"""A training that starts from a network that kseg trained before."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from kseg.errors import ArtifactError
from kseg.models.files import load_model
from kseg.models.weights.match import mismatch
from kseg.models.weights.source import start_file

__all__ = ["start_from"]

_HEAD: Final = "logits"
"""The one layer that depends on the classes."""


def start_from(model: Any, place: Path) -> str:
    """Give a network the weights of another one of the same structure, whatever its classes; all of them, or none.

    Args:
        model: As `kseg.models.build_model` makes it.
        place: A ``.keras`` file or a run folder.

    Returns:
        One line on what was taken and what was not.

    Raises:
        ArtifactError: No such model, damaged, or of another structure; the message lists what does not match.
    """
    path = start_file(place)
    saved, _ = load_model(path)
    given = {weight.path: weight for weight in saved.weights}
    wanted = {weight.path: weight for weight in model.weights}
    _check(path, given, wanted)
    if saved.name != model.name:
        # An EfficientNet and its tf_ namesake have the same arrays.
        raise ArtifactError(
            "the arrays fit, but are another network's", where=str(path), expected=model.name, found=saved.name,
            remedy="set model.arch and model.encoder as they were",
        )  # fmt: skip
    left = [name for name in wanted if name not in given or given[name].shape != wanted[name].shape]
    for name in wanted.keys() - set(left):
        wanted[name].assign(given[name])
    head = f"all but the head's {len(left)}" if left else "the head's among them"
    return f"{len(wanted) - len(left)} of {len(wanted)} arrays from {path}, {head}"


def _check(path: Path, given: dict[str, Any], wanted: dict[str, Any]) -> None:
    missing, unexpected = (
        [name for name in ours if name not in others and not _is_head(name)]
        for ours, others in ((wanted, given), (given, wanted))
    )
    reshaped = [
        f"{name} {tuple(given[name].shape)} for {tuple(weight.shape)}"
        for name, weight in wanted.items()
        if name in given and given[name].shape != weight.shape and not _is_head(name)
    ]
    if missing or unexpected or reshaped:
        raise mismatch(path, missing, unexpected, reshaped, sum(not _is_head(name) for name in wanted))


def _is_head(name: str) -> bool:
    return name.split("/")[0] == _HEAD
