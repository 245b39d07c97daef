"""The losses by name, as functions of a prepared batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kseg.losses.batch import Tensor
from kseg.losses.boundary import boundary
from kseg.losses.lovasz import lovasz
from kseg.losses.pixel import bce, cross_entropy, focal
from kseg.losses.region import dice, focal_tversky, generalized_dice, jaccard, log_jaccard, tversky

__all__ = ["FUNCTIONS"]

FUNCTIONS: Final[dict[str, Callable[..., Tensor]]] = {
    "cross_entropy": cross_entropy,
    "bce": bce,
    "focal": focal,
    "dice": dice,
    "generalized_dice": generalized_dice,
    "jaccard": jaccard,
    "log_jaccard": log_jaccard,
    "tversky": tversky,
    "focal_tversky": focal_tversky,
    "lovasz": lovasz,
    "boundary": boundary,
}
"""Each takes a `kseg.losses.batch.Batch` and the arguments of `LOSSES`, and returns a float32 scalar."""
