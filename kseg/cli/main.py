"""The ``kseg`` command: its subcommands, logging, and errors as one line and an exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

import click

from kseg import __version__
from kseg.cli import benchmark, config, data, demo, evaluate, export, fit, models, predict
from kseg.errors import Interrupted, KsegError

__all__ = ["main", "run"]

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
INTERNAL_ERROR = 70  # sysexits.h: EX_SOFTWARE


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
        click.echo(prefix + record.getMessage(), err=True)


def _set_up_logging() -> None:
    logger = logging.getLogger("kseg")
    if not any(isinstance(handler, _Stderr) for handler in logger.handlers):
        logger.addHandler(_Stderr())
    logger.setLevel(logging.INFO)
    logger.propagate = False


def run(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failure, 2 wrong usage, 130 stopped by the user."""
    # Without TensorFlow's C++ log, kseg's own messages can be read.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("GLOG_minloglevel", "2")
    _set_up_logging()
    try:
        code = main.main(args=args, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except KsegError as error:
        click.echo(f"error: {error}", err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("error: stopped", err=True)
        code = Interrupted.exit_code
    except BrokenPipeError:
        # The reader of the output (head, less) has ended; by convention this is not reported.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        if os.environ.get("KSEG_DEBUG"):
            raise
        click.echo(
            f"error: internal error ({type(error).__name__}: {' '.join(str(error).split())[:300]}); "
            "this is a bug in kseg; run again with KSEG_DEBUG=1 for the traceback",
            err=True,
        )
        code = INTERNAL_ERROR
    sys.exit(code if isinstance(code, int) else 0)
