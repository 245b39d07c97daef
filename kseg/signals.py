"""Signals that ask the process to stop: Ctrl-C, SIGTERM (kill, batch systems) and SIGHUP (its terminal is gone)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

__all__ = ["STOP_SIGNALS", "StopSignal", "handle_signals", "raise_stop"]

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignal(KeyboardInterrupt):
    """One of `STOP_SIGNALS` as an exception: what cleans up after Ctrl-C does so after the others, too.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.strsignal(number))
        self.number = number


@contextmanager
def handle_signals(
    numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Handle signals within the block; the earlier handlers are restored after it.

    Signals that the process ignores stay ignored (SIGHUP under nohup, SIGINT in a shell's background). In another
    thread than the main one, which receives no signals, nothing is changed.

    Args:
        numbers: The signals.
        handler: As `signal.signal` takes it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = {number: signal.getsignal(number) for number in numbers}
    handled = [number for number in earlier if earlier[number] not in (signal.SIG_IGN, None)]
    for number in handled:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, earlier[number])


def raise_stop(number: int, frame: FrameType | None) -> None:
    """A handler that raises `StopSignal`."""
    del frame
    raise StopSignal(number)
