"""A run folder as `kseg fit` leaves it, with a network that really learnt its few drawn discs, in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.data.dataset import Dataset
from kseg.data.sample import Sample
from kseg.images import write_png
from kseg.labels import LabelMap

SIZE = (48, 64)
LABELS = LabelMap(("background", "disc"), {0: "background", 255: "disc"})

Pairs = list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]


def draw_discs(count: int, seed: int, size: tuple[int, int] = SIZE) -> Pairs:
    """Bright discs on a dark, noisy ground: images uint8 ``[H, W, 3]`` in 20..235, and ids ``[H, W]``."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    pairs = []
    for _ in range(count):
        radius = rng.uniform(0.15, 0.25) * min(size)
        at = [rng.uniform(radius, side - radius) for side in size]
        disc = (rows - at[0]) ** 2 + (columns - at[1]) ** 2 < radius**2
        image = rng.integers(20, 110, (*size, 3))
        image[disc] += rng.integers(70, 125, 3)
        pairs.append((image.astype(np.uint8), disc.astype(np.uint8)))
    return pairs


def write_dataset(root: Path, *, train: int = 12, val: int = 2, test: int = 4) -> Dataset:
    """The discs on disk, a third larger than the network's size, so that resizing takes part."""
    larger = (SIZE[0] * 4 // 3, SIZE[1] * 4 // 3)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    samples = []
    for i, (image, ids) in enumerate(draw_discs(train + val + test, 1, larger)):
        sample = Sample(f"{i:03d}", root / "images" / f"{i:03d}.png", root / "masks" / f"{i:03d}.png")
        write_png(sample.image, image)
        write_png(sample.mask, LABELS.decode(ids))
        samples.append(sample)
    splits = {
        "train": tuple(samples[:train]),
        "val": tuple(samples[train : train + val]),
        "test": tuple(samples[train + val :]),
    }
    return Dataset(root, LABELS, splits)


def make_run(folder: Path, *, epochs: int = 12) -> Path:
    """Train a small U-Net with batch normalisation and transposed convolutions; returns the run folder."""
    import keras

    from kseg.models import NetworkSpec, build_model, save_model

    run = folder / "runs" / "fit" / "discs"
    (run / "weights").mkdir(parents=True)
    (run / "args.yaml").write_text("data: {root: discs}\n")
    write_dataset(folder / "discs").save(run / "data.json")
    keras.utils.set_random_seed(0)
    spec = NetworkSpec(size=SIZE, channels=1, widths=(8, 16), norm="batch")
    model = build_model(spec)
    if epochs:
        _train(model, epochs)
    save_model(model, run / "weights" / "best.keras", ModelCard("discs", "unet", *SIZE, LABELS, network=spec.to_json()))
    return run


def _train(model: object, epochs: int) -> None:
    import keras

    images, masks = (np.stack(part).astype(np.float32) for part in zip(*draw_discs(48, 0), strict=True))
    # Moving averages that follow twelve short epochs.
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.8
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy")
    model.fit(images, masks[..., None], epochs=epochs, batch_size=8, verbose=0)
