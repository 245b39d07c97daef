"""A small data set of bright discs on a noisy ground, and one training that several tests look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from kseg.config import Config, load_config
from kseg.run_folder import EpochRow
from kseg.training import Reporter, Run, fit
from kseg.training.data import TrainingData, prepare_data


def draw_discs(folder: Path, count: int, size: int = 32) -> Path:
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for i in range(count):
        mask = np.zeros((size, size), np.uint8)
        cv2.circle(mask, tuple(int(v) for v in rng.integers(8, size - 8, 2)), int(rng.integers(4, 8)), 255, -1)
        image = rng.integers(0, 90, (size, size, 3)) + (mask[..., None] > 0) * np.array([120, 90, 60])
        cv2.imwrite(str(folder / "images" / f"{i:03}.png"), image.astype(np.uint8))
        cv2.imwrite(str(folder / "masks" / f"{i:03}.png"), mask)
    return folder


def config_for(data: Path, project: Path, **settings: Any) -> Config:
    defaults = {
        "data.root": str(data),
        "data.classes": ["background", "disc"],
        "data.values": {0: "background", 255: "disc"},
        "model.widths": [4, 8],
        "train.imgsz": 32,
        "train.epochs": 2,
        "train.batch": 4,
        "train.lr": 1e-2,
        "train.precision": "float32",
        "run.project": str(project),
    }
    return load_config(None, {**defaults, **{key.replace("__", "."): value for key, value in settings.items()}})


def prepare(config: Config) -> TrainingData:
    return prepare_data(config.data, config.train, config.augment)


class Listener(Reporter):
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.rows: list[EpochRow] = []

    def started(self, folder: Path, facts: Any) -> None:
        self.heard.append("started")

    def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
        self.heard.append(f"{epoch}:{step}/{steps}")

    def epoch(self, row: EpochRow, epochs: int, *, best: bool) -> None:
        self.rows.append(row)

    def finished(self) -> None:
        self.heard.append("finished")


@pytest.fixture(scope="session")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_discs(tmp_path_factory.mktemp("discs"), 24)


@pytest.fixture(scope="session")
def trained(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Listener]:
    """Four epochs; 19 images to train on, 2 to validate, 3 to test or so, as the hash has it."""
    listener = Listener()
    config = config_for(discs, tmp_path_factory.mktemp("project"), train__epochs=8, run__name="first")
    return fit(config, reporter=listener), listener


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> list[keras.Model]:
    """The networks that were trained."""
    networks: list[keras.Model] = []
    original = keras.Model.fit

    def spy(model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        networks.append(model)
        return original(model, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", spy)
    return networks
