"""What a stopped training needs to go on as if it had never been stopped: ``weights/training.npz``.

Besides the weights these are the optimiser's moments and its place in the schedule, the best score so far, the epochs
without a better one, and the rows of results.csv. The order of the images and their variations follow from the seed and
the number of steps (`kseg.data.pipeline`), so they need no place here.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np
import numpy.typing as npt

from kseg.errors import ArtifactError
from kseg.files import write_aside
from kseg.training.writer import Writer

__all__ = ["Memory", "Remembers", "StateKeeper", "TrainingState", "read_state", "restore", "save_state"]

Arrays = Sequence[npt.NDArray[Any]]
Memory = Mapping[str, Any]
"""What a callback must not forget: plain data for JSON, and lists of arrays."""

_FORMAT = "kseg training 1"


@runtime_checkable
class Remembers(Protocol):
    """A callback that must not begin anew where a training goes on."""

    def remember(self) -> Memory:
        """What it knows at the end of an epoch."""

    def recall(self, memory: Memory) -> None:
        """Know that again, before the training begins."""


@dataclass(frozen=True)
class TrainingState:
    """A training between two epochs.

    Args:
        epoch: How many epochs are done.
        data: The fingerprint of the data set.
        network: All variables of the network under training, in Keras' order.
        optimizer: Those of the optimiser.
        memories: By the name of its class, what each callback knows.
    """

    epoch: int
    data: str
    network: Arrays
    optimizer: Arrays
    memories: Mapping[str, Memory]


class StateKeeper(keras.callbacks.Callback):
    """Writes the state after each epoch, and takes it away when the training has ended. It comes after all others.

    Args:
        path: Where it is written.
        data: The fingerprint of the data set.
        writer: Writes the checkpoints, too: the state of an epoch must not be there before them.
        callbacks: Those that are asked what they know.
    """

    def __init__(self, path: Path, data: str, writer: Writer, callbacks: Iterable[keras.callbacks.Callback]) -> None:
        super().__init__()
        self.path = path
        self.data = data
        self.writer = writer
        self.others = _remembering(callbacks)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Take the state and have it written."""
        del logs
        memories = {name: one.remember() for name, one in self.others.items()}
        state = TrainingState(
            epoch + 1, self.data, _values(self.model.variables), _values(self.model.optimizer.variables), memories
        )
        self.writer.submit(lambda: save_state(self.path, state))

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """What has ended cannot go on, and the file is several times as large as the network's."""
        del logs
        self.writer.wait()
        self.path.unlink(missing_ok=True)


def restore(
    state: TrainingState, path: Path, model: keras.Model, callbacks: Iterable[keras.callbacks.Callback]
) -> None:
    """Bring a compiled network and its callbacks to where the state was taken.

    Args:
        state: What `read_state` read.
        path: Where it stood, for the error.
        model: The network, built and compiled as then.
        callbacks: As then.

    Raises:
        ArtifactError: It is the state of another network.
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    _assign(model.variables, state.network, path)
    _assign(model.optimizer.variables, state.optimizer, path)
    for name, one in _remembering(callbacks).items():
        if name in state.memories:
            one.recall(state.memories[name])


def _remembering(callbacks: Iterable[keras.callbacks.Callback]) -> dict[str, Remembers]:
    return {type(one).__name__: one for one in callbacks if isinstance(one, Remembers)}


def _values(variables: Iterable[Any]) -> list[npt.NDArray[Any]]:
    return [keras.ops.convert_to_numpy(one).copy() for one in variables]


def _assign(variables: Sequence[Any], values: Arrays, path: Path) -> None:
    expected, found = [tuple(v.shape) for v in variables], [value.shape for value in values]
    if expected != found:
        raise ArtifactError(
            "the state of another network", where=str(path),
            expected=f"{len(expected)} variables, as args.yaml has them",
            found=f"{len(found)}, of other shapes" if len(expected) == len(found) else str(len(found)),
            remedy="undo the changes to args.yaml, or take the version of kseg that began the run (env.json)",
        )  # fmt: skip
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def save_state(path: Path, state: TrainingState) -> None:
    """Write it whole, or leave the earlier one. Raises OutputError."""
    groups: dict[str, Arrays] = {"network": state.network, "optimizer": state.optimizer}
    plain: dict[str, dict[str, Any]] = {}
    for name, memory in state.memories.items():
        plain[name] = {key: value for key, value in memory.items() if not _are_arrays(value)}
        groups |= {f"{name}/{key}": value for key, value in memory.items() if _are_arrays(value)}
    counts = {name: len(values) for name, values in groups.items()}
    facts = {"format": _FORMAT, "epoch": state.epoch, "data": state.data, "memories": plain, "arrays": counts}
    arrays = {f"{name}/{i}": value for name, values in groups.items() for i, value in enumerate(values)}
    with write_aside(path) as aside:
        np.savez(aside, facts=np.array(json.dumps(facts)), **arrays)  # type: ignore[arg-type]


def _are_arrays(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], np.ndarray)


def read_state(path: Path) -> TrainingState:
    """Read what `save_state` wrote; it is data alone, and nothing in it is run.

    Raises:
        ArtifactError: The file is corrupt or something else.
    """
    try:
        # Opened here, since NumPy leaves a corrupt file open.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            if facts["format"] != _FORMAT:
                raise ValueError(f"format {facts['format']!r}")
            groups = {name: [file[f"{name}/{i}"] for i in range(count)] for name, count in facts["arrays"].items()}
        memories = {name: dict(memory) for name, memory in facts["memories"].items()}
        for key in groups.keys() - {"network", "optimizer"}:
            name, inner = key.split("/")
            memories[name][inner] = groups[key]
        return TrainingState(int(facts["epoch"]), str(facts["data"]), groups["network"], groups["optimizer"], memories)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            "the state of the training cannot be read", where=str(path), found=str(error) or type(error).__name__,
            remedy="train on in a new run from the weights beside it: --set model.start=RUN",
        ) from error  # fmt: skip
