"""Do the same to many files at once. Decoding releases the interpreter lock, so threads are enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kseg.processor import usable_cores

T = TypeVar("T")
R = TypeVar("R")

__all__ = ["Progress", "parallel_map"]

Progress = Callable[[int, int], None]
"""Called with how many are done, and of how many."""


def parallel_map(
    function: Callable[[T], R],
    items: Sequence[T],
    *,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> list[R]:
    """``[function(item) for item in items]`` in threads.

    Args:
        function: What to do; the first exception ends the work.
        items: What to do it to.
        workers: How many threads. Defaults to one a core.
        on_progress: Told after each item.
    """
    results: list[R] = []
    with ThreadPoolExecutor(workers or usable_cores()) as pool:
        for result in pool.map(function, items):
            results.append(result)
            if on_progress is not None:
                on_progress(len(results), len(items))
    return results
