"""What the configuration says about rare classes, worked out on the training images: weights as plain numbers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from kseg.data.inspection.counts import DatasetReport
from kseg.data.pipeline.balance import Method, class_weights, sample_weights
from kseg.errors import ConfigError, abbreviate
from kseg.labels import LabelMap
from kseg.registry import lookup

__all__ = ["describe_weights", "draw_weights", "loss_weights"]

_log = logging.getLogger("kseg")


def loss_weights(
    choice: Method | Mapping[str, float] | None, labels: LabelMap, report: DatasetReport
) -> tuple[float, ...] | None:
    """A weight for each class, in the order of the classes; None where all are to count the same.

    Warns of a class that the training images do not have, whose computed weight is 0.

    Raises:
        UnknownNameError: ``train.class_weights`` names a class that there is not.
        ConfigError: All its weights are 0.
    """
    if choice is None:
        return None
    if not isinstance(choice, str):
        return _by_name(choice, labels)
    pixels = report.image_pixels["train"]
    absent = [labels.names[i] for i in np.flatnonzero(pixels.sum(axis=0) == 0)]
    if absent:
        _log.warning("no training mask has a pixel of %s: its weight in the loss is 0", abbreviate(absent))
    return tuple(float(weight) for weight in class_weights(choice, pixels))


def _by_name(numbers: Mapping[str, float], labels: LabelMap) -> tuple[float, ...]:
    default = dict.fromkeys(labels.names, 1.0)
    for name in numbers:
        lookup(default, name, kind="class", where="train.class_weights")
    weights = tuple({**default, **numbers}.values())
    if not any(weights):
        raise ConfigError(
            "no class counts", where="train.class_weights", expected="a number > 0 for some class", found="0 for all"
        )
    return weights


def draw_weights(sampler: Literal["shuffle", "balanced"], report: DatasetReport) -> npt.NDArray[np.float64] | None:
    """How often each training image is to be drawn, float64 ``[N]``; None where each is drawn once an epoch."""
    if sampler == "shuffle":
        return None
    return sample_weights(report.image_pixels["train"])


def describe_weights(weights: tuple[float, ...], labels: LabelMap) -> str:
    """For people: ``background 0.51, eyeglasses 1.49``."""
    return ", ".join(f"{name} {weight:.3g}" for name, weight in zip(labels.names, weights, strict=True))
