"""Run by test_architectures.py, without kseg: load networks in plain Keras, train each for a step, save and load it."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np


def train(path: Path) -> None:
    model = keras.saving.load_model(path)
    images = np.random.default_rng(0).uniform(0, 255, (2, *model.input_shape[1:])).astype(np.float32)
    truth = (images[..., 0] > 127).astype(np.uint8)
    before = [np.asarray(weight) for weight in model.trainable_weights]
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(images, truth, batch_size=2, verbose=0).history
    assert np.isfinite(history["loss"][0])
    moved = [not np.array_equal(old, new) for old, new in zip(before, model.trainable_weights, strict=True)]
    assert np.mean(moved) > 0.9
    model.save(path)
    again = keras.saving.load_model(path, safe_mode=True)
    np.testing.assert_allclose(again.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6)


if __name__ == "__main__":
    for file in sorted(Path(sys.argv[1]).glob("*.keras")):
        train(file)
        print(file.name)
    assert "kseg" not in sys.modules
