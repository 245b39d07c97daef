"""A network that tells red discs from blue ones, and artifacts of it that are broken as conversions break them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.data.dataset import Dataset
from kseg.data.sample import Sample
from kseg.exporters import EXPORTERS, Exporter
from kseg.exporters.conversion import Conversion
from kseg.images import write_png
from kseg.labels import LabelMap
from kseg.models import NetworkSpec, build_model, save_model

SIZE = (48, 64)
LABELS = LabelMap(("background", "red", "blue"))

Break = Callable[[keras.Model], keras.Model]
Images = npt.NDArray[np.uint8]


def draw(count: int, seed: int, size: tuple[int, int] = SIZE) -> tuple[Images, Images]:
    """A large red and a large blue disc on noise: images uint8 ``[N, H, W, 3]`` and ids ``[N, H, W]``."""
    rng = np.random.default_rng(seed)
    images = rng.integers(60, 130, (count, *size, 3))
    ids = np.zeros((count, *size), np.uint8)
    rows, columns = np.mgrid[: size[0], : size[1]]
    for image, mask in zip(images, ids, strict=True):
        for k, channel in ((1, 0), (2, 2)):
            radius = rng.uniform(0.24, 0.3) * size[0]
            row, column = rng.uniform(radius, size[0] - radius), size[1] * (0.27 if k == 1 else 0.73)
            disc = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
            mask[disc] = k
            image[disc, channel] += 110
    return images.astype(np.uint8), ids


def train(folder: Path) -> tuple[Path, Dataset]:
    """A trained model, and the data set that it is exported with."""
    keras.utils.set_random_seed(0)
    spec = NetworkSpec(size=SIZE, channels=3, widths=(6, 12), norm="batch")
    model = build_model(spec)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.8
    images, ids = draw(48, 0)
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    model.fit(images.astype(np.float32), ids, epochs=10, batch_size=8, verbose=0)
    path = folder / "best.keras"
    save_model(model, path, ModelCard("discs", "unet", *SIZE, LABELS, network=spec.to_json()))
    return path, _write(folder / "data")


def _write(root: Path) -> Dataset:
    root.mkdir()
    samples = []
    for k, (image, ids) in enumerate(zip(*draw(14, 1, (SIZE[0] * 4 // 3, SIZE[1] * 4 // 3)), strict=True)):
        sample = Sample(f"{k}", root / f"{k}.png", root / f"{k}_mask.png")
        write_png(sample.image, image)
        write_png(sample.mask, ids)
        samples.append(sample)
    return Dataset(root, LABELS, {"train": tuple(samples[:8]), "val": (), "test": tuple(samples[8:])})


def _wrapped(model: keras.Model, *, before: list[keras.Layer], after: list[keras.Layer]) -> keras.Model:
    images = keras.Input(model.input_shape[1:])
    scores = images
    for layer in (*before, model, *after):
        scores = layer(scores)
    return keras.Model(images, scores)


def swapped_channels(model: keras.Model) -> keras.Model:
    """Blue, green, red instead of red, green, blue."""
    swap = keras.layers.Conv2D(3, 1, use_bias=False)
    broken_model = _wrapped(model, before=[swap], after=[])
    swap.set_weights([np.eye(3)[::-1][None, None]])
    return broken_model


def no_normalisation(model: keras.Model) -> keras.Model:
    """What the network does first with the pixels is undone."""
    return _wrapped(model, before=[keras.layers.Rescaling(255.0)], after=[])


def shifted_pixel(model: keras.Model) -> keras.Model:
    """The scores are one row lower."""
    shift = [keras.layers.Cropping2D(((0, 1), (0, 0))), keras.layers.ZeroPadding2D(((1, 0), (0, 0)))]
    return _wrapped(model, before=[], after=shift)


def halved_scale(model: keras.Model) -> keras.Model:
    """The scores are half as high, as with a scale of the output that is wrong by a factor of two."""
    return _wrapped(model, before=[], after=[keras.layers.Rescaling(0.5)])


BREAKS: dict[str, Break] = {
    breaks.__name__: breaks for breaks in (swapped_channels, no_normalisation, shifted_pixel, halved_scale)
}


def _write_keras(conversion: Conversion, path: Path) -> None:
    save_model(conversion.model, path, conversion.card)


KERAS = Exporter("keras", "none", "copy.keras", _write_keras)
"""Not among the exporters, which leave the Keras model as it is."""


def exporters() -> list[Exporter]:
    """An exporter for each format, and those of int8."""
    return [KERAS, *(row for row in EXPORTERS if row.quantization in ("none", "int8") and row.installed)]


def broken(exporter: Exporter, breaks: Break) -> Exporter:
    """The exporter, which converts a broken network."""

    def write(conversion: Conversion, path: Path) -> None:
        exporter.write(replace(conversion, model=breaks(conversion.model)), path)

    return replace(exporter, write=write)
