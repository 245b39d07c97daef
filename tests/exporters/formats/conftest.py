"""One trained network for the tests of all formats, and pictures for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from kseg.card import ModelCard
from kseg.exporters.conversion import Conversion
from kseg.labels import LabelMap
from kseg.models import load_model
from tests.tiny_run import SIZE, draw_discs


@pytest.fixture(scope="session")
def conversion(run: Path) -> Conversion:
    """A network that finds discs, with eight calibration images."""
    model, card = load_model(run / "weights" / "best.keras")
    return Conversion(model, card, [image for image, _ in draw_discs(8, 5)])


@pytest.fixture(scope="session")
def images() -> npt.NDArray[np.uint8]:
    return np.stack([image for image, _ in draw_discs(3, 7)])


@pytest.fixture(scope="session")
def scores(conversion: Conversion, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What the Keras network answers."""
    return np.asarray(conversion.model(images.astype(np.float32), training=False))


@pytest.fixture
def odd() -> Conversion:
    """A network with an operation that no format has."""
    import keras

    image = keras.Input((*SIZE, 3))
    model = keras.Model(image, keras.layers.Lambda(lambda x: keras.ops.erfinv(x[..., :1] / 256))(image))
    return Conversion(model, ModelCard("x", "odd", *SIZE, LabelMap(("background", "x"))))
