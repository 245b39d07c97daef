"""``fit`` and ``resume``: the data first, without Keras; then the training."""

from __future__ import annotations

from pathlib import Path

from kseg.config import Config, load_config
from kseg.quiet import load_tensorflow
from kseg.training.folder import RunFolder
from kseg.training.prepare import prepare
from kseg.training.reporter import FitResult, Reporter

__all__ = ["fit", "resume"]


def fit(config: Config, *, reporter: Reporter | None = None) -> FitResult:
    """Train a network as the configuration says.

    The data are checked before anything is written or Keras is imported, and the run folder is never an existing one.

    Args:
        config: Every setting.
        reporter: Hears how it goes.

    Returns:
        Where the run lies and how it went.

    Raises:
        ConfigError, UsageError: A setting does not fit the data or the hardware.
        DataError: The images or masks cannot be used.
        TrainingError: The loss became NaN (the last good weights are on disk), or the memory does not suffice.
        OutputError: The disk is full or not writable; earlier checkpoints are untouched.
        Interrupted: Ctrl-C; last.keras holds the weights of that moment, and `resume` goes on after the last epoch.
    """
    return _run(config, None, reporter or Reporter())


def resume(path: str | Path, *, reporter: Reporter | None = None) -> FitResult:
    """Go on with a training that was stopped or killed, after its last finished epoch, as if nothing had happened.

    The weights, the optimiser, the schedule, the order of the images, the best score and the patience are those of that
    moment.

    Args:
        path: The run folder.
        reporter: Hears how it goes.

    Returns:
        As `fit`, of all epochs; ``seconds`` are those since it went on.

    Raises:
        UsageError: It is no run folder, or the run has ended, was stopped in its first epoch or is still trained.
        ArtifactError: What it left is corrupt, or of another network than args.yaml has.
        DataError: The images or masks cannot be used, or are not those that it began with.
        ConfigError, TrainingError, OutputError, Interrupted: As `fit`.
    """
    folder = RunFolder.stopped(Path(path))
    # The weights that it began with may be gone.
    config = load_config(folder / "args.yaml", {"model.weights": None, "model.start": None})
    return _run(config, folder, reporter or Reporter())


def _run(config: Config, folder: RunFolder | None, reporter: Reporter) -> FitResult:
    try:
        prepared = prepare(config, reporter, begins=folder is None)
        load_tensorflow(onednn=True)
        from kseg.training.stage import train

        return train(config, prepared, reporter, folder)
    finally:
        reporter.finished()
