"""Import TensorFlow without its log lines, which would bury the one line that matters to the user."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["load_tensorflow", "quiet_stderr"]


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


def load_tensorflow() -> None:
    """Import TensorFlow and Keras, and let TensorFlow look for its devices, in silence.

    TensorFlow writes its first lines before any log level is read (``TF_CPP_MIN_LOG_LEVEL`` comes too late), and
    again when it looks for CUDA.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quiet_stderr():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()
