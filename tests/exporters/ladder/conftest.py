"""A trained network in which one channel has a range of its own, so that int8 has hardly any value for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from kseg.data.dataset import Dataset
from kseg.exporters.calibration import calibration_images
from kseg.exporters.conversion import Conversion
from kseg.exporters.ladder import Ladder, Measure, climb, climber
from kseg.exporters.parity.measure import Measured, Yardstick
from kseg.exporters.parity.row import ParityRow
from kseg.models import load_model, save_model
from tests.tiny_run import SIZE

FACTOR = 1000.0
LATENCIES = {"float32": 10.0, "int8": 4.0, "int8, 1 in float": 5.0, "fp16": 10.5, "dynamic": 12.0, "int16x8": 90.0}


@pytest.fixture(scope="session")
def outlier(run: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's model with a channel at the decoder's end a thousandfold, and the head's weights of it a thousandth.

    The scores are the same, but a channel's values need a thousand times the range of the others, and are read by
    another group of layers than the one that computes them.
    """
    import keras

    model, card = load_model(run / "weights" / "best.keras")
    images = np.stack(calibration_images(dataset, 8, SIZE)).astype(np.float32)
    features = keras.Model(model.input, model.get_layer("decoder1_2_relu").output)(images)
    channel = int(np.argmax(np.max(features, axis=(0, 1, 2))))
    norm, head = model.get_layer("decoder1_2_norm"), model.get_layer("logits")
    before = np.asarray(model(images))
    gamma, beta, *statistics = norm.get_weights()
    kernel, bias = head.get_weights()
    gamma[channel] *= FACTOR
    beta[channel] *= FACTOR
    kernel[:, :, channel] /= FACTOR
    norm.set_weights([gamma, beta, *statistics])
    head.set_weights([kernel, bias])
    np.testing.assert_allclose(np.asarray(model(images)), before, atol=1e-4)
    path = tmp_path_factory.mktemp("outlier") / "outlier.keras"
    save_model(model, path, card)
    return path


@pytest.fixture(scope="session")
def conversion(outlier: Path, dataset: Dataset) -> Conversion:
    model, card = load_model(outlier)
    return Conversion(model, card, calibration_images(dataset, 8, SIZE))


def given_latencies(**changed: float) -> Callable[[Iterable[str]], dict[str, float]]:
    """Latencies that are the same on every machine, in place of measured ones."""
    latencies = LATENCIES | changed
    return lambda names: {name: latencies.get(name, 6.0) for name in names}


def measure_with(model: Path, dataset: Dataset) -> Measure:
    """Scores files on the test images, as an export does."""
    yardstick = Yardstick.make(model, dataset.samples("test"), dataset.labels)

    def measure(path: Path, name: str, quantization: str) -> ParityRow:
        return yardstick.measure(Measured(path, name, "tflite", quantization, "litert")).row

    return measure


@pytest.fixture(scope="session")
def ladder(conversion: Conversion, outlier: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    """The ladder of the network that int8 does not suit, with latencies that are the same on every machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(climber, "latencies_ms", given_latencies())
        return climb(conversion, measure_with(outlier, dataset), tmp_path_factory.mktemp("rungs"))
