"""The latency of several files on this machine, measured in turn so that all of them share what else it is doing."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from time import perf_counter
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from kseg.inference import Predictor

__all__ = ["latencies_ms"]

_ROUNDS: Final = 7
_CALLS: Final = 6
_BUDGET_MS: Final = 100.0
"""A file that takes longer for its calls of a round is called less often."""

Name = TypeVar("Name")


def latencies_ms(predictors: Mapping[Name, Predictor]) -> dict[Name, float]:
    """The time of a call with one image, in milliseconds: of seven rounds of six calls the median of the fastest.

    The fastest of a round leaves out what else the machine did meanwhile, and the median a round that was disturbed as
    a whole. ``kseg benchmark`` measures each file in a process of its own, with percentiles and memory; this tells
    files apart that differ by some per cent.

    Args:
        predictors: Name → the file, loaded.
    """
    times: dict[Name, list[float]] = {name: [] for name in predictors}
    for _ in range(_ROUNDS):
        for name, predictor in predictors.items():
            times[name].append(_fastest_ms(predictor))
    return {name: statistics.median(values) for name, values in times.items()}


def _fastest_ms(predictor: Predictor) -> float:
    image = np.full((1, predictor.card.height, predictor.card.width, 3), 127, np.uint8)
    # Not counted: the threads of the file before spin for a while, and the caches hold its weights.
    untimed = _call_ms(predictor, image)
    calls = min(_CALLS, max(1, round(_BUDGET_MS / untimed)))
    return min(_call_ms(predictor, image) for _ in range(calls))


def _call_ms(predictor: Predictor, image: npt.NDArray[np.uint8]) -> float:
    start = perf_counter()
    predictor.run(image)
    return (perf_counter() - start) * 1000
