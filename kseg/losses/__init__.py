"""Losses on logits: functions first, one Keras class as a thin wrapper. ``keras.ops`` only, float32.

`parse_loss` is pure Python, so that a misspelt loss is told before Keras is imported; `functions` loads it.
"""

from kseg.losses.expression import LOSS_NAMES, Term, parse_loss

__all__ = ["LOSS_NAMES", "Term", "parse_loss"]
