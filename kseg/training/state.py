"""The state of a training after an epoch, in ``weights/training.npz``: all that an exact resumption needs.

Besides the weights: the optimiser's moments and step count (its place in the schedule), the best score so far, the
number of epochs since then, and the rows of results.csv. The order of the images and their augmentation follow from
the seed and the number of steps (`kseg.data.pipeline.batches`), so they are not stored.
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
from kseg.run_folder import RunFolder
from kseg.training.writer import Writer

__all__ = ["CallbackState", "StateKeeper", "Stateful", "TrainingState", "read_state", "restore", "save_state"]

Arrays = Sequence[npt.NDArray[Any]]
CallbackState = Mapping[str, Any]
"""The state of a callback, by name: values of JSON types, and lists of arrays."""

_FORMAT = "kseg training 2"


@runtime_checkable
class Stateful(Protocol):
    """A callback with a state that a resumed training restores."""

    def state_dict(self) -> CallbackState:
        """The state at the end of an epoch."""

    def load_state_dict(self, state: CallbackState) -> None:
        """Restores the state saved by `state_dict`; called before the training begins."""


@dataclass(frozen=True)
class TrainingState:
    """A training between two epochs.

    Args:
        epoch: The number of finished epochs.
        data: The fingerprint of the data set.
        network: The values of all variables of the network under training, in Keras' order.
        optimizer: The values of all variables of the optimiser, in Keras' order.
        callback_states: Name of the callback's class → its state.
    """

    epoch: int
    data: str
    network: Arrays
    optimizer: Arrays
    callback_states: Mapping[str, CallbackState]


class StateKeeper(keras.callbacks.Callback):
    """Writes the state after each epoch, and deletes the file when the training has ended. The last callback.

    Args:
        path: The file.
        data: The fingerprint of the data set.
        writer: The thread that also writes the checkpoints: the state must not be on disk before those of its epoch.
        callbacks: All other callbacks; the state of the `Stateful` ones is saved.
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
        """Delete the file: a training that has ended is not resumed, and the file is larger than the network's."""
        del logs
        self.writer.wait()
        self.path.unlink(missing_ok=True)


def restore(
    state: TrainingState, path: Path, model: keras.Model, callbacks: Iterable[keras.callbacks.Callback]
) -> None:
    """Restore the network, its optimiser and the callbacks to the saved state.

    Args:
        state: The state that `read_state` returned.
        path: Its file, for error messages.
        model: The network, built and compiled as when the state was saved.
        callbacks: The same callbacks as then.

    Raises:
        ArtifactError: The state belongs to another network.
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
    shapes, saved_shapes = [tuple(v.shape) for v in variables], [value.shape for value in values]
    if shapes != saved_shapes:
        same_number = len(shapes) == len(saved_shapes)
        raise ArtifactError(
            "the saved state belongs to another network", where=str(path),
            expected=f"{len(shapes)} variables, as the network of args.yaml has",
            found=f"{len(saved_shapes)}{' of other shapes' if same_number else ''}",
            remedy="undo the changes to args.yaml, or use the version of kseg that began the run (env.json)",
        )  # fmt: skip
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def save_state(path: Path, state: TrainingState) -> None:
    """Write the state; if that fails, an earlier file stays as it is. Raises OutputError."""
    groups: dict[str, Arrays] = {"network": state.network, "optimizer": state.optimizer}
    scalars: dict[str, dict[str, Any]] = {}
    for name, values in state.callback_states.items():
        scalars[name] = {key: value for key, value in values.items() if not _are_arrays(value)}
        groups |= {f"{name}/{key}": value for key, value in values.items() if _are_arrays(value)}
    counts = {name: len(group) for name, group in groups.items()}
    header = {"format": _FORMAT, "epoch": state.epoch, "data": state.data, "callbacks": scalars, "arrays": counts}
    arrays = {f"{name}/{i}": value for name, group in groups.items() for i, value in enumerate(group)}
    with write_aside(path) as aside:
        np.savez(aside, header=np.array(json.dumps(header)), **arrays)  # type: ignore[arg-type]


def _are_arrays(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], np.ndarray)


def read_state(path: Path) -> TrainingState:
    """Read the file that `save_state` wrote; nothing in it is executed (no pickles).

    Raises:
        ArtifactError: The file is corrupt or something else.
    """
    try:
        # Opened here, since NumPy leaves a corrupt file open.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            if header["format"] != _FORMAT:
                raise ValueError(f"format {header['format']!r}")
            groups = {name: [file[f"{name}/{i}"] for i in range(count)] for name, count in header["arrays"].items()}
        callback_states = {name: dict(values) for name, values in header["callbacks"].items()}
        for key in groups.keys() - {"network", "optimizer"}:
            name, inner = key.split("/")
            callback_states[name][inner] = groups[key]
        return TrainingState(
            int(header["epoch"]), str(header["data"]), groups["network"], groups["optimizer"], callback_states
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        run = RunFolder(path.parents[1])
        raise ArtifactError(
            "the state of the training cannot be read", where=str(path), found=str(error) or type(error).__name__,
            remedy=f"train on in a new run from the weights beside it: {run.new_run_command(run.last)}",
        ) from error  # fmt: skip
