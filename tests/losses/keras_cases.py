"""What the tests of the Keras losses share with their JAX side: the classes, and a training. No TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

import kseg.losses
from kseg.losses import LOSSES

CLASSES = {
    "CategoricalCrossentropy": "cross_entropy",
    "BinaryCrossentropy": "bce",
    "CategoricalFocal": "focal",
    "BinaryFocal": "focal",
    "Dice": "dice",
    "GeneralizedDice": "generalized_dice",
    "Jaccard": "jaccard",
    "LogJaccard": "log_jaccard",
    "Tversky": "tversky",
    "FocalTversky": "focal_tversky",
    "Lovasz": "lovasz",
    "Boundary": "boundary",
}
"""Class → the loss of the table that it computes."""
REGIONS = tuple(kind for kind in CLASSES if not kind.startswith(("Categorical", "Binary")))
"""The classes with an argument `activation`."""
KERAS_CASES = (
    *((kind, 1, "sigmoid") for kind in CLASSES),
    *((kind, 4, "softmax") for kind in CLASSES if not kind.startswith("Binary")),
    *((kind, 4, "sigmoid") for kind in CLASSES if not kind.startswith("Categorical")),
)
"""Class, channels, and the activation that its network ends in."""
TRAININGS = (
    *((kind, 4, "sigmoid" if kind.startswith("Binary") else "softmax") for kind in CLASSES),
    ("Dice", 4, "sigmoid"),
    *((kind, 1, "sigmoid") for kind in ("BinaryCrossentropy", "Dice", "Lovasz", "Boundary")),
)
"""Those of them that are trained with, which takes longer."""


def make(kind: str, activation: str | None = None, **options: Any) -> Any:
    """A loss; ``activation`` only where it is an argument."""
    if kind in REGIONS:
        options["activation"] = activation
    return getattr(kseg.losses, kind)(**options)


def other_arguments(kind: str) -> dict[str, float]:
    """A value beside the default for each argument of a loss."""
    return {key: 0.5 * argument.default + 0.4 for key, argument in LOSSES[CLASSES[kind]].items()}


def train_and_load(loss: Any, activation: str, ids: Any, images: Any, path: Path) -> dict[str, Any]:
    """One step of a small network, and what the same network says after it has been saved and loaded.

    Args:
        loss: For ``compile``.
        activation: That the network ends in.
        ids: Class ids ``[B, H, W]``.
        images: ``[B, H, W, C]``, C also the channels of the prediction.
        path: To save to, ending in ``.keras``.
    """
    channels = images.shape[-1]
    layer = keras.layers.Conv2D(channels, 1, activation=activation)
    model = keras.Sequential([keras.Input(images.shape[1:]), layer])
    layer.set_weights([np.eye(channels)[None, None] + 0.1, np.zeros(channels)])
    model.compile(keras.optimizers.SGD(0.1), loss)
    before = model.evaluate(images, ids, verbose=0)
    trained = model.fit(images, ids, verbose=0).history["loss"][0]
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert type(loaded.loss) is type(loss)
    assert loaded.loss.get_config() == loss.get_config()
    return {
        "before": before,
        "trained": trained,
        "kernel": layer.get_weights()[0],
        "after": model.evaluate(images, ids, verbose=0),
        "loaded": loaded.evaluate(images, ids, verbose=0),
    }
