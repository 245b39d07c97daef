"""Find the data set that a model is evaluated on."""

from __future__ import annotations

from pathlib import Path

from kseg.card import read_card
from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.spec import DataSpec
from kseg.errors import DataError, UsageError
from kseg.images import printable
from kseg.inference import resolve_model
from kseg.labels import format_color
from kseg.run_folder import RunFolder

__all__ = ["load_data"]


def load_data(data: Path | None, model: str | Path) -> Dataset:
    """The data set to evaluate a model on.

    Args:
        data: A YAML configuration, a run folder, a ``data.json``, or a folder with ``images/`` and ``masks/``, which is
            read with the model's own labels and split as `kseg fit` splits a bare folder. None takes the data of the
            model's run.
        model: The run folder or model.

    Raises:
        UsageError: ``data`` is None and the model is not in a run folder, or ``data`` is none of these.
        ConfigError, DataError: The data cannot be used.
        ArtifactError: There is no such model.
    """
    if data is None:
        return Dataset.load(_run_of(model).data)
    if not data.exists():
        raise UsageError("no such file or folder", where="--data", found=printable(data))
    if data.is_dir():
        return _from_folder(data, model)
    if data.suffix.lower() in (".yaml", ".yml"):
        from kseg.config import load_config

        return find_dataset(load_config(data).data)
    if data.suffix.lower() == ".json":
        return Dataset.load(data)
    raise UsageError(
        "not a description of data", where="--data", found=printable(data),
        expected="a YAML configuration, a run folder, a data.json, or a folder with images and masks",
    )  # fmt: skip


def _run_of(model: str | Path) -> RunFolder:
    run = RunFolder.containing(resolve_model(model))
    if run is None:
        raise UsageError(
            "the model is not in a run folder, so its data are unknown", where=printable(model),
            remedy="add --data with a configuration, a run folder, a data.json, or a folder of images and masks",
        )  # fmt: skip
    return run


def _from_folder(folder: Path, model: str | Path) -> Dataset:
    record = RunFolder(folder).data
    if record.is_file():
        return Dataset.load(record)
    labels = read_card(resolve_model(model)).labels
    missing = [name for name in ("images", "masks") if not (folder / name).is_dir()]
    if missing:
        raise DataError(
            f"the folder holds no {' and no '.join(missing)} folder", where=printable(folder),
            expected="images/ and masks/", remedy="describe another layout in a YAML file: --data data.yaml",
        )  # fmt: skip
    colors = tuple(map(format_color, labels.colors))
    return find_dataset(
        DataSpec(
            folder, classes=labels.names, values=dict(labels.values), colors=colors, match=labels.match,
            threshold=labels.threshold,
        )
    )  # fmt: skip
