"""Map a function over many files in threads. Decoding releases the interpreter lock, so processes are not needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kseg.processor import usable_cores

T = TypeVar("T")
R = TypeVar("R")

__all__ = ["Progress", "parallel_map"]

Progress = Callable[[int, int], None]
"""Called with the number of finished items and the total."""


def parallel_map(
    function: Callable[[T], R],
    items: Sequence[T],
    *,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> list[R]:
    """``[function(item) for item in items]``, computed in threads.

    Args:
        function: Called with each item; its first exception is raised.
        items: The arguments.
        workers: Number of threads. Defaults to one per core.
        on_progress: Called after each item.

    Returns:
        The results, in the order of the items.
    """
    results: list[R] = []
    with ThreadPoolExecutor(workers or usable_cores()) as pool:
        for result in pool.map(function, items):
            results.append(result)
            if on_progress is not None:
                on_progress(len(results), len(items))
    return results
