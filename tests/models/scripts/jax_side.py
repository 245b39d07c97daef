"""Run by tests/models/test_jax.py under Keras' JAX backend: build, score and train networks."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

from kseg.losses.loss import SegmentationLoss, SupervisedLoss
from kseg.models import DeepLabV3Plus, NetworkSpec, Unet, UnetPlusPlus, build_model

TRAINED = ("batch", "attention")
"""Compiling a step takes JAX many seconds."""


SUPERVISED = NetworkSpec(size=(16, 16), channels=3, widths=(4, 4), norm="batch")
HEADS = (0.75, 0.25)


def supervise(folder: Path) -> None:
    """The loss of a network with an auxiliary head, and what a step moves."""
    model = build_model(SUPERVISED, logits=True, supervised=True)
    with np.load(folder / "supervised.npz") as held:
        images, truth = held["images"], held["truth"]
        model.set_weights([held[f"weight{i}"] for i in range(len(model.weights))])
    model.compile(keras.optimizers.SGD(0.1), SupervisedLoss("cross_entropy", heads=HEADS))
    loss = model.test_on_batch(images, truth)
    before = [np.asarray(weight) for weight in model.trainable_weights]
    model.train_on_batch(images, truth)
    learnt = [not np.array_equal(a, np.asarray(b)) for a, b in zip(before, model.trainable_weights, strict=True)]
    np.savez(folder / "supervised.out.npz", loss=loss, learnt=np.array(learnt))


def build(folder: Path) -> None:
    """Each architecture by its own function, trained by Keras alone, and saved for TensorFlow."""
    for function in (Unet, UnetPlusPlus, DeepLabV3Plus):
        model = function(input_shape=(32, 32, 3), classes=3, encoder_channels=(4, 4, 8), norm="batch")
        images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
        model.compile("adam", "sparse_categorical_crossentropy")
        loss = model.fit(images, np.argmax(images, axis=-1), verbose=0).history["loss"][0]
        model.save(folder / f"{function.__name__}.keras")
        np.savez(folder / f"{function.__name__}.npz", images=images, scores=model.predict(images, verbose=0), loss=loss)


def main(folder: Path) -> None:
    assert keras.backend.backend() == "jax"
    (folder / "built").mkdir()
    build(folder / "built")
    supervise(folder)
    for path in sorted(folder.glob("*.keras")):
        with np.load(path.with_suffix(".npz")) as held:
            images = held["images"]
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        scores = np.asarray(model(images, training=False))
        np.savez(folder / f"{path.stem}.out.npz", scores=scores)
        if path.stem not in TRAINED:
            continue
        before = [np.asarray(weight) for weight in model.trainable_weights]
        model.compile(keras.optimizers.Adam(1e-3), SegmentationLoss("bce + dice"))
        truth = (images[..., 0] > 127).astype(np.uint8)
        loss = model.train_on_batch(images, truth)
        learnt = [not np.array_equal(a, np.asarray(b)) for a, b in zip(before, model.trainable_weights, strict=True)]
        np.savez(folder / f"{path.stem}.out.npz", scores=scores, loss=loss, learnt=np.array(learnt))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
