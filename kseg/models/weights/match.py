"""The arrays of a file for the weights of a network: all of them fit, or an error lists what does not."""

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


def fit(
    slots: Sequence[Slot], arrays: Mapping[str, Array], path: Path, *, ignorable: Callable[[str], bool]
) -> list[Array]:
    """The array of each slot, float32 and in Keras' order of axes.

    Args:
        slots: The network's weights.
        arrays: The file's arrays by name.
        path: The file, for the message.
        ignorable: Whether an array of this name may be left over, such as a classifier's.

    Raises:
        ArtifactError: Arrays are missing, of another shape, or of another network.
    """
    by_name = {slot.name: slot for slot in slots}
    missing = [name for name in by_name if name not in arrays]
    unexpected = [name for name in arrays if name not in by_name and not ignorable(name)]
    shapes = {name: (arrays[name].shape, slot.stored) for name, slot in by_name.items() if name in arrays}
    reshaped = [f"{name} {shape} for {stored}" for name, (shape, stored) in shapes.items() if shape != stored]
    if missing or unexpected or reshaped:
        raise mismatch(path, missing, unexpected, reshaped, len(slots))
    ordered = [arrays[slot.name] if slot.axes is None else arrays[slot.name].transpose(slot.axes) for slot in slots]
    return [np.asarray(array, dtype=np.float32) for array in ordered]


def mismatch(
    path: Path, missing: Sequence[str], unexpected: Sequence[str], reshaped: Sequence[str], total: int
) -> ArtifactError:
    """The error that lists what does not match, the first few of each kind.

    Args:
        path: The file.
        missing: Arrays that the network needs and the file lacks.
        unexpected: Arrays that only the file has.
        reshaped: Arrays of another shape, each with both shapes.
        total: How many arrays the network needs.
    """
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": reshaped}
    return ArtifactError(
        "the weights are not this network's, or not all of them", where=str(path),
        expected=f"{total} arrays, by name and shape",
        found=", ".join(f"{len(names)} {kind} ({_listed(names)})" for kind, names in kinds.items() if names),
    )  # fmt: skip


def _listed(names: Iterable[str]) -> str:
    return abbreviate(name[:100] for name in names)
