"""``fit`` and ``resume``: what a training is, from top to bottom.

The data are checked before Keras is loaded and before anything is written.
"""

from __future__ import annotations

import os
from pathlib import Path

from kseg.config import Config, load_config, to_yaml
from kseg.data.inspection.survey import Survey
from kseg.errors import UsageError, shell_command
from kseg.run_folder import RunFolder
from kseg.tensorflow_runtime import load_tensorflow
from kseg.training.checks import check_settings, warn_of_scaling
from kseg.training.compress import FLAGS, check_start, describe_start, needs_own_process
from kseg.training.data import prepare_data
from kseg.training.process import fit_in_process
from kseg.training.reporter import Reporter
from kseg.training.run import Run

__all__ = ["fit", "resume"]


def fit(config: Config, *, reporter: Reporter | None = None, survey: Survey | None = None) -> Run:
    """Train a network as the configuration says, into a new run folder.

    Args:
        config: Every setting.
        reporter: Receives the progress. Defaults to one that shows nothing.
        survey: The facts about the samples, if they have been read already.

    Returns:
        The run: its folder, the scores of each epoch, and which epoch is the best.

    Raises:
        ConfigError, UsageError: A setting does not fit the data or the hardware.
        DataError: The images or masks cannot be used.
        TrainingError: The loss became NaN (the weights of the last epoch are on disk), or memory ran out.
        OutputError: The disk is full or not writable; earlier checkpoints are untouched.
        Interrupted: Ctrl-C, SIGTERM or SIGHUP; last.keras holds the current weights, and `resume` continues after
            the last finished epoch.
    """
    if needs_own_process(config.train):
        return fit_in_process(config, reporter or Reporter())
    return fit_here(config, reporter=reporter, survey=survey)


def fit_here(config: Config, *, reporter: Reporter | None = None, survey: Survey | None = None) -> Run:
    """As `fit`, in this process whatever the settings are."""
    return _fit(config, None, reporter or Reporter(), survey)


def resume(path: str | os.PathLike[str], *, reporter: Reporter | None = None) -> Run:
    """Continue an interrupted training after its last finished epoch, as if it had never been interrupted.

    Weights, optimiser, learning-rate schedule, order of the images, best score and patience are restored.

    Args:
        path: The run folder.
        reporter: Receives the progress. Defaults to one that shows nothing.

    Returns:
        As `fit`, with the rows of all epochs; ``seconds`` counts from the resumption.

    Raises:
        UsageError: It is no run folder, or the run has ended, was stopped in its first epoch or is still being trained.
        ArtifactError: The saved state is corrupt, or belongs to another network than args.yaml describes.
        DataError: The images or masks cannot be used, or have changed since the run began.
        ConfigError, TrainingError, OutputError, Interrupted: As `fit`.
    """
    _require_resumable(RunFolder(Path(path)))
    folder = RunFolder.open_interrupted(Path(path))
    # The saved state replaces the initial weights, whose files may be gone.
    config = load_config(folder.args, {"model.weights": None, "model.start": None})
    return _fit(config, folder, reporter or Reporter())


def _require_resumable(folder: RunFolder) -> None:
    """Raise UsageError for a run of pruning or clustering, which has no state to resume from."""
    if not folder.is_run:
        return
    config = load_config(folder.args, {"model.weights": None, "model.start": None})
    if needs_own_process(config.train):
        flag = FLAGS[str(config.train.compress)][0]
        raise UsageError(
            f"a run of {flag} cannot be resumed", where=str(folder.path),
            remedy=f"begin anew: {shell_command('kseg', 'fit', folder.args)}",
        )  # fmt: skip


def _fit(config: Config, interrupted: RunFolder | None, reporter: Reporter, survey: Survey | None = None) -> Run:
    try:
        return _train(config, interrupted, reporter, survey)
    finally:
        reporter.finished()


def _train(config: Config, interrupted: RunFolder | None, reporter: Reporter, survey: Survey | None) -> Run:
    model, train, run = config.model, config.train, config.run
    check_settings(model, train, run, begins=interrupted is None)
    data = prepare_data(config.data, train, config.augment, survey=survey, on_progress=reporter.reading)
    spec = model.network_spec(train.imgsz, data.channels, data.report.pixels)
    check_start(model, train, data.dataset.labels)
    warn_of_scaling(model, spec)

    load_tensorflow(onednn=True)
    from kseg.training import loop, record
    from kseg.training.callbacks import stop_signals
    from kseg.training.device import choose_device, choose_precision
    from kseg.training.network import compile_network
    from kseg.training.state import restore
    from kseg.training.trained import describe_method

    device = choose_device(train.device)
    precision = "float32" if train.compress else choose_precision(train.precision, device)
    # Before the folder is made: where the initial weights are missing or do not fit, no run folder is left behind.
    network = compile_network(spec, model, train, data, precision=precision)
    folder = interrupted or RunFolder.create(run.project, run.name or data.dataset.root.resolve().name)
    with folder.locked(), stop_signals() as stop:
        facts = record.facts(spec, data, device, precision, network) | describe_method(network, train)
        if interrupted is None:
            state = None
            record.begin_run(folder, to_yaml(config), data, device, precision)
        else:
            state = record.resume_run(folder, data, device, precision)
            facts["resumed"] = f"after epoch {state.epoch} of {train.epochs}"
        card = record.make_card(folder.path.name, model, spec, data.dataset)
        start = describe_start(model, train, interrupted)
        callbacks = loop.Callbacks(network, folder, card, spec, train, run, data, reporter, stop, start)
        if state is not None:
            restore(state, folder.state, network, callbacks.all)
        reporter.started(folder.path, facts)
        seconds = loop.run_epochs(network, train, data, callbacks, epochs_done=state.epoch if state else 0)
        callbacks.draw_outcome()
    rows = tuple(callbacks.results.rows)
    return Run(folder.path, rows, callbacks.checkpoints.best_epoch, seconds, len(rows) < train.epochs)
