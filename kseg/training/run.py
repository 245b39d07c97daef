"""``fit``: the data first, without Keras; then the training."""

from __future__ import annotations

from kseg.config import Config
from kseg.quiet import load_tensorflow
from kseg.training.prepare import prepare
from kseg.training.reporter import FitResult, Reporter

__all__ = ["fit"]


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
        Interrupted: Ctrl-C; last.keras holds the weights of that moment.
    """
    reporter = reporter or Reporter()
    try:
        prepared = prepare(config, reporter)
        load_tensorflow(onednn=True)
        from kseg.training.stage import train

        return train(config, prepared, reporter)
    finally:
        reporter.finished()
