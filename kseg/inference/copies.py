"""Copies of a network side by side, for threads that predict many pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from queue import LifoQueue
from typing import Final

from kseg.inference.predictor import Pixels, Predictor, Run, Scores
from kseg.processor import usable_cores

__all__ = ["Copies", "for_threads", "number_of_copies"]

_MOST: Final = 8
"""Each copy has memory of its own; with more cores than this, a copy gets several threads."""
_PICTURES_PER_COPY: Final = 8
"""Loading a copy takes as long as a few pictures."""


class Copies:
    """Copies of a network as a single function that threads may call at once: a call takes a copy that is free.

    Copies with a thread each predict more pictures a second than a single one with all threads, which wait for one
    another at every layer: 1.3 to 1.7 times as many on 2 cores, of the same scores bit for bit.

    Args:
        runs: The copies. One alone is called by one thread at a time.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.count = len(runs)
        # The last one used is the first one taken: its memory may still be in the processor's cache.
        self._free: LifoQueue[Run] = LifoQueue()
        for run in runs:
            self._free.put(run)

    def __call__(self, images: Pixels) -> Scores:
        run = self._free.get()
        try:
            return run(images)
        finally:
            self._free.put(run)


def for_threads(predictor: Predictor) -> Predictor:
    """The predictor, whose network threads may call at once; each call waits for its turn."""
    return predictor if isinstance(predictor.run, Copies) else replace(predictor, run=Copies([predictor.run]))


def number_of_copies(pictures: int, threads: int | None) -> int:
    """How many copies to load for so many pictures; ``threads`` are shared among them (None: all cores)."""
    return max(1, min(threads or usable_cores(), _MOST, pictures // _PICTURES_PER_COPY))
