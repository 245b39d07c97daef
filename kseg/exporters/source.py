"""Find the Keras model to export, and the name of the export."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from kseg.errors import ArtifactError, UsageError
from kseg.inference import resolve_model
from kseg.run_folder import RunFolder

__all__ = ["ExportSource", "find_source"]


class ExportSource(NamedTuple):
    """A model to export.

    Args:
        path: The ``.keras`` file.
        name: The name of the export, from which its default folder follows.
    """

    path: Path
    name: str


def find_source(model: str | os.PathLike[str], *, data_named: bool) -> ExportSource:
    """Find the ``.keras`` file of a run or path. The export is named after the run, else after the file.

    Args:
        model: A run folder or a ``.keras`` file.
        data_named: Whether the user names the data of the model; required if the file is not in a run folder.

    Raises:
        ArtifactError: There is no such model, or it is not a Keras model.
        UsageError: The file is not in a run folder, and the data are not named.
    """
    path = resolve_model(model)
    if path.suffix != ".keras":
        raise ArtifactError(
            "only a Keras model can be exported", where=str(path), expected="a run folder or a .keras file",
            remedy="export the run that it came from",
        )  # fmt: skip
    run = RunFolder.containing(path)
    if run is None and not data_named:
        raise UsageError(
            "the model is not in a run folder, so its data are unknown", where=os.fspath(model),
            remedy="add --data with the data that it was trained on, to calibrate and to score",
        )  # fmt: skip
    return ExportSource(path, run.path.resolve().name if run else path.stem)
