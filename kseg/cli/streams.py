"""Standard input, output and error as any shell may hand them over: closed, full, or of another encoding than UTF-8."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kseg.errors import OutputError

__all__ = ["discard_stdout", "prepare_streams"]


def prepare_streams() -> None:
    """Make sure that the three standard streams exist, and that no character can make a command fail.

    Characters that the encoding of a stream lacks are escaped. An error of stdout, on which results go, becomes an
    OutputError; what stderr, on which progress and messages go, cannot take is dropped.
    """
    for descriptor in (0, 1, 2):
        _open_if_closed(descriptor)
    # Streams that a test or a notebook has put in place stay as they are.
    if sys.stdout is sys.__stdout__:
        sys.stdout = _Stdout(*_buffer_and_encoding(1), "backslashreplace", line_buffering=os.isatty(1))
    if sys.stderr is sys.__stderr__:
        sys.stderr = _Stderr(*_buffer_and_encoding(2), "backslashreplace", line_buffering=True)


def discard_stdout() -> None:
    """Send to /dev/null what stdout still holds, which Python would write, and complain about, when it ends."""
    with suppress(OSError, ValueError):  # a stream without a file descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Stdout(io.TextIOWrapper):
    """Raises OutputError where it cannot be written; BrokenPipeError, which means no failure, is left as it is."""

    def write(self, text: str) -> int:
        with _stdout_errors():
            return super().write(text)

    def flush(self) -> None:
        with _stdout_errors():
            super().flush()


@contextmanager
def _stdout_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_stdout()
        raise OutputError("cannot be written", where="standard output", found=error.strerror) from error


class _Stderr(io.TextIOWrapper):
    """Drops what cannot be written: a full disk or a closed terminal must not end a training."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def _open_if_closed(descriptor: int) -> None:
    """Open /dev/null, where the next file that is opened would take the number of a standard stream."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one


def _buffer_and_encoding(descriptor: int) -> tuple[io.BufferedWriter, str]:
    stream = sys.__stdout__ if descriptor == 1 else sys.__stderr__
    buffer = open(descriptor, "wb", closefd=False)  # noqa: SIM115  as long as the process
    return buffer, stream.encoding if stream else "utf-8"
