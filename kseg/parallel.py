"""Call a function on many items in threads. Decoding and networks release the interpreter lock: no processes needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from kseg.processor import usable_cores

T = TypeVar("T")
R = TypeVar("R")

__all__ = ["Progress", "parallel_map", "parallel_results"]

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


def parallel_results(
    function: Callable[[T], R], items: Iterable[T], *, workers: int | None = None
) -> Iterator[tuple[T, Callable[[], R]]]:
    """Call a function on the items in threads, and yield the outcomes one by one, in the order of the items.

    At most ``workers`` items are in work at a time: what is read and dropped inside the function takes no more memory.
    When the iterator is closed, as by an exception or Ctrl-C in the loop over it, the items in work are finished, and
    no other is begun.

    Args:
        function: Called with each item.
        items: The arguments.
        workers: Number of threads. Defaults to one per core.

    Yields:
        Each item, and a function that returns its result or raises its exception.
    """
    threads = workers or usable_cores()
    remaining = iter(items)
    with _serial_opencv(threads), ThreadPoolExecutor(threads, thread_name_prefix="kseg-worker") as pool:
        pending: deque[tuple[T, Future[R]]] = deque()
        try:
            pending.extend((item, pool.submit(function, item)) for item in islice(remaining, 2 * threads))
            while pending:
                item, future = pending.popleft()
                pending.extend((item, pool.submit(function, item)) for item in islice(remaining, 1))
                yield item, future.result
        finally:
            for _, future in pending:
                future.cancel()


@contextmanager
def _serial_opencv(workers: int) -> Iterator[None]:
    """Keep OpenCV from using threads of its own, which would compete with several workers for the cores."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1 if workers > 1 else threads)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
