"""What the tests of the losses share: random batches, and the scores of all classes in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from scipy.special import expit, softmax

from kseg.losses.batch import BatchOptions, prepare
from kseg.losses.functions import FUNCTIONS

SHAPE = (2, 5, 4)
CASES = ((1, "softmax"), (4, "softmax"), (4, "sigmoid"))
"""Channels and activation: the three kinds of networks."""
WEIGHTS = {1: (0.25, 3.0), 4: (0.5, 2.0, 0.0, 1.5)}

Array = Any


def draw(channels: int, seed: int = 0, shape: tuple[int, ...] = SHAPE) -> tuple[Array, Array]:
    """Class ids with a row of ignored pixels, every class in every image, and logits."""
    rng = np.random.default_rng(seed)
    classes = max(2, channels)
    ids = rng.integers(0, classes, shape).astype(np.uint8)
    ids[:, -1, :classes] = np.arange(classes)
    ids[0, 0] = 255
    return ids, rng.normal(scale=2, size=(*shape, channels)).astype(np.float32)


def compute(
    name: str,
    ids: Array,
    logits: Array,
    *,
    class_weights: Any = None,
    ignore_index: int = 255,
    activation: Any = "softmax",
    **arguments: float,
) -> Array:
    """The loss as a tensor."""
    options = BatchOptions(class_weights, ignore_index, from_logits=True, activation=activation)
    return FUNCTIONS[name](prepare(ids, logits, options), **arguments)


def call(name: str, ids: Array, logits: Array, **options: Any) -> float:
    """The loss as a number."""
    return float(np.asarray(compute(name, ids, logits, **options)))


def gradient(name: str, ids: Array, logits: Array, **options: Any) -> Array:
    """Of the loss by the logits."""
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = compute(name, ids, variable, **options)
    return np.asarray(tape.gradient(loss, variable))


def reference(ids: Array, logits: Array, activation: str) -> tuple[Array, Array]:
    """Truth and scores of the pixels that count, float64 ``[N, C]``, by NumPy and SciPy."""
    keep, channels = ids != 255, logits.shape[-1]
    exact = logits.astype(np.float64)
    scores = expit(exact) if channels == 1 or activation == "sigmoid" else softmax(exact, axis=-1)
    truth = np.stack([ids == (1 if channels == 1 else c) for c in range(channels)], -1)
    return truth[keep].astype(float), scores[keep]


def perfect(ids: Array, channels: int, size: float = 30.0) -> Array:
    """Logits of ± size that are right everywhere."""
    hot = np.eye(256, max(2, channels), dtype=np.float32)[ids] * 2 * size - size
    return hot[..., 1:2] if channels == 1 else hot
