"""The training itself: from checked data to a run folder. Loads Keras; `kseg.training.fit` comes before it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import keras
import tensorflow as tf

from kseg import __version__
from kseg.card import ModelCard
from kseg.config import Config, to_yaml
from kseg.data.charts import draw_statistics
from kseg.data.pipeline import batch_samples, collect_apart, data_errors, eval_batches, train_batches
from kseg.data.statistics import summarize
from kseg.errors import DataError, Interrupted, TrainingError
from kseg.files import remove_leftovers, write_json, write_text
from kseg.models import NetworkSpec, build_model, load_model
from kseg.models.supervision import plain_network
from kseg.training.average import average_callbacks
from kseg.training.balance import describe_weights
from kseg.training.board import board_callbacks
from kseg.training.callbacks import Journal, NanGuard, Patience, StopAtStep, StopRequested, stop_signals
from kseg.training.checkpoints import Checkpoints, mode_of
from kseg.training.finetune import thaw_callbacks
from kseg.training.folder import RunFolder
from kseg.training.hardware import Device, choose_device, choose_precision, describe_environment
from kseg.training.network import compile_network
from kseg.training.pictures import ValidationPanel, draw_results, draw_train_batch
from kseg.training.prepare import Prepared
from kseg.training.reporter import EpochRow, FitResult, Reporter
from kseg.training.state import StateKeeper, TrainingState, read_state, restore
from kseg.training.writer import Writer

__all__ = ["train"]

_log = logging.getLogger("kseg")


def train(config: Config, prepared: Prepared, reporter: Reporter, stopped: RunFolder | None = None) -> FitResult:
    """Train on what `prepare` made, into a new run folder, or go on with the run that was stopped.

    See `kseg.training.fit` and `kseg.training.resume` for what it raises.
    """
    device = choose_device(config.train.device)
    precision = choose_precision(config.train.precision, device)
    keras.utils.set_random_seed(config.train.seed)
    environment = describe_environment(device, precision)
    facts = _facts(config, prepared, device, precision)
    # First, for its weights may be missing or not fit, and then there is no run.
    model = compile_network(config, prepared, precision)
    name = config.run.name or prepared.dataset.root.resolve().name
    folder = stopped or RunFolder.create(config.run.project, name)
    with folder.claimed():
        if stopped is None:
            state = None
            _write_facts(folder, config, prepared, environment)
        else:
            state = _state_of(folder, prepared)
            remove_leftovers(folder.best.parent)
            _note_resumed(folder, state, environment)
        return _train(model, config, prepared, folder, reporter, facts, state)


def _state_of(folder: RunFolder, prepared: Prepared) -> TrainingState:
    state = read_state(folder.state)
    if state.data != prepared.dataset.fingerprint():
        raise DataError(
            "the data are not those that the run began with", where=str(prepared.dataset.root),
            expected=f"the files and the split of {folder / 'data.json'}",
            remedy=f"put them back, or train on in a new run: kseg fit {folder / 'args.yaml'} "
            f"--set model.start={folder.last}",
        )  # fmt: skip
    return state


def _note_resumed(folder: RunFolder, state: TrainingState, environment: dict[str, Any]) -> None:
    """The later epochs may come from another machine or version than the first ones."""
    path = folder / "env.json"
    try:
        began = json.loads(path.read_text(encoding="utf-8"))
        resumed = [*began.get("resumed", []), {"after_epoch": state.epoch, **environment}]
    except (OSError, ValueError, AttributeError, TypeError):
        began, resumed = {}, [{"after_epoch": state.epoch, **environment}]
    write_json(path, {**began, "resumed": resumed})


def _facts(config: Config, prepared: Prepared, device: Device, precision: str) -> dict[str, str]:
    counts = ", ".join(f"{split} {len(samples)}" for split, samples in prepared.dataset.splits.items())
    facts = {
        "data": f"{prepared.dataset.root} ({counts})",
        "classes": ", ".join(prepared.dataset.labels.names),
        "network": f"{config.model.arch}, encoder {config.model.encoder}, "
        f"{prepared.spec.size[0]}×{prepared.spec.size[1]}, batch {config.train.batch}",
        "device": f"{device.name}, {precision}",
    }
    if prepared.class_weights is not None:
        facts["class weights"] = describe_weights(prepared.class_weights, prepared.dataset.labels)
    if prepared.spec.pixel_mean is not None and prepared.spec.pixel_std is not None:
        mean, std = (", ".join(f"{v:.1f}" for v in p) for p in (prepared.spec.pixel_mean, prepared.spec.pixel_std))
        facts["pixels"] = f"mean {mean}, deviation {std} (red, green, blue)"
    return facts


def _write_facts(folder: RunFolder, config: Config, prepared: Prepared, environment: dict[str, Any]) -> None:
    write_text(folder / "args.yaml", to_yaml(config))
    write_json(folder / "env.json", environment)
    prepared.dataset.save(folder / "data.json")
    draw_statistics(folder / "labels.png", summarize(prepared.dataset, prepared.report))
    draw_train_batch(folder / "train_batch.jpg", _train_data(config, prepared), prepared.dataset.labels)


def _train_data(config: Config, prepared: Prepared, start: int = 0) -> Any:
    return train_batches(
        prepared.train,
        batch=config.train.batch,
        seed=config.train.seed,
        augment=prepared.augment,
        start=start,
        weights=prepared.sample_weights,
        background=prepared.dataset.labels.background,
    )


def _card(config: Config, prepared: Prepared, name: str) -> ModelCard:
    return ModelCard(
        name=name,
        architecture=f"{config.model.arch}/{config.model.encoder}",
        height=prepared.spec.size[0],
        width=prepared.spec.size[1],
        labels=prepared.dataset.labels,
        normalization=prepared.spec.scaling,
        head=prepared.spec.head,
        provenance={
            **_pixels(prepared.spec),
            "kseg": __version__,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "run": name,
            "data_fingerprint": prepared.dataset.fingerprint(),
        },
    )


def _pixels(spec: NetworkSpec) -> dict[str, list[float]]:
    """What the name of the normalisation does not say."""
    if spec.pixel_mean is None or spec.pixel_std is None:
        return {}
    return {"pixel_mean": list(spec.pixel_mean), "pixel_std": list(spec.pixel_std)}


def _train(
    model: keras.Model,
    config: Config,
    prepared: Prepared,
    folder: RunFolder,
    reporter: Reporter,
    facts: dict[str, str],
    state: TrainingState | None,
) -> FitResult:
    kept = plain_network(model)
    facts["parameters"] = f"{kept.count_params():,}"
    panel = ValidationPanel.of(prepared.dataset.splits["val"], prepared.dataset.labels, prepared.spec.size)
    card, writer = _card(config, prepared, folder.path.name), Writer()
    checkpoints = Checkpoints(
        folder, kept, build_model(prepared.spec), card,
        monitor=config.train.monitor, every=config.run.save_every, draw=panel.draw, writer=writer,
    )  # fmt: skip
    journal = Journal(folder, checkpoints, reporter, batch=config.train.batch)
    guard = NanGuard(lambda step: _files_of(config, prepared, step), checkpoints.last_good)
    records = [checkpoints, journal, *board_callbacks(config.run, folder)]
    average, patience = average_callbacks(config.train), _early_stopping(config)
    if state is not None:
        facts["resumed"] = f"after epoch {state.epoch} of {config.train.epochs}"
        restore(state, folder.state, model, [guard, *average, *records, *patience])
    reporter.started(folder.path, facts)
    begin = time.perf_counter()
    with stop_signals() as requested:
        watch = [*thaw_callbacks(config.train), guard, StopAtStep(requested)]
        callbacks = [*watch, *average, *records, *patience]
        keeper = StateKeeper(folder.state, str(card.provenance["data_fingerprint"]), writer, callbacks)
        try:
            _loop(model, config, prepared, [*callbacks, keeper], done=state.epoch if state else 0)
        except (StopRequested, KeyboardInterrupt) as stop:
            _keep_after_stop(folder, checkpoints, journal)
            raise Interrupted(
                "stopped", where=str(folder.path), found=f"{len(journal.rows)} finished epochs",
                remedy=f"the weights of this moment are in {folder.last}"
                + (f"; kseg fit --resume {folder.path} goes on" if folder.state.is_file() else ""),
            ) from stop  # fmt: skip
    seconds = time.perf_counter() - begin
    _draw_outcome(folder, journal.rows, panel)
    stopped = len(journal.rows) < config.train.epochs
    return FitResult(folder.path, tuple(journal.rows), checkpoints.best_epoch, seconds, stopped)


def _loop(
    model: keras.Model, config: Config, prepared: Prepared, callbacks: list[keras.callbacks.Callback], *, done: int
) -> None:
    with data_errors(), _memory_errors(config), collect_apart():
        model.fit(
            _train_data(config, prepared, start=done * prepared.steps),
            initial_epoch=done,
            epochs=config.train.epochs,
            steps_per_epoch=prepared.steps,
            validation_data=eval_batches(prepared.val, batch=config.train.batch),
            validation_steps=prepared.val_steps,
            callbacks=callbacks,
            shuffle=False,  # the pipeline does it; Keras would warn
            verbose=0,
        )


@contextmanager
def _memory_errors(config: Config) -> Iterator[None]:
    """Too little memory is told with what would need less."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, RuntimeError) as error:
        # JAX has one RuntimeError for all that goes wrong on the device; its text tells which.
        if isinstance(error, RuntimeError) and not str(error).startswith("RESOURCE_EXHAUSTED"):
            raise
        height, width = config.train.imgsz
        raise TrainingError(
            "the memory does not hold a training step", where="train.batch",
            found=f"batch {config.train.batch} at {height}×{width}",
            remedy="use a smaller --batch, --imgsz or model.widths",
        ) from error  # fmt: skip


def _early_stopping(config: Config) -> list[keras.callbacks.Callback]:
    if not config.train.patience:
        return []
    return [Patience(monitor=config.train.monitor, mode=mode_of(config.train.monitor), patience=config.train.patience)]


def _files_of(config: Config, prepared: Prepared, step: int) -> list[str]:
    samples = prepared.dataset.splits["train"]
    indices = batch_samples(
        len(samples), batch=config.train.batch, seed=config.train.seed, step=step, weights=prepared.sample_weights
    )
    return [str(samples[i].image.relative_to(prepared.dataset.root)) for i in indices]


def _keep_after_stop(folder: RunFolder, checkpoints: Checkpoints, journal: Journal) -> None:
    checkpoints.save_last()
    if journal.rows:
        draw_results(folder / "results.png", journal.rows)


def _draw_outcome(folder: RunFolder, rows: Sequence[EpochRow], panel: ValidationPanel) -> None:
    draw_results(folder / "results.png", rows)
    # Through the file, so that the picture shows what `kseg predict` will do.
    network, card = load_model(folder.best)
    if not panel.draw(folder.picture, network, card):
        _log.warning("the best network finds background only in the validation images: see %s", folder.picture)
