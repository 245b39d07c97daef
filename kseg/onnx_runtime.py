"""ONNX Runtime in this process: import it without telemetry."""

from __future__ import annotations

import os
from typing import Any

from kseg.errors import missing_extra

__all__ = ["load_onnxruntime"]


def load_onnxruntime(*, where: str | None = None) -> Any:
    """Import the package onnxruntime.

    Since version 1.32 its first session writes an identifier into ``~/.cache/Microsoft`` and reports to Microsoft; only
    the environment variable that is set here prevents it, and only before the import.

    Args:
        where: The file or flag that asked for it, for the error.

    Raises:
        UsageError: kseg's extra ``onnx`` is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise missing_extra("onnx", "ONNX Runtime is not installed", where=where) from error
    return onnxruntime
