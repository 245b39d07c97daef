"""Functions inside TensorFlow's graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

__all__ = ["plain"]

F = TypeVar("F", bound=Callable[..., Any])


def plain(function: F) -> F:
    """Keep TensorFlow from rewriting a function's ``if`` and ``for``: they mean Python's own."""
    kept: F = tf.autograph.experimental.do_not_convert(function)
    return kept
