"""Write files in a thread, so that the training does not wait for the disk."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["Writer"]


class Writer:
    """Runs the submitted writes in one thread, in their order; after a write that failed, it skips the later ones."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._pending: list[Future[None]] = []
        self._failed = False

    def submit(self, write: Callable[[], None]) -> None:
        """Queue a write; it is called when the earlier ones have returned."""
        self._pending.append(self._thread.submit(self._run, write))

    def _run(self, write: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            write()
        except BaseException:
            self._failed = True
            raise

    def wait(self) -> None:
        """Return when all writes are done. Raises the exception of one that failed."""
        while self._pending:
            self._pending.pop(0).result()
