"""The process of a training that needs Keras 2: ``main`` with the settings' file and the parent's id as arguments.

`kseg.training.process` starts it, and describes what it writes to stdout.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from kseg.child_process import end_with
from kseg.config import load_config
from kseg.errors import Interrupted, KsegError
from kseg.run_folder import EpochRow
from kseg.signals import STOP_SIGNALS, StopSignal, handle_signals, raise_stop
from kseg.training.fit import fit_here
from kseg.training.process import error_message, run_message
from kseg.training.reporter import Reporter

__all__ = ["main"]


class _Messages(Reporter):
    """Writes each call as a line of JSON.

    Args:
        out: Where to.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, message: Mapping[str, Any]) -> None:
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()

    def _call(self, name: str, **arguments: Any) -> None:
        self.write({"call": name, "arguments": arguments})

    def reading(self, done: int, total: int) -> None:
        self._call("reading", done=done, total=total)

    def started(self, folder: Path, facts: Mapping[str, str]) -> None:
        self._call("started", folder=str(folder), facts=dict(facts))

    def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
        self._call("step", epoch=epoch, step=step, steps=steps, images_per_s=images_per_s, loss=loss)

    def epoch(self, row: EpochRow, epochs: int, *, best: bool) -> None:
        self._call("epoch", row=dict(row), epochs=epochs, best=best)


class _LogMessages(logging.Handler):
    def __init__(self, messages: _Messages) -> None:
        super().__init__()
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.write({"log": record.getMessage(), "level": record.levelno})


def main() -> int:
    """Train as the settings say, and write messages to stdout; returns the exit code."""
    _, settings, parent = sys.argv
    end_with(int(parent))
    # What libraries print on stdout goes to stderr, so that it does not mix with the messages.
    messages = _Messages(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    logger = logging.getLogger("kseg")
    logger.setLevel(logging.INFO)
    logger.addHandler(_LogMessages(messages))
    logger.propagate = False
    try:
        # A signal before the first step ends it at once; from then on the training stops after a step.
        with handle_signals(STOP_SIGNALS, raise_stop):
            messages.write(run_message(fit_here(load_config(settings), reporter=messages)))
    except KsegError as error:
        messages.write(error_message(error))
        return error.exit_code
    except KeyboardInterrupt as stop:
        number = stop.number if isinstance(stop, StopSignal) else signal.SIGINT
        messages.write(error_message(Interrupted("stopped before the first step", number=number)))
        return 128 + number
    return 0
