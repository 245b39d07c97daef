"""Decorators of functions that are traced into TensorFlow's graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

__all__ = ["compiled", "without_autograph"]

F = TypeVar("F", bound=Callable[..., Any])


def without_autograph(function: F) -> F:
    """Keep AutoGraph from converting a function: its ``if`` and ``for`` run in Python, when the graph is built."""
    unconverted: F = tf.autograph.experimental.do_not_convert(function)
    return unconverted


def compiled(function: F) -> F:
    """Compile a function by XLA, at its first call with new shapes, which takes a fraction of a second.

    Worth it for many small operations on the same pixels, which XLA fuses into one loop. Shapes must be static.
    """
    made: F = tf.function(function, autograph=False, jit_compile=True)
    return made
