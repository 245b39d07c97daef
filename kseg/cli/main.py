"""The ``kseg`` command: its subcommands, logging, and errors as one line and an exit code."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

import click

from kseg import __version__
from kseg.cli import benchmark, config, data, demo, evaluate, export, fit, models, predict
from kseg.cli.streams import discard_stdout, prepare_streams
from kseg.errors import Interrupted, KsegError, OutputError
from kseg.signals import StopSignal, handle_signals, raise_stop

__all__ = ["main", "run"]

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
INTERNAL_ERROR = 70  # sysexits.h: EX_SOFTWARE

_SYSTEM_ERRORS: Final = {
    errno.ENOSPC: "free space on the disk; temporary files go to the folder TMPDIR",
    errno.EDQUOT: "free space within your quota; temporary files go to the folder TMPDIR",
    errno.EFBIG: "raise the limit of the size of files (ulimit -f)",
    errno.EROFS: "name a folder that can be written",
    errno.EACCES: "correct the permissions",
    errno.EPERM: "correct the permissions",
    errno.EIO: "check the disk",
    errno.ENOMEM: "free memory",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs, which hold too many files open",
    errno.ENAMETOOLONG: "choose a shorter name",
}
"""What the machine, and no line of kseg, is at fault for → what to do about it."""


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="kseg")
def main() -> None:
    """Train a segmentation network on a folder of images and masks, evaluate it, export it, and measure its speed.

    \b
    Start here:
      kseg demo                                   try everything in three minutes
      kseg fit --data FOLDER                      train on FOLDER/images and FOLDER/masks
      kseg evaluate runs/fit/NAME                 score it on the test split
      kseg predict runs/fit/NAME PHOTOS --out DIR masks for new pictures
      kseg export runs/fit/NAME                   SavedModel, TFLite and int8 TFLite
    """


for module in (demo, data, fit, evaluate, predict, export, benchmark, models, config):
    main.add_command(module.command)


class _Stderr(logging.Handler):
    """Prints log records of kseg on the current stderr, one line each."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        print(prefix + record.getMessage(), file=sys.stderr)


def _set_up_logging() -> None:
    logger = logging.getLogger("kseg")
    if not any(isinstance(handler, _Stderr) for handler in logger.handlers):
        logger.addHandler(_Stderr())
    logger.setLevel(logging.INFO)
    logger.propagate = False


def run(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failure, 2 wrong usage, 130, 143 or 129 stopped by a signal."""
    # Without TensorFlow's C++ log, kseg's own messages can be read.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("GLOG_minloglevel", "2")
    prepare_streams()
    _set_up_logging()
    sys.exit(_run(args))


def _run(args: Sequence[str] | None) -> int:
    """Run the command line; returns the exit code. Errors are printed as one line."""
    try:
        with handle_signals((signal.SIGTERM, signal.SIGHUP), raise_stop):
            code = main.main(args=args, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except KsegError as error:
        return _fail(error)
    except (click.Abort, KeyboardInterrupt) as error:
        # click turns a KeyboardInterrupt into an Abort.
        stop = error.__cause__ if isinstance(error, click.Abort) else error
        return _fail(Interrupted("stopped", number=stop.number if isinstance(stop, StopSignal) else signal.SIGINT))
    except BrokenPipeError:
        # The reader of the output (head, less) has ended; by convention this is not reported.
        discard_stdout()
        return 1
    except OSError as error:
        return _fail(failure) if (failure := _foreseen(error)) else _report_bug(error)
    except Exception as error:
        return _report_bug(error)


def _fail(error: KsegError) -> int:
    # Relative paths lead nowhere then, which is hardly what the message says.
    place = "" if _has_current_folder() else "; the current folder no longer exists: cd to a folder that exists"
    print(f"error: {error}{place}", file=sys.stderr)
    return error.exit_code


def _foreseen(error: OSError) -> KsegError | None:
    """What the system refuses as an error of one line; None for what kseg must not have asked for."""
    if isinstance(error, FileNotFoundError) and not _has_current_folder():
        return OutputError("a relative path cannot be resolved", found=error.filename)
    if error.errno in _SYSTEM_ERRORS:
        return OutputError(
            "the system refused to read or write", where=str(error.filename) if error.filename else None,
            found=error.strerror, remedy=_SYSTEM_ERRORS[error.errno],
        )  # fmt: skip
    return None


def _has_current_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _report_bug(error: Exception) -> int:
    if os.environ.get("KSEG_DEBUG"):
        raise error
    text = " ".join(str(error).split())[:300]
    print(
        f"error: internal error ({type(error).__name__}: {text}); "
        "this is a bug in kseg; run again with KSEG_DEBUG=1 for the traceback",
        file=sys.stderr,
    )
    return INTERNAL_ERROR
