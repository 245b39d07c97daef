"""Read the next pictures in a thread while the network predicts the current one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

__all__ = ["prefetch"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(
    function: Callable[[Item], Result], items: Iterable[Item], *, depth: int = 3
) -> Iterator[tuple[Item, Callable[[], Result]]]:
    """Call ``function`` on the items, in order, in a second thread that runs at most ``depth`` items ahead.

    Yields:
        Each item, and a function that returns its result or raises its exception.
    """
    remaining = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="kseg-prefetch") as pool:
        pending: deque[tuple[Item, Future[Result]]] = deque()
        try:
            pending.extend((item, pool.submit(function, item)) for item in islice(remaining, depth))
            while pending:
                item, future = pending.popleft()
                yield item, future.result
                pending.extend((item, pool.submit(function, item)) for item in islice(remaining, 1))
        finally:
            for _, future in pending:
                future.cancel()
