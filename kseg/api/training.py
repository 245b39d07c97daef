"""`kseg.fit` and `kseg.resume`."""

from __future__ import annotations

import os
from typing import Any

from kseg import training
from kseg.api.progress import TerminalReporter
from kseg.api.settings import dotted_keys
from kseg.config import load_config
from kseg.training import Reporter, Run

__all__ = ["fit", "resume"]


def fit(config: str | os.PathLike[str] | None = None, *, reporter: Reporter | None = None, **settings: Any) -> Run:
    """Train a network on images and masks, as ``kseg fit`` does.

    Args:
        config: A YAML file; None for the defaults.
        reporter: Receives the progress. Defaults to a bar and a line an epoch on stderr.
        settings: Keys of the configuration, laid over the file: ``epochs=30``, ``encoder="mobilenetv2"``,
            ``split={"by": "folders"}``; ``data`` is the folder of the data set. docs/configuration.md lists them.

    Returns:
        The run: ``run.folder``, ``run.best``, ``run.history``. A table in a notebook.

    Raises:
        UnknownNameError: There is no such setting.
        ConfigError, UsageError: A setting does not fit the data or the hardware.
        DataError: The images or masks cannot be used.
        TrainingError: The loss became NaN, or the memory does not suffice.
        OutputError: The disk is full or not writable.
        Interrupted: Ctrl-C; `resume` goes on.

    Example:

    ::

        run = kseg.fit(data="photos", encoder="mobilenetv2", epochs=30)
        run = kseg.fit("photos.yaml", epochs=30)
        run.best["val_iou"]
    """
    overrides = dotted_keys(settings, function="kseg.fit")
    return training.fit(load_config(config, overrides), reporter=reporter or TerminalReporter())


def resume(run: str | os.PathLike[str], *, reporter: Reporter | None = None) -> Run:
    """Go on with a training that was interrupted, after its last finished epoch, as ``kseg fit --resume`` does.

    Args:
        run: The run folder.
        reporter: As `fit`.

    Returns:
        The run, with the rows of all epochs.

    Raises:
        UsageError: It is no run folder, or the run has ended, was stopped in its first epoch or is still trained.
        ArtifactError: The saved state is corrupt, or of another network than args.yaml has.
        DataError: The images or masks cannot be used, or are not those that it began with.
        ConfigError, TrainingError, OutputError, Interrupted: As `fit`.

    Example:

    ::

        run = kseg.resume("runs/fit/photos")
    """
    return training.resume(run, reporter=reporter or TerminalReporter())
