"""A program that runs in another Python, with PyTorch, and answers questions line by line."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

__all__ = ["TorchSide"]


class TorchSide:
    """Starts ``script`` in ``python`` and sends it ``work`` as its first line of JSON; it ends with the stack."""

    def __init__(self, python: Path, script: str, work: Any, stack: ExitStack) -> None:
        command = [str(python), str(Path(__file__).with_name(script))]
        process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._sending, self._answers = process.stdin, process.stdout
        stack.callback(self._sending.close)
        self._sending.write(json.dumps(work) + "\n")

    def ask(self, *question: Any) -> Any:
        """Send one line of JSON; the answer's."""
        self._sending.write(json.dumps(question) + "\n")
        return json.loads(self._answers.readline())
