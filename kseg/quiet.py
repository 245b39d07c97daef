"""Import TensorFlow: without its log lines, which would bury the one line that matters, and by oneDNN on request."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kseg.processor import is_x86

__all__ = ["computes_by_onednn", "load_tensorflow", "quiet_stderr"]

_ONEDNN: Final = "TF_ENABLE_ONEDNN_OPTS"
"""Read by TensorFlow once, when it is imported."""


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what native code writes to file descriptor 2; tell it after all if the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def load_tensorflow(*, onednn: bool = False) -> None:
    """Import TensorFlow and Keras, and let TensorFlow look for its devices, in silence.

    TensorFlow writes its first lines before any log level is read (``TF_CPP_MIN_LOG_LEVEL`` comes too late), and
    again when it looks for CUDA.

    Args:
        onednn: Compute by oneDNN on every x86 CPU; TensorFlow does by itself only where the CPU has instructions for
            neural networks (AVX-512 VNNI, AMX). Where there is AVX2 and no more, training is faster by it, the
            prediction of one image slower. ``TF_ENABLE_ONEDNN_OPTS`` in the environment overrules it, and a
            TensorFlow that is loaded already stays as it is.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    ask = onednn and is_x86() and _ONEDNN not in os.environ
    if ask:
        os.environ[_ONEDNN] = "1"
    try:
        with quiet_stderr():
            import keras  # noqa: F401
            import tensorflow as tf

            tf.config.list_physical_devices()
    finally:
        if ask:
            del os.environ[_ONEDNN]  # processes that this one starts choose for themselves


def computes_by_onednn() -> bool:
    """Whether the TensorFlow that is loaded computes by oneDNN.

    TensorFlow tells it by no public name; where it no longer tells, the answer is no.
    """
    try:
        from tensorflow.python.util import _pywrap_util_port
    except ImportError:
        return False
    return bool(getattr(_pywrap_util_port, "IsMklEnabled", bool)())
