"""The scores that go to TensorBoard, read back by its own reader."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from kseg.errors import ConfigError, Interrupted
from kseg.training import Reporter, fit
from tests.training.conftest import Listener, config_for

SCORES = ("loss", "iou", "mean_iou", "dice", "accuracy")


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Name → step → value, from all event files of a folder."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard")
    events = reader.EventAccumulator(str(folder), size_guidance={reader.TENSORS: 0})
    events.Reload()
    tensor = pytest.importorskip("tensorflow").make_ndarray
    tags = events.Tags()
    assert not any(tags[costly] for costly in ("graph", "histograms", "images"))
    return {
        name: {event.step: float(tensor(event.tensor_proto)) for event in events.Tensors(name)}
        for name in tags["tensors"]
    }


def test_the_scores_are_those_of_the_table(discs: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    result = fit(config_for(discs, tmp_path, run__tensorboard=True, train__epochs=3))
    train, val = (scalars(result.folder / "tensorboard" / name) for name in ("train", "validation"))
    for score in SCORES:
        for events, column in ((train, score), (val, f"val_{score}")):
            assert events[f"epoch_{score}"] == pytest.approx(
                {step: row[column] for step, row in enumerate(result.rows)}, rel=1e-5
            )
    assert train["epoch_learning_rate"][2] == pytest.approx(result.rows[2]["learning_rate"], rel=1e-5)


def test_a_stop_keeps_the_scores_so_far(discs: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")

    class Impatient(Listener):
        def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
            if (epoch, step) == (2, 2):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        fit(config_for(discs, tmp_path, run__tensorboard=True, train__epochs=9), reporter=Impatient())
    board = next(tmp_path.rglob("tensorboard"))
    for name in ("train", "validation"):
        events = scalars(board / name)
        assert all(set(events[f"epoch_{score}"]) == {0} for score in SCORES)


def test_there_is_none_unless_asked(discs: Path, tmp_path: Path) -> None:
    assert not (fit(config_for(discs, tmp_path, train__epochs=1)).folder / "tensorboard").exists()


class Deaf(Reporter):
    def reading(self, done: int, total: int) -> None:
        raise AssertionError("the data are being read")


def test_tensorboard_that_is_not_installed(discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(
        ConfigError,
        match=r"run\.tensorboard: tensorboard is not installed; expected false without it; found true; "
        r"pip install 'kseg\[tensorboard\]'",
    ):
        fit(config_for(discs, tmp_path, run__tensorboard=True), reporter=Deaf())
