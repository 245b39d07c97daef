"""Networks whose weights are written down: each class is a colour, so that the right answer is known."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.exporters.conversion import Conversion
from kseg.labels import Activation, LabelMap

SIZE = (48, 64)
RED_OR_NOT = LabelMap(("background", "red"))
COLOURS = LabelMap(("red", "green", "blue"))

Images = npt.NDArray[np.uint8]


def draw(count: int, seed: int, size: tuple[int, int] = SIZE) -> Images:
    """Soft patches of colour with some noise: uint8 ``[N, H, W, 3]``, from 0 to 255."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]] / np.reshape(size, (2, 1, 1))
    images = np.empty((count, *size, 3))
    for image in images:
        for channel in range(3):
            down, across, phase = rng.uniform(2, 7, 3)
            image[..., channel] = 127.5 + 120 * np.sin(down * rows + across * columns + phase)
        image += rng.normal(0, 4, image.shape)
    return np.rint(images).clip(0, 255).astype(np.uint8)


def conversion(labels: LabelMap, *, activation: Activation = "softmax", threshold: float = 0.5) -> Conversion:
    """A network that averages 3 × 3 pixels, and whose scores rise with the colour of the class.

    Binary: the probability of red is a sigmoid of how red a pixel is. Else: red, green and blue compete.
    """
    card = ModelCard("colours", "none", *SIZE, labels, threshold=threshold, activation=activation)
    images = keras.Input((*SIZE, 3))
    kernel = np.zeros((3, 3, 3, card.channels), np.float32)
    for channel in range(card.channels):
        kernel[:, :, channel, channel] = 1 / 9 / 25
    bias = np.full(card.channels, -127.5 / 25, np.float32)
    averages = keras.layers.Conv2D(card.channels, 3, padding="same", activation=card.activation)
    model = keras.Model(images, averages(images))
    averages.set_weights([kernel, bias])
    return Conversion(model, card, list(draw(8, seed=0)))


def expected_scores(conversion: Conversion, images: Images) -> npt.NDArray[np.float32]:
    """What the Keras network returns: float32 ``[B, h, w, C]``."""
    return np.asarray(conversion.model(images.astype(np.float32), training=False))
