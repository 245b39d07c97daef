"""What converters print, log and warn of is not for the user: a failure is an error, and the rest their own affair."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from kseg.tensorflow_runtime import quiet_stderr

__all__ = ["silence"]


@contextmanager
def silence() -> Iterator[None]:
    """Suppress stdout (progress bars, too), stderr, log lines and warnings of all libraries.

    Catch errors inside the block: one that leaves it brings the suppressed stderr with it.
    """
    root, disabled, handler = logging.getLogger(), logging.root.manager.disable, logging.NullHandler()
    # Without any handler, `logging.warning` of a library would add one that prints, for the rest of the process.
    root.addHandler(handler)
    logging.disable(logging.CRITICAL)
    try:
        with quiet_stderr(), redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.removeHandler(handler)
