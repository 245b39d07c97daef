"""Processes of Python that run a module of kseg, with the libraries of this process and nothing of the user's."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Final

import kseg

__all__ = ["end_with", "python_command"]

_PR_SET_PDEATHSIG: Final = 1
"""From linux/prctl.h."""


def python_command(module: str, *arguments: str) -> list[str]:
    """The command of a fresh process that calls ``main()`` of a module of kseg and ends with its exit code.

    Not ``python -m``, which imports the user's files in the current folder (random.py, types.py) in place of the
    library's.

    Args:
        module: Its dotted name.
        arguments: ``sys.argv[1:]`` of the process.
    """
    program = f"import sys; sys.path[:] = {_import_path()!r}; from {module} import main; sys.exit(main())"
    return [sys.executable, "-c", program, *arguments]


def end_with(parent: int) -> None:
    """End this process as soon as its parent ends, even by SIGKILL. Does nothing on other systems than Linux."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        os.kill(os.getpid(), signal.SIGKILL)


def _import_path() -> list[str]:
    """The folders that this process imports from, without the current one, and with that of this copy of kseg."""
    folders = [folder for folder in sys.path if folder and not _is_current(folder)]
    root = str(Path(kseg.__file__).resolve().parent.parent)
    # At the end, so that nothing beside kseg comes before the standard library.
    return folders if root in folders else [*folders, root]


def _is_current(folder: str) -> bool:
    try:
        return os.path.samefile(folder, ".")
    except OSError:  # a zip file of modules, or one of the two folders is gone
        return False
