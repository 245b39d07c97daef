"""How the transforms get the sample that they vary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

__all__ = ["Fetch"]


@dataclass(frozen=True)
class Fetch:
    """How to get a sample.

    Args:
        whole: From its index, an int64 scalar, to the sample, uint8 ``[H, W, 4]``.
        part: From its index, and a function from class ids uint8 ``[h, w]`` to the part that is wanted (top, left,
            height, width as shares, float32 ``[4]``), to that part, uint8 ``[H, W, 4]``. None where only the whole is
            at hand.
    """

    whole: Callable[[tf.Tensor], tf.Tensor]
    part: Callable[[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]], tf.Tensor] | None = None
