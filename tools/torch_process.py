"""A process that runs a script in another Python, with PyTorch, and exchanges lines of JSON with it."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

__all__ = ["TorchProcess"]


class TorchProcess:
    """A running script.

    Args:
        python: The Python interpreter.
        script: The name of the script in this folder.
        job: Sent to the script as its first line.
        stack: Ends the process when it is closed.
    """

    def __init__(self, python: Path, script: str, job: Any, stack: ExitStack) -> None:
        command = [str(python), str(Path(__file__).with_name(script))]
        process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        stack.callback(self._stdin.close)
        self._stdin.write(json.dumps(job) + "\n")

    def ask(self, *question: Any) -> Any:
        """Send the arguments as a line; returns the line that the script answers."""
        self._stdin.write(json.dumps(question) + "\n")
        return json.loads(self._stdout.readline())
