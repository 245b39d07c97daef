"""What a run folder says about its training: settings, environment, data, and the card of its models."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import keras

from kseg import __version__
from kseg.card import ModelCard
from kseg.config import Config, ModelConfig, to_yaml
from kseg.data.dataset import Dataset
from kseg.data.inspection.charts import draw_statistics
from kseg.data.inspection.statistics import summarize
from kseg.environment import environment
from kseg.errors import DataError
from kseg.files import remove_leftovers, write_json, write_text
from kseg.models import NetworkSpec
from kseg.models.supervision import plain_network
from kseg.run_folder import RunFolder
from kseg.sizes import format_size
from kseg.tensorflow_runtime import uses_onednn
from kseg.training.balance import describe_weights
from kseg.training.data import TrainingData
from kseg.training.device import Device
from kseg.training.pictures import draw_train_batch
from kseg.training.state import TrainingState, read_state

__all__ = ["begin", "facts", "go_on", "make_card"]


def begin(folder: RunFolder, config: Config, data: TrainingData, device: Device, precision: str) -> None:
    """Write what is known before the first step.

    Raises:
        OutputError: The folder cannot be written.
    """
    write_text(folder.args, to_yaml(config))
    write_json(folder.environment, _environment(device, precision))
    data.dataset.save(folder.data)
    draw_statistics(folder.class_frequencies, summarize(data.dataset, data.report))
    draw_train_batch(folder.train_batch, data.train_batches(), data.dataset.labels)


def go_on(folder: RunFolder, data: TrainingData, device: Device, precision: str) -> TrainingState:
    """Read the state of an interrupted run, and note that it is resumed.

    Raises:
        ArtifactError: The state is corrupt.
        DataError: The data are not those that the run began with.
        OutputError: The folder cannot be written.
    """
    state = read_state(folder.state)
    if state.data != data.dataset.fingerprint():
        raise DataError(
            "the data are not those that the run began with", where=str(data.dataset.root),
            expected=f"the files and the split of {folder.data}",
            remedy=f"put them back, or train on in a new run: kseg fit {folder.args} "
            f"--set model.start={folder.last}",
        )  # fmt: skip
    remove_leftovers(folder.best.parent)
    # The later epochs may come from another machine or version than the first ones.
    resumed = {"after_epoch": state.epoch, **_environment(device, precision)}
    try:
        began = json.loads(folder.environment.read_text(encoding="utf-8"))
        entries = [*began.get("resumed", []), resumed]
    except (OSError, ValueError, AttributeError, TypeError):
        began, entries = {}, [resumed]
    write_json(folder.environment, {**began, "resumed": entries})
    return state


def _environment(device: Device, precision: str) -> dict[str, Any]:
    """What env.json holds: the command, the machine, versions and precision."""
    backend = keras.backend.backend()
    return {
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        **environment(),
        "backend": backend,
        "device": {"kind": device.kind, "name": device.name},
        "precision": precision,
        "onednn": backend == "tensorflow" and uses_onednn(),
    }


def make_card(name: str, model: ModelConfig, spec: NetworkSpec, dataset: Dataset) -> ModelCard:
    """The card of the run's models; each checkpoint adds its epoch and scores."""
    return ModelCard(
        name=name,
        architecture=f"{model.arch}/{model.encoder}",
        height=spec.size[0],
        width=spec.size[1],
        labels=dataset.labels,
        normalization=spec.scaling,
        activation=spec.activation,
        network=spec.to_json(),
        provenance={
            "kseg": __version__,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "run": name,
            "data_fingerprint": dataset.fingerprint(),
        },
    )


def facts(
    config: Config,
    spec: NetworkSpec,
    data: TrainingData,
    class_weights: tuple[float, ...] | None,
    device: Device,
    precision: str,
    network: keras.Model,
    state: TrainingState | None,
) -> dict[str, str]:
    """What a person wants to see before the first epoch, in the order in which it is shown."""
    dataset = data.dataset
    counts = ", ".join(f"{split} {len(samples)}" for split, samples in dataset.splits.items())
    shown = {
        "data": f"{dataset.root} ({counts})",
        "classes": ", ".join(dataset.labels.names),
        "network": f"{spec.arch}, encoder {spec.encoder}, {format_size(spec.size)}, batch {data.batch}",
        "device": f"{device.name}, {precision}",
    }
    if class_weights is not None:
        shown["class weights"] = describe_weights(class_weights, dataset.labels)
    if spec.pixel_mean is not None and spec.pixel_std is not None:
        mean, std = (", ".join(f"{value:.1f}" for value in values) for values in (spec.pixel_mean, spec.pixel_std))
        shown["pixels"] = f"mean {mean}, deviation {std} (red, green, blue)"
    shown["parameters"] = f"{plain_network(network).count_params():,}"
    if state is not None:
        shown["resumed"] = f"after epoch {state.epoch} of {config.train.epochs}"
    return shown
