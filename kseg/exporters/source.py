"""Which Keras model is exported, and what its export is called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from kseg.errors import ArtifactError, UsageError
from kseg.inference import resolve_model
from kseg.run_folder import RunFolder

__all__ = ["Source", "find_source"]


class Source(NamedTuple):
    """A model to export: its ``.keras`` file, and the name of its export."""

    path: Path
    name: str


def find_source(model: str | os.PathLike[str], *, data_named: bool) -> Source:
    """The Keras model that a path stands for; its export is called as its run, else as the file.

    Args:
        model: A run folder or a ``.keras`` file.
        data_named: Whether the user says which data the model was trained on; needed where it lies in no run.

    Raises:
        ArtifactError: There is no such model, or it is none of Keras.
        UsageError: It lies in no run, and the data are not named.
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
            "the model lies in no run, so its images are not known", where=os.fspath(model),
            remedy="add --data with the data that it was trained on, to calibrate and to score",
        )  # fmt: skip
    return Source(path, run.path.resolve().name if run else path.stem)
