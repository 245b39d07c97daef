"""``fit`` and ``resume``: what a training is, from top to bottom.

The data are checked before Keras is loaded and before anything is written.
"""

from __future__ import annotations

import os
from pathlib import Path

from kseg.config import Config, load_config
from kseg.run_folder import RunFolder
from kseg.tensorflow_runtime import load_tensorflow
from kseg.training.balance import loss_weights
from kseg.training.checks import check_settings, warn_of_scaling
from kseg.training.data import prepare_data
from kseg.training.reporter import Reporter
from kseg.training.run import Run

__all__ = ["fit", "resume"]


def fit(config: Config, *, reporter: Reporter | None = None) -> Run:
    """Train a network as the configuration says, into a new run folder.

    Args:
        config: Every setting.
        reporter: Is told how it goes.

    Returns:
        Where the run lies and how it went.

    Raises:
        ConfigError, UsageError: A setting does not fit the data or the hardware.
        DataError: The images or masks cannot be used.
        TrainingError: The loss became NaN (the last good weights are on disk), or the memory does not suffice.
        OutputError: The disk is full or not writable; earlier checkpoints are untouched.
        Interrupted: Ctrl-C; last.keras holds the weights of that moment, and `resume` goes on after the last epoch.
    """
    return _report_end(config, None, reporter or Reporter())


def resume(path: str | os.PathLike[str], *, reporter: Reporter | None = None) -> Run:
    """Go on with a training that was interrupted, after its last finished epoch, as if nothing had happened.

    The weights, the optimiser, the schedule, the order of the images, the best score and the patience are those of that
    moment.

    Args:
        path: The run folder.
        reporter: Is told how it goes.

    Returns:
        As `fit`, of all epochs; ``seconds`` are those since it went on.

    Raises:
        UsageError: It is no run folder, or the run has ended, was stopped in its first epoch or is still trained.
        ArtifactError: The saved state is corrupt, or of another network than args.yaml has.
        DataError: The images or masks cannot be used, or are not those that it began with.
        ConfigError, TrainingError, OutputError, Interrupted: As `fit`.
    """
    folder = RunFolder.open_interrupted(Path(path))
    # The weights that it began with may be gone.
    config = load_config(folder.args, {"model.weights": None, "model.start": None})
    return _report_end(config, folder, reporter or Reporter())


def _report_end(config: Config, interrupted: RunFolder | None, reporter: Reporter) -> Run:
    try:
        return _train(config, interrupted, reporter)
    finally:
        reporter.finished()


def _train(config: Config, interrupted: RunFolder | None, reporter: Reporter) -> Run:
    model, train, run = config.model, config.train, config.run
    check_settings(model, train, run, begins=interrupted is None)
    data = prepare_data(config.data, train, config.augment, on_progress=reporter.reading)
    spec = model.network_spec(train.imgsz, data.channels, data.report.pixels)
    warn_of_scaling(model, spec)
    class_weights = loss_weights(train.class_weights, data.dataset.labels, data.report)

    load_tensorflow(onednn=True)
    from kseg.training import loop, record
    from kseg.training.callbacks import stop_signals
    from kseg.training.device import choose_device, choose_precision
    from kseg.training.network import compile_network
    from kseg.training.state import restore

    device = choose_device(train.device)
    precision = choose_precision(train.precision, device)
    # Before the folder is made: its weights may be missing or not fit, and then there is no run.
    network = compile_network(
        spec, model, train, data.dataset.labels, steps=data.steps, class_weights=class_weights, precision=precision
    )
    folder = interrupted or RunFolder.create(run.project, run.name or data.dataset.root.resolve().name)
    with folder.locked(), stop_signals() as stop_requested:
        if interrupted is None:
            state = None
            record.begin(folder, config, data, device, precision)
        else:
            state = record.go_on(folder, data, device, precision)
        card = record.make_card(folder.path.name, model, spec, data.dataset)
        callbacks = loop.Callbacks(network, folder, card, spec, train, run, data, reporter, stop_requested)
        if state is not None:
            restore(state, folder.state, network, callbacks.all)
        reporter.started(
            folder.path, record.facts(config, spec, data, class_weights, device, precision, network, state)
        )
        seconds = loop.run_epochs(network, train, data, callbacks, epochs_done=state.epoch if state else 0)
        callbacks.draw_outcome()
    rows = tuple(callbacks.journal.rows)
    return Run(folder.path, rows, callbacks.checkpoints.best_epoch, seconds, len(rows) < train.epochs)
