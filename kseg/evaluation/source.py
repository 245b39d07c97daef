"""Find the data set and the split that a model is evaluated on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from kseg.card import read_card
from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.inspection.fix import read_folder
from kseg.data.sample import SPLITS, SplitName
from kseg.errors import ConfigError, DataError, UsageError
from kseg.images import printable
from kseg.inference import resolve_model
from kseg.labels import LabelMap, format_color
from kseg.run_folder import RunFolder

__all__ = ["choose_split", "load_data"]

_log = logging.getLogger("kseg")


def choose_split(dataset: Dataset, split: SplitName | Literal["all"] | None) -> SplitName | Literal["all"]:
    """The split to score.

    Args:
        dataset: The images and masks.
        split: The split that the user names. None is test, or val if there are no test images, which is logged.

    Raises:
        UnknownNameError: There is no such split.
        DataError: It holds no images; the message names one that does.
    """
    if split is None:
        split = "test" if dataset.splits.get("test") or not dataset.splits.get("val") else "val"
        if split == "val":
            _log.info("no test images: scored on val")
    filled = [name for name in ("val", "test", "train") if dataset.splits.get(name)]
    if split in SPLITS and filled and split not in filled:
        raise DataError(
            f"the split {split!r} holds no images", where=printable(dataset.root),
            expected=f"one of {', '.join(filled)}", remedy=f"use --split {filled[0]}",
        )  # fmt: skip
    dataset.samples(split)
    return split


def load_data(data: Path | None, model: str | Path) -> Dataset:
    """The data set to evaluate a model on.

    Args:
        data: A YAML configuration, a run folder, a ``data.json``, or a folder, which is read as `kseg fit` reads it,
            with the model's classes. None takes the data of the model's run.
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
    return _read_folder(folder, read_card(resolve_model(model)).labels)


def _read_folder(folder: Path, labels: LabelMap) -> Dataset:
    """The data set in a folder, with the model's classes; its mask values may be others than those of the training."""
    classes = {"classes": labels.names, "colors": tuple(map(format_color, labels.colors))}
    values = {"values": dict(labels.values), "match": labels.match, "threshold": labels.threshold}
    try:
        return find_dataset(read_folder(folder, {**classes, **values}, to_train=False).settings)
    except (ConfigError, DataError):
        # Masks of other values, or annotations of objects, which have values of their own.
        return find_dataset(read_folder(folder, classes, to_train=False).settings)
