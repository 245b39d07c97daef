"""What a stopped training needs to go on as if it had never been stopped: ``weights/training.npz``.

Besides the weights these are the optimiser's moments and its place in the schedule, the best score so far, the epochs
without a better one, and the rows of results.csv. The order of the images and their variations follow from the seed and
the number of steps (`kseg.data.pipeline.batches`), so they need no place here.
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

__all__ = ["CallbackState", "StateKeeper", "Stateful", "TrainingState", "read_state", "restore", "save_state"]

Arrays = Sequence[npt.NDArray[Any]]
CallbackState = Mapping[str, Any]
"""What a callback must not forget: plain data for JSON, and lists of arrays."""

_FORMAT = "kseg training 2"


@runtime_checkable
class Stateful(Protocol):
    """A callback that must not begin anew where a training goes on."""

    def state_dict(self) -> CallbackState:
        """Its state at the end of an epoch."""

    def load_state_dict(self, state: CallbackState) -> None:
        """Restores the state saved by `state_dict`, before the training begins."""


@dataclass(frozen=True)
class TrainingState:
    """A training between two epochs.

    Args:
        epoch: How many epochs are done.
        data: The fingerprint of the data set.
        network: All variables of the network under training, in Keras' order.
        optimizer: Those of the optimiser.
        callback_states: By the name of its class, the state of each callback.
    """

    epoch: int
    data: str
    network: Arrays
    optimizer: Arrays
    callback_states: Mapping[str, CallbackState]


class StateKeeper(keras.callbacks.Callback):
    """Writes the state after each epoch, and takes it away when the training has ended. It comes after all others.

    Args:
        path: Where it is written.
        data: The fingerprint of the data set.
        writer: Writes the checkpoints, too: the state of an epoch must not be there before them.
        callbacks: Those whose state is saved.
    """

    def __init__(self, path: Path, data: str, writer: Writer, callbacks: Iterable[keras.callbacks.Callback]) -> None:
        super().__init__()
        self.path = path
        self.data = data
        self.writer = writer
        self.stateful = _stateful(callbacks)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Collect the state and queue it for writing."""
        del logs
        callback_states = {name: callback.state_dict() for name, callback in self.stateful.items()}
        state = TrainingState(
            epoch + 1,
            self.data,
            _values(self.model.variables),
            _values(self.model.optimizer.variables),
            callback_states,
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
    for name, callback in _stateful(callbacks).items():
        if name in state.callback_states:
            callback.load_state_dict(state.callback_states[name])


def _stateful(callbacks: Iterable[keras.callbacks.Callback]) -> dict[str, Stateful]:
    return {type(callback).__name__: callback for callback in callbacks if isinstance(callback, Stateful)}


def _values(variables: Iterable[Any]) -> list[npt.NDArray[Any]]:
    return [keras.ops.convert_to_numpy(variable).copy() for variable in variables]


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
    for name, values in state.callback_states.items():
        plain[name] = {key: value for key, value in values.items() if not _are_arrays(value)}
        groups |= {f"{name}/{key}": value for key, value in values.items() if _are_arrays(value)}
    counts = {name: len(group) for name, group in groups.items()}
    facts = {"format": _FORMAT, "epoch": state.epoch, "data": state.data, "callbacks": plain, "arrays": counts}
    arrays = {f"{name}/{i}": value for name, group in groups.items() for i, value in enumerate(group)}
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
        callback_states = {name: dict(values) for name, values in facts["callbacks"].items()}
        for key in groups.keys() - {"network", "optimizer"}:
            name, inner = key.split("/")
            callback_states[name][inner] = groups[key]
        return TrainingState(
            int(facts["epoch"]), str(facts["data"]), groups["network"], groups["optimizer"], callback_states
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            "the state of the training cannot be read", where=str(path), found=str(error) or type(error).__name__,
            remedy="train on in a new run from the weights beside it: --set model.start=RUN",
        ) from error  # fmt: skip
