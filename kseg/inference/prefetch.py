"""Read the next pictures while the network works on this one."""

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
    """Call ``function`` on the items, in order, in a second thread that is at most ``depth`` items ahead.

    Yields:
        Each item, and a function that returns its result or raises its exception.
    """
    rest = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="kseg-prefetch") as pool:
        waiting: deque[tuple[Item, Future[Result]]] = deque()
        try:
            waiting.extend((item, pool.submit(function, item)) for item in islice(rest, depth))
            while waiting:
                item, future = waiting.popleft()
                yield item, future.result
                waiting.extend((item, pool.submit(function, item)) for item in islice(rest, 1))
        finally:
            for _, future in waiting:
                future.cancel()
