"""Epochs that stay: their weights and pictures, written beside the training."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from kseg.card import read_card
from kseg.data.dataset import Dataset
from kseg.data.pipeline.arrays import load_arrays
from kseg.errors import Interrupted, OutputError
from kseg.models import load_model
from kseg.training import Reporter, Run, fit
from kseg.training.pictures import MAX_ROWS, ValidationPanel
from tests.training.conftest import Listener, config_for

AVERAGED = {"train__average": 2, "train__patience": 0, "train__epochs": 5}


@pytest.fixture(scope="module")
def kept(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fit(config_for(discs, tmp_path_factory.mktemp("project"), run__save_every=2, **AVERAGED))


def test_every_second_epoch_stays(kept: Run) -> None:
    files = {path.name for path in kept.folder.rglob("*") if path.suffix in {".keras", ".jpg"}}
    assert files == {
        "best.keras", "last.keras", "epoch_0002.keras", "epoch_0004.keras",
        "train_batch.jpg", "val_pred.jpg", "val_pred_0002.jpg", "val_pred_0004.jpg",
    }  # fmt: skip


@pytest.mark.parametrize("epoch", [2, 4])
def test_it_is_the_averaged_network_that_was_scored(kept: Run, epoch: int) -> None:
    model, card = load_model(kept.folder / "weights" / f"epoch_{epoch:04}.keras")
    row = kept.rows[epoch - 1]
    assert card.provenance["epoch"] == epoch
    assert card.provenance["scores"]["val_loss"] == pytest.approx(row["val_loss"], abs=1e-5)
    dataset = Dataset.load(kept.folder / "data.json")
    data = load_arrays(dataset.samples("val"), dataset.labels, (32, 32))
    scores = np.asarray(model(data.images.astype(np.float32)))[..., 0].astype(np.float64)
    expected = -np.mean(np.log(np.where(data.masks == 1, scores, 1 - scores)))
    assert row["val_loss"] == pytest.approx(expected, rel=1e-3)


def test_the_picture_shows_what_the_file_finds(kept: Run, tmp_path: Path) -> None:
    dataset = Dataset.load(kept.folder / "data.json")
    panel = ValidationPanel.of(dataset.samples("val"), dataset.labels, (32, 32))
    assert len(panel.samples.images) == min(MAX_ROWS, len(dataset.samples("val")))
    for epoch in (2, 4):
        panel.draw(tmp_path / "again.jpg", *load_model(kept.folder / "weights" / f"epoch_{epoch:04}.keras"))
        assert (kept.folder / f"val_pred_{epoch:04}.jpg").read_bytes() == (tmp_path / "again.jpg").read_bytes()


def test_an_epoch_that_is_the_best_shares_its_bytes_as_the_best_does(discs: Path, tmp_path: Path) -> None:
    folder = fit(config_for(discs, tmp_path, run__save_every=1, train__epochs=1)).folder
    checkpoint, *others = (folder / "weights" / f"{name}.keras" for name in ("epoch_0001", "best", "last"))
    assert all(checkpoint.samefile(copy) for copy in others)


def test_a_stop_leaves_the_epochs_that_stay_alone(discs: Path, tmp_path: Path) -> None:
    class Impatient(Listener):
        def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
            if (epoch, step) == (3, 3):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        fit(config_for(discs, tmp_path, run__save_every=2, train__epochs=9), reporter=Impatient())
    weights = next(tmp_path.rglob("weights"))
    names = ["best.keras", "epoch_0002.keras", "last.keras", "training.npz"]
    assert sorted(path.name for path in weights.iterdir()) == names
    stayed, last = (load_model(weights / f"{name}.keras")[0].get_weights() for name in ("epoch_0002", "last"))
    assert read_card(weights / "epoch_0002.keras").provenance["scores"]
    assert not np.array_equal(stayed[0], last[0])


def test_a_picture_that_cannot_be_written_ends_the_training(discs: Path, tmp_path: Path) -> None:
    class Obstacle(Reporter):
        def started(self, folder: Path, facts: Mapping[str, str]) -> None:
            (folder / "val_pred_0001.jpg" / "x").mkdir(parents=True)

    with pytest.raises(OutputError, match=r"val_pred_0001\.jpg: cannot write the file"):
        fit(config_for(discs, tmp_path, run__save_every=1, train__epochs=9), reporter=Obstacle())
    assert len(next(tmp_path.rglob("results.csv")).read_text().splitlines()) == 2
    assert read_card(next(tmp_path.rglob("epoch_0001.keras"))).provenance["epoch"] == 1
