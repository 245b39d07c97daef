"""A training in a process of its own: ``fit`` for what needs Keras 2, which a process has from its beginning or never.

The worker (`kseg.training.worker`) gets the settings as a YAML file and writes one JSON object a line to stdout::

    {"call": "epoch", "arguments": {…}}     a call of the `Reporter`
    {"log": "…", "level": 30}               a message of kseg's logger
    {"run": {…}}                            the result
    {"error": {"type": "DataError", …}}     the `KsegError` instead of it
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

import kseg.errors
from kseg.child_process import python_command
from kseg.config import Config, to_yaml
from kseg.errors import KsegError, TrainingError
from kseg.signals import StopSignal
from kseg.training.reporter import Reporter
from kseg.training.run import Run

__all__ = ["LEGACY_KERAS", "error_message", "fit_in_process", "run_message"]

LEGACY_KERAS: Final = {"TF_USE_LEGACY_KERAS": "1"}
"""The environment in which TensorFlow's Keras is `tf_keras`, Keras 2."""
_PATIENCE: Final = 30.0
"""Seconds in which a worker that is asked to stop has to save its weights, before it is killed."""

_log = logging.getLogger("kseg")


def fit_in_process(config: Config, reporter: Reporter) -> Run:
    """As `kseg.training.fit`, in a fresh process.

    Raises:
        KsegError: What the training raised.
        TrainingError: The process ended without a result (killed, out of memory).
    """
    with tempfile.TemporaryDirectory(prefix="kseg-") as folder, (Path(folder) / "stderr").open("w+b") as stderr:
        settings = Path(folder) / "settings.yaml"
        settings.write_text(to_yaml(config), encoding="utf-8")
        command = python_command("kseg.training.worker", str(settings), str(os.getpid()))
        worker = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True, encoding="utf-8",
            env={**os.environ, **LEGACY_KERAS}, start_new_session=True,  # Ctrl-C reaches it through this process only
        )  # fmt: skip
        try:
            result = _listen(worker, reporter)
        finally:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
            assert worker.stdout is not None
            worker.stdout.close()
            reporter.finished()
        if result is None:
            raise _ended(worker.returncode, stderr)
    if "error" in result:
        raise _error(result["error"])
    return Run(**{**result["run"], "folder": Path(result["run"]["folder"])})


def _listen(worker: subprocess.Popen[str], reporter: Reporter) -> Mapping[str, Any] | None:
    """Pass on what the worker reports until it ends; a signal to this process stops it."""
    try:
        return _pass_on(worker, reporter)
    except KeyboardInterrupt as stop:
        number = stop.number if isinstance(stop, StopSignal) else signal.SIGINT
        worker.send_signal(number)
        # It saves its weights, and ends with an error that says where they are.
        killer = _kill_later(worker)
        result = _pass_on(worker, Reporter())
        killer.cancel()
        if result is None:
            raise
        return result


def _kill_later(worker: subprocess.Popen[str]) -> Any:
    import threading

    timer = threading.Timer(_PATIENCE, worker.kill)
    timer.daemon = True
    timer.start()
    return timer


def _pass_on(worker: subprocess.Popen[str], reporter: Reporter) -> Mapping[str, Any] | None:
    assert worker.stdout is not None
    for line in worker.stdout:
        message: Mapping[str, Any] = json.loads(line)
        if "call" in message:
            arguments = message["arguments"]
            if "folder" in arguments:
                arguments["folder"] = Path(arguments["folder"])
            getattr(reporter, message["call"])(**arguments)
        elif "log" in message:
            _log.log(message["level"], "%s", message["log"])
        else:
            return message
    return None


def _ended(status: int, stderr: IO[bytes]) -> TrainingError:
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").strip().splitlines() or ["no error message"]
    return TrainingError(
        f"the process of the training ended with status {status}", where="train.compress", found=lines[-1][:300],
        remedy="if it was killed, memory may have run out: use a smaller --batch",
    )  # fmt: skip


def run_message(run: Run) -> dict[str, Any]:
    """The message of a result."""
    facts = {"rows": run.rows, "best_epoch": run.best_epoch, "seconds": run.seconds, "stopped_early": run.stopped_early}
    return {"run": {"folder": str(run.folder), **facts}}


def error_message(error: KsegError) -> dict[str, Any]:
    """The message of an error."""
    parts = {name: getattr(error, name) for name in ("what", "where", "expected", "found", "remedy", "exit_code")}
    return {"error": {"type": type(error).__name__, **parts}}


def _error(message: Mapping[str, Any]) -> KsegError:
    parts = dict(message)
    kind, exit_code = getattr(kseg.errors, parts.pop("type")), parts.pop("exit_code")
    if kind is kseg.errors.Interrupted:
        parts["number"] = exit_code - 128
        del parts["expected"]
    error: KsegError = kind(parts.pop("what"), **parts)
    return error
