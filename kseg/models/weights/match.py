"""Arrays of a file beside the weights of a network: everything fits, or an error lists what does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.errors import ArtifactError, abbreviate

__all__ = ["Array", "Slot", "fit", "mismatch"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Slot:
    """One weight of a network, and the array of a file that belongs there.

    Args:
        name: The array's name in the file.
        shape: The weight's shape, as Keras has it.
        axes: The array's axes in the order in which Keras has them; None: the same order.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[int, ...] | None = None

    @property
    def stored(self) -> tuple[int, ...]:
        """The array's shape, as the file has it."""
        if self.axes is None:
            return self.shape
        return tuple(self.shape[self.axes.index(axis)] for axis in range(len(self.axes)))


def fit(slots: Sequence[Slot], given: Mapping[str, Array], path: Path, *, spare: Callable[[str], bool]) -> list[Array]:
    """The array of each slot, float32 and in Keras' order of axes.

    Args:
        slots: What the network wants.
        given: What the file holds, by name.
        path: The file, for the message.
        spare: Whether an array that no slot wants may be there, such as a classifier's.

    Raises:
        ArtifactError: Arrays are missing, of another shape, or of another network.
    """
    wanted = {slot.name: slot for slot in slots}
    missing = [name for name in wanted if name not in given]
    unexpected = [name for name in given if name not in wanted and not spare(name)]
    shapes = {name: (slot.stored, given[name].shape) for name, slot in wanted.items() if name in given}
    reshaped = [f"{name} {found} for {stored}" for name, (stored, found) in shapes.items() if stored != found]
    if missing or unexpected or reshaped:
        raise mismatch(path, missing, unexpected, reshaped, len(slots))
    found = [given[slot.name] if slot.axes is None else given[slot.name].transpose(slot.axes) for slot in slots]
    return [np.asarray(array, dtype=np.float32) for array in found]


def mismatch(
    path: Path, missing: Sequence[str], unexpected: Sequence[str], reshaped: Sequence[str], total: int
) -> ArtifactError:
    """The error that lists what does not match, the first few of each kind.

    Args:
        path: The file.
        missing: Arrays that the network wants and the file lacks.
        unexpected: Arrays that only the file has.
        reshaped: Arrays of another shape, each with both.
        total: How many arrays the network wants.
    """
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": reshaped}
    return ArtifactError(
        "the weights are not this network's, or not all of them", where=str(path),
        expected=f"{total} arrays, by name and shape",
        found=", ".join(f"{len(names)} {kind} ({_listed(names)})" for kind, names in kinds.items() if names),
    )  # fmt: skip


def _listed(names: Iterable[str]) -> str:
    return abbreviate(name[:100] for name in names)
