"""Functions inside TensorFlow's graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

__all__ = ["compiled", "plain"]

F = TypeVar("F", bound=Callable[..., Any])


def plain(function: F) -> F:
    """Keep TensorFlow from rewriting a function's ``if`` and ``for``: they mean Python's own."""
    kept: F = tf.autograph.experimental.do_not_convert(function)
    return kept


def compiled(function: F) -> F:
    """Let XLA make one loop of a function's operations, the first time that it meets shapes: a fraction of a second.

    Worth it where many small operations pass over the same pixels; shapes must be known.
    """
    made: F = tf.function(function, autograph=False, jit_compile=True)
    return made
