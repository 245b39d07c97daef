"""The stopwatch: every file is called in turn, and a disturbance does not count."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from kseg.card import ModelCard
from kseg.exporters.ladder.stopwatch import latencies_ms
from kseg.inference import Predictor
from kseg.labels import LabelMap

CARD = ModelCard("x", "none", 4, 6, LabelMap(("background", "x")))


class Clock:
    """A clock that moves on when a file is called."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def __call__(self) -> float:
        return self.now

    def file(self, name: str, seconds: float, *, disturbed: int = 0) -> Predictor:
        """A file whose every call takes so long, and ten times as long every ``disturbed`` calls."""

        def run(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
            assert images.shape == (1, 4, 6, 3)
            self.calls.append(name)
            slow = disturbed and self.calls.count(name) % disturbed == 0
            self.now += seconds * (10 if slow else 1)
            return np.zeros((1, 4, 6, 1), np.float32)

        return Predictor(run, CARD)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("kseg.exporters.ladder.stopwatch.perf_counter", clock)
    return clock


def test_files_are_measured_in_turn(clock: Clock) -> None:
    files = {"a": clock.file("a", 0.0005), "b": clock.file("b", 0.001, disturbed=3)}
    assert latencies_ms(files) == pytest.approx({"a": 0.5, "b": 1.0})
    assert "".join(clock.calls) == ("a" * 7 + "b" * 7) * 7


def test_a_slow_file_is_called_less_often(clock: Clock) -> None:
    assert latencies_ms({"slow": clock.file("slow", 2.0)}) == pytest.approx({"slow": 2000.0})
    assert len(clock.calls) == 7 * 2
