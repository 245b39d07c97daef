"""A training with metrics and a sum of losses, for test_keras_metrics.py, which also runs it by a Python that has JAX.

KERAS_BACKEND=jax python jax_side.py FOLDER      reads FOLDER/batch.npz and prints the scores as JSON
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kseg.losses import CategoricalFocal, Dice
from kseg.metrics import Dice as DiceScore
from kseg.metrics import IoU, PixelAccuracy
from kseg.metrics.keras_metrics import SegmentationMetrics


def train_and_load(truth: Any, images: Any, path: Path) -> dict[str, dict[str, float]]:
    """One step of a small network, and the scores of the same network after it has been saved to ``path`` and loaded.

    Args:
        truth: Class ids ``[B, H, W]``.
        images: ``[B, H, W, C]``, C also the channels of the prediction.
        path: To save to, ending in ``.keras``.
    """
    channels = images.shape[-1]
    classes = max(2, channels)
    layer = keras.layers.Conv2D(channels, 1, activation="sigmoid" if channels == 1 else "softmax")
    model = keras.Sequential([keras.Input(images.shape[1:]), layer])
    layer.set_weights([np.eye(channels)[None, None], np.zeros(channels)])
    loss = Dice() + 0.5 * CategoricalFocal(gamma=1)
    model.compile(keras.optimizers.SGD(0.5), loss, metrics=[IoU(classes), DiceScore(classes), PixelAccuracy(classes)])
    before = model.evaluate(images, truth, verbose=0, return_dict=True)
    trained = model.fit(images, truth, verbose=0).history
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert repr(loaded.loss) == repr(loss)
    return {
        "before": before,
        "trained": {name: scores[0] for name, scores in trained.items()},
        "after": model.evaluate(images, truth, verbose=0, return_dict=True),
        "loaded": loaded.evaluate(images, truth, verbose=0, return_dict=True),
    }


def jitted_iou(logits: Any) -> float:
    """The IoU of kseg's own metric, updated inside ``jax.jit``, for the truth 0, 1, 1, ignored."""
    import jax

    metric = SegmentationMetrics(2, foreground=(1,))
    update = jax.jit(lambda state, truth, logits: metric.stateless_update_state(state, truth, logits))
    state = update([v.value for v in metric.variables], np.array([[[0, 1, 1, 255]]]), np.array(logits, "float32"))
    return float(metric.stateless_result(state)["iou"])


def main(folder: str) -> None:
    assert keras.backend.backend() == "jax"
    arrays = np.load(Path(folder) / "batch.npz")
    results: dict[str, Any] = dict(train_and_load(arrays["truth"], arrays["images"], Path(folder) / "jax.keras"))
    one_channel, two = [[[[-2], [3], [-1], [5]]]], [[[[2, 0], [0, 3], [1, 0], [0, 5]]]]
    print(json.dumps({**results, "jitted iou": [jitted_iou(one_channel), jitted_iou(two)]}))


if __name__ == "__main__":
    main(sys.argv[1])
