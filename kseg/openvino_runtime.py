"""OpenVINO and NNCF in this process: import them without telemetry, log lines and traces in Python's settings."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from kseg.errors import missing_extra

__all__ = ["load_nncf", "load_openvino"]

_TELEMETRY: Final = "openvino_telemetry"


def load_openvino(*, where: str | None = None) -> Any:
    """Import the package openvino.

    Args:
        where: The file or flag that asked for it, for the error.

    Raises:
        UsageError: kseg's extra ``openvino`` is not installed.
    """
    return _load("openvino", "OpenVINO", where)


def load_nncf(*, where: str | None = None) -> Any:
    """Import the package nncf, which quantises OpenVINO's networks; arguments and errors as of `load_openvino`."""
    return _load("nncf", "NNCF, which quantises for OpenVINO,", where)


def _load(package: str, title: str, where: str | None) -> Any:
    logger_class = logging.getLoggerClass()
    try:
        with _without_telemetry():
            return importlib.import_module(package)
    except ImportError as error:
        raise missing_extra("openvino", f"{title} is not installed", where=where) from error
    finally:
        # NNCF makes its own class that of all loggers to come.
        logging.setLoggerClass(logger_class)


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Hide the package openvino_telemetry, in whose place both use a stub.

    Otherwise ``import openvino`` alone writes an identifier into the home folder and sends events to Google Analytics.
    A program that imported openvino before kseg did has decided for itself.
    """
    earlier = {_TELEMETRY: sys.modules[_TELEMETRY]} if _TELEMETRY in sys.modules else {}
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_TELEMETRY]
        sys.modules.update(earlier)
