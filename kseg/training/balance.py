"""Weights against class imbalance, computed from the training images: of classes and of samples."""

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
    """The weight of each class in the loss, in the order of the classes; None if all weigh the same.

    Logs a warning for a class without pixels in the training images, whose computed weight is 0.

    Args:
        choice: ``train.class_weights``: a method, weights by class name (others are 1), or None.
        labels: The classes.
        report: The pixels of each class in each image.

    Raises:
        UnknownNameError: ``train.class_weights`` names an unknown class.
        ConfigError: All weights are 0.
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


def _by_name(named: Mapping[str, float], labels: LabelMap) -> tuple[float, ...]:
    default = dict.fromkeys(labels.names, 1.0)
    for name in named:
        lookup(default, name, kind="class", where="train.class_weights")
    weights = tuple({**default, **named}.values())
    if not any(weights):
        raise ConfigError(
            "every class weighs 0", where="train.class_weights", expected="a weight > 0 for some class",
            found="0 for all", remedy="name only the classes that weigh less than the others, which weigh 1",
        )  # fmt: skip
    return weights


def draw_weights(sampler: Literal["shuffle", "balanced"], report: DatasetReport) -> npt.NDArray[np.float64] | None:
    """How often each training image is drawn, relative to the others: float64 ``[N]``; None: each once an epoch."""
    if sampler == "shuffle":
        return None
    return sample_weights(report.image_pixels["train"])


def describe_weights(weights: tuple[float, ...], labels: LabelMap) -> str:
    """The weights as text: ``background 0.51, eyeglasses 1.49``."""
    return ", ".join(f"{name} {weight:.3g}" for name, weight in zip(labels.names, weights, strict=True))
