"""Files written beside the training, so that it need not wait for the disk."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["Writer"]


class Writer:
    """Writes one after the other, in the order given. After one that failed, none of the later ones is begun."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._under_way: list[Future[None]] = []
        self._failed = False

    def submit(self, write: Callable[[], None]) -> None:
        """Have it called when those before it are done."""
        self._under_way.append(self._thread.submit(self._run, write))

    def _run(self, write: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            write()
        except BaseException:
            self._failed = True
            raise

    def wait(self) -> None:
        """Return when all is written. Raises what a write has raised."""
        while self._under_way:
            self._under_way.pop(0).result()
