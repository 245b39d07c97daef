"""Which images a model is evaluated on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kseg.card import read_card
from kseg.data import Dataset, find_dataset
from kseg.errors import DataError, UsageError
from kseg.images import printable
from kseg.inference import find_run, resolve_model
from kseg.labels import LabelMap

if TYPE_CHECKING:
    from kseg.config import DataConfig

__all__ = ["dataset_of", "load_data"]

RECORD = "data.json"


def load_data(data: Path | None, model: str | Path) -> Dataset:
    """The dataset to evaluate a model on.

    Args:
        data: A YAML configuration, a run folder, a ``data.json``, or a folder with ``images/`` and ``masks/``, which is
            read with the model's own labels and split as `kseg fit` splits a bare folder. None takes the data of the
            run that the model lies in.
        model: The run folder or model.

    Raises:
        UsageError: No data are named and the model lies in no run.
        ConfigError, DataError: The data cannot be used.
        ArtifactError: The model is none.
    """
    if data is None:
        return Dataset.load(_run_of(model) / RECORD)
    if not data.exists():
        raise UsageError("no such file or folder", where="--data", found=printable(data))
    if data.is_dir():
        return _from_folder(data, model)
    if data.suffix.lower() in (".yaml", ".yml"):
        from kseg.config import load_config

        return dataset_of(load_config(data).data)
    if data.suffix.lower() == ".json":
        return Dataset.load(data)
    raise UsageError(
        "not a description of data", where="--data", found=printable(data),
        expected=f"a YAML configuration, a run folder, a {RECORD}, or a folder with images and masks",
    )  # fmt: skip


def dataset_of(data: DataConfig) -> Dataset:
    """The dataset that a configuration describes. Raises ConfigError or DataError."""
    return find_dataset(**data.model_dump())


def _run_of(model: str | Path) -> Path:
    run = find_run(resolve_model(model))
    if run is None:
        raise UsageError(
            "the model lies in no run, so its images are not known", where=printable(model),
            remedy="add --data with a configuration, a run folder, a data.json, or a folder of images and masks",
        )  # fmt: skip
    return run


def _from_folder(folder: Path, model: str | Path) -> Dataset:
    if (folder / RECORD).is_file():
        return Dataset.load(folder / RECORD)
    labels = read_card(resolve_model(model)).labels
    missing = [name for name in ("images", "masks") if not (folder / name).is_dir()]
    if missing:
        raise DataError(
            f"the folder holds no {' and no '.join(missing)} folder", where=printable(folder),
            expected="images/ and masks/", remedy="describe another layout in a YAML file: --data data.yaml",
        )  # fmt: skip
    return find_dataset(
        root=folder, classes=labels.names, values=labels.values, colors=_hex(labels), match=labels.match,
        threshold=labels.threshold,
    )  # fmt: skip


def _hex(labels: LabelMap) -> list[str]:
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in labels.colors]
