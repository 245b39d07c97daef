"""The records of a training in its run folder: settings, environment, data, and the model card."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import keras

from kseg import __version__
from kseg.card import ModelCard
from kseg.config import ModelConfig
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

__all__ = ["begin_run", "facts", "make_card", "resume_run"]


def begin_run(folder: RunFolder, settings: str, data: TrainingData, device: Device, precision: str) -> None:
    """Write the files that are complete before the first training step.

    They are args.yaml, env.json, data.json, labels.png and train_batch.jpg.

    Args:
        folder: The run folder.
        settings: The whole configuration, as YAML.
        data: The data set, and the batches that the network gets.
        device: Where the network is trained.
        precision: Keras' dtype policy.

    Raises:
        OutputError: The folder cannot be written.
    """
    write_text(folder.args, settings)
    write_json(folder.environment, _environment(device, precision))
    data.dataset.save(folder.data)
    draw_statistics(folder.class_frequencies, summarize(data.dataset, data.report))
    draw_train_batch(folder.train_batch, data.train_batches(), data.dataset.labels)


def resume_run(folder: RunFolder, data: TrainingData, device: Device, precision: str) -> TrainingState:
    """Read the state of an interrupted run, and add the resumption to its env.json.

    Raises:
        ArtifactError: The state is corrupt.
        DataError: The data have changed since the run began.
        OutputError: The folder cannot be written.
    """
    state = read_state(folder.state)
    if state.data != data.dataset.fingerprint():
        raise DataError(
            "the data are not those that the run began with", where=str(data.dataset.root),
            expected=f"the files and the split of {folder.data}",
            remedy=f"put them back, or train on in a new run: {folder.new_run_command(folder.last)}",
        )  # fmt: skip
    remove_leftovers(folder.best.parent)
    # The later epochs may come from another machine or version than the first ones.
    resumed = {"after_epoch": state.epoch, **_environment(device, precision)}
    try:
        recorded = json.loads(folder.environment.read_text(encoding="utf-8"))
        resumptions = [*recorded.get("resumed", []), resumed]
    except (OSError, ValueError, AttributeError, TypeError):
        recorded, resumptions = {}, [resumed]
    write_json(folder.environment, {**recorded, "resumed": resumptions})
    return state


def _environment(device: Device, precision: str) -> dict[str, Any]:
    """The content of env.json: the command, the machine, versions and precision."""
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
    """The model card of the run's checkpoints, each of which adds its epoch and scores."""
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
    spec: NetworkSpec, data: TrainingData, device: Device, precision: str, network: keras.Model
) -> dict[str, str]:
    """Heading → text that is shown before the first epoch, in this order: data, classes, network, device, …"""
    dataset = data.dataset
    counts = ", ".join(f"{split} {len(samples)}" for split, samples in dataset.splits.items())
    texts = {
        "data": f"{dataset.root} ({counts})",
        "classes": ", ".join(dataset.labels.names),
        "network": f"{spec.arch}, encoder {spec.encoder}, {format_size(spec.size)}, batch {data.batch}",
        "device": f"{device.name}, {precision}",
    }
    if data.class_weights is not None:
        texts["class weights"] = describe_weights(data.class_weights, dataset.labels)
    if spec.pixel_mean is not None and spec.pixel_std is not None:
        mean, std = (", ".join(f"{value:.1f}" for value in values) for values in (spec.pixel_mean, spec.pixel_std))
        texts["pixels"] = f"mean {mean}, deviation {std} (red, green, blue)"
    texts["parameters"] = f"{plain_network(network).count_params():,}"
    return texts
