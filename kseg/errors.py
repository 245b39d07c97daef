"""The errors that a user can meet, and the exit code of each.

::

    KsegError                      1   any failure that kseg foresees
    ├── UsageError                 2   the command or its configuration is wrong
    │   ├── ConfigError            2   a key, a value or a path of the configuration
    │   └── UnknownNameError       2   a name is not among the valid ones (did you mean …?)
    ├── DataError                  1   the images and masks
    │   └── ImageError             1   one file that cannot be read as what it should be
    ├── ArtifactError              1   a model file: corrupt, not ours, or of the wrong kind
    ├── TrainingError              1   a training cannot continue (NaN loss, …)
    ├── OutputError                1   a file or folder that cannot be written
    ├── PartialFailure             1   most of the work is done, some inputs failed
    ├── ParityFailure              3   an exported file is not the model that was trained any more; kept by --force only
    └── Interrupted              130   the user stopped it, results so far are on disk; by SIGTERM 143, by SIGHUP 129

Every message is one line: where, what, expected, found, remedy. No user input may end in a traceback.
"""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Iterable
from os import PathLike, fspath
from typing import Final

__all__ = [
    "ArtifactError",
    "ConfigError",
    "DataError",
    "ImageError",
    "Interrupted",
    "KsegError",
    "OutputError",
    "ParityFailure",
    "PartialFailure",
    "TrainingError",
    "UnknownNameError",
    "UsageError",
    "abbreviate",
    "missing_extra",
    "shell_command",
]

_LINE_BREAK: Final = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")


class KsegError(Exception):
    """A failure that kseg foresees, as a message of one line.

    Args:
        what: What is wrong, as a sentence without a full stop.
        where: The file, key or flag in which it is wrong.
        expected: What would have been right.
        found: What was there instead.
        remedy: What to do about it.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.found = found
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        parts = [head]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.found:
            parts.append(f"found {self.found}")
        if self.remedy:
            parts.append(self.remedy)
        # A file name may hold a newline; a message may not. Its blanks stay: the remedy may be a command with a path.
        return _LINE_BREAK.sub(" ", "; ".join(parts)).strip()


class UsageError(KsegError):
    """The command line asks for something that cannot be done."""

    exit_code = 2


class ConfigError(UsageError):
    """A key, a value or a path of the configuration is wrong."""


class UnknownNameError(UsageError):
    """A name is not among the valid ones; the message lists these and suggests the closest."""


class DataError(KsegError):
    """The images and masks cannot be used as they are."""


class ImageError(DataError):
    """One file cannot be read as the image or mask that it should be."""


class ArtifactError(KsegError):
    """A model file is corrupt, not kseg's, or of the wrong kind."""


class TrainingError(KsegError):
    """A training cannot continue, for example because its loss is NaN."""


class OutputError(KsegError):
    """A file or folder cannot be written."""


class PartialFailure(KsegError):
    """Most of the work is done; some inputs failed, and each of them was reported."""


class ParityFailure(KsegError):
    """An exported file scores or predicts too differently from its model; with ``--force`` it was kept nevertheless.

    The exit code is its own, so that a script can tell a bad artifact from an export that did not work.
    """

    exit_code = 3


class Interrupted(KsegError):
    """The user stopped the command (Ctrl-C), or a signal did.

    Args:
        what, where, found, remedy: As in `KsegError`.
        number: The signal, by which a shell knows the reason of the end: the exit code is 128 plus this number.
    """

    exit_code = 128 + signal.SIGINT

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
        number: int = signal.SIGINT,
    ) -> None:
        super().__init__(what, where=where, found=found, remedy=remedy)
        self.exit_code = 128 + number


def shell_command(*words: str | PathLike[str]) -> str:
    """A command for the user to paste: ``words`` joined by blanks, those with special characters quoted."""
    return shlex.join(fspath(word) for word in words)


def abbreviate(items: Iterable[object], limit: int = 5) -> str:
    """The first ``limit`` items, joined for a message: ``a, b, c and 12 more``."""
    names = [str(item) for item in items]
    shown = ", ".join(names[:limit])
    hidden = len(names) - limit
    return f"{shown} and {hidden} more" if hidden > 0 else shown


def missing_extra(extra: str, what: str, *, where: str | None = None) -> UsageError:
    """The error for packages that are not installed, with the extra of kseg that installs them.

    Args:
        extra: The name of the extra in setup.cfg.
        what: What is missing, as a sentence without a full stop.
        where: The file or flag that asked for it.
    """
    return UsageError(what, where=where, remedy=f"pip install 'kseg[{extra}]'")
