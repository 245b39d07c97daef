"""`kseg.fit` and `kseg.resume`: train a network."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from kseg import training
from kseg.api.progress import TerminalReporter
from kseg.api.settings import data_folder, dotted_keys, settle_folder
from kseg.config import FlagValue, load_config
from kseg.errors import UsageError
from kseg.files import expand_home
from kseg.run_folder import RunFolder
from kseg.training import Reporter, Run
from kseg.training.compress import FLAGS, fine_tuning

__all__ = ["fit", "resume"]

_log = logging.getLogger("kseg")


def fit(
    config: str | os.PathLike[str] | None = None,
    *,
    reporter: Reporter | None = None,
    from_run: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Run:
    """Train a network on images and masks, as ``kseg fit`` does.

    Args:
        config: A YAML file. Defaults to none.
        reporter: Receives the progress. Defaults to a bar and a line for each epoch on stderr.
        from_run: A trained run to fine-tune with ``compress``: its settings, weights and data are those of the new one.
            Defaults to none.
        settings: Keys of the configuration, which replace those of the file: ``epochs=30``,
            ``encoder="mobilenetv2"``, ``split={"by": "folders"}``; docs/configuration.md lists all. ``data`` is the
            folder of the data set: without a YAML file it is read as `kseg.check` reads it, with every setting that is
            certain.

    Returns:
        The run: ``run.folder``, ``run.best``, ``run.history``. Shown as a table in a notebook.

    Raises:
        UnknownNameError: There is no such setting.
        ConfigError, UsageError: A setting does not fit the data or the hardware.
        DataError: The images or masks cannot be used, or a question about the folder has to be answered.
        TrainingError: The loss became NaN, or memory ran out.
        OutputError: The disk is full or not writable.
        Interrupted: Ctrl-C; `resume` continues the training.

    Example:

    ::

        run = kseg.fit(data="photos", encoder="mobilenetv2", epochs=30)
        run = kseg.fit("photos.yaml", epochs=30)
        run.best["val_iou"]
        small = kseg.fit(from_run=run, compress="prune", sparsity=0.5)
        kseg.export(small, formats="tflite", reference=run)
    """
    overrides = dotted_keys(settings, function="kseg.fit")
    if from_run is not None:
        config, overrides = _fine_tuning(config, expand_home(from_run), overrides)
    reporter = reporter or TerminalReporter()
    folder = None if config is not None else data_folder(overrides)
    if folder is None:
        return training.fit(load_config(None if config is None else expand_home(config), overrides), reporter=reporter)
    try:
        checked = settle_folder(folder, overrides, on_progress=reporter.reading)
    except BaseException:
        reporter.finished()
        raise
    for line in checked.lines:
        _log.info("%s", line)
    return training.fit(checked.settings, reporter=reporter, survey=checked.inspection.survey)


def _fine_tuning(
    config: str | os.PathLike[str] | None, run: Path, overrides: dict[str, Any]
) -> tuple[Path, dict[str, Any]]:
    """The configuration of a run, and the settings that fine-tune its network."""
    if config is not None:
        raise UsageError(
            "a fine-tuning has the settings of the run that it starts from", where="--from", found=f"also {config}",
            remedy="leave CONFIG out, and set what differs by flags",
        )  # fmt: skip
    chosen = overrides.get("train.compress")
    method = chosen.value if isinstance(chosen, FlagValue) else chosen
    if method not in FLAGS:
        raise UsageError(
            "it does not say how to fine-tune the run", where="--from",
            expected="--qat, --prune SHARE or --cluster N (in Python compress='qat', 'prune' or 'cluster')",
            found="none of them" if method is None else repr(method),
            remedy=f"to train on as it is: {RunFolder(run).new_run_command(run)}",
        )  # fmt: skip
    return RunFolder(run).args, fine_tuning(run, method) | overrides


def resume(run: str | os.PathLike[str], *, reporter: Reporter | None = None) -> Run:
    """Continue an interrupted training after its last finished epoch, as ``kseg fit --resume`` does.

    Args:
        run: The run folder.
        reporter: Receives the progress. Defaults to a bar and a line for each epoch on stderr.

    Returns:
        The run, with the rows of all epochs.

    Raises:
        UsageError: It is no run folder, or the run has ended, was stopped in its first epoch or is still being trained.
        ArtifactError: The saved state is corrupt, or belongs to another network than args.yaml describes.
        DataError: The images or masks cannot be used, or have changed since the run began.
        ConfigError, TrainingError, OutputError, Interrupted: As in `fit`.

    Example:

    ::

        run = kseg.resume("runs/fit/photos")
    """
    return training.resume(expand_home(run), reporter=reporter or TerminalReporter())
