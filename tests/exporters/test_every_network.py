"""Every encoder, and every part that a network may have, as TFLite, ONNX and OpenVINO, run by their libraries.

The weights are random, so what a quantised network has to keep is its own answer, not the truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from kseg.card import ModelCard
from kseg.exporters import EXPORTERS
from kseg.exporters.conversion import Conversion
from kseg.inference import load_predictor
from kseg.labels import LabelMap
from kseg.models import ENCODERS, NetworkSpec, build_model
from kseg.openvino_runtime import load_nncf
from tests.tiny_run import draw_discs

SMALL: dict[str, Any] = {"size": (32, 64), "channels": 1, "widths": (4, 8)}
FIXED: dict[str, Any] = {"widths": None, "decoder_widths": (4, 4, 4, 4, 4)}
LIKE = {
    "resnet34": ("resnet18",),
    "resnet50": ("resnet18", "mobilenetv2"),
    "vgg11": ("vgg16",),
    "mobilenetv3_large": ("mobilenetv3_small",),
}
"""Encoders that are not converted, which would take a minute, and those that have every kind of layer of theirs."""
NETWORKS: dict[str, dict[str, Any]] = {
    **{
        name: {"encoder": name, **(FIXED if encoder.fixed else {})}
        for name, encoder in ENCODERS.items()
        if name not in LIKE
    },
    # MiT's attention needs more than one position to look at.
    "mit_b0": {**FIXED, "encoder": "mit_b0", "size": (64, 64)},
    "u-net++": {"arch": "unetplusplus"},
    "deeplabv3+": {"arch": "deeplabv3plus", "widths": (4, 4, 8), "decoder_widths": (8,)},
    "no bottleneck": {"bottleneck": "none"},
    "attention": {"bottleneck": "attention", "attention_heads": 2},
    "aspp": {"bottleneck": "aspp", "norm": "batch"},
    "gates": {"attention_gates": True},
    "separable": {"block": "separable", "norm": "batch"},
    "group": {"norm": "group"},
    "layer": {"norm": "layer"},
    "bilinear": {"upsampling": "bilinear"},
    "nearest": {"upsampling": "nearest"},
    "softmax": {"channels": 3},
    "sigmoid": {"channels": 3, "activation": "sigmoid"},
}
QUANTIZED = ("plain", "resnet18", "mobilenetv2", "mobilenetv3_small", "tf_efficientnet_lite0", "mit_b0")
"""One network of a kind, for the formats whose quantisation takes seconds."""
LABELS = {1: LabelMap(("background", "x")), 3: LabelMap(("a", "b", "c"))}
WRITE = {exporter.file: exporter.write for exporter in EXPORTERS}

Scores = npt.NDArray[np.float32]


class Network:
    """A network, some pictures, and its scores on them."""

    def __init__(self, name: str) -> None:
        keras.utils.set_random_seed(1)
        spec = NetworkSpec(**{**SMALL, **NETWORKS[name]})
        images = [image for image, _ in draw_discs(8, 3, spec.size)]
        self.name = name
        self.images = np.stack(images)
        model = build_model(spec)
        _take_statistics(model, self.images.astype(np.float32))
        self.scores: Scores = np.asarray(model(self.images.astype(np.float32), training=False))
        card = ModelCard(name, spec.arch, *spec.size, LABELS[spec.channels], activation=spec.activation)
        self.conversion = Conversion(model, card, images)

    def exported(self, file: str, folder: Path, *, calibration: int | None = None) -> Scores:
        """What the exported file answers; ``calibration`` is the number of images, all of them by default."""
        images = self.conversion.calibration[:calibration]
        WRITE[file](replace(self.conversion, calibration=images), folder / file)
        return load_predictor(folder / file).run(self.images)


def _take_statistics(model: keras.Model, images: Scores) -> None:
    """Without them, what comes out of a deep network with random weights is either nothing or out of all bounds."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(images, training=True)


def kinds_of_layers(name: str) -> set[tuple[Any, ...]]:
    model = build_model(NetworkSpec(**{**SMALL, **FIXED, "encoder": name}))
    settings = ("activation", "strides", "padding", "use_bias", "interpolation")
    found = {(type(layer).__name__, *(str(layer.get_config().get(s)) for s in settings)) for layer in model.layers}
    keras.backend.clear_session()
    return found


@pytest.mark.parametrize(("name", "like"), LIKE.items())
def test_what_is_not_converted_has_no_layer_that_is_not(name: str, like: tuple[str, ...]) -> None:
    assert kinds_of_layers(name) <= set().union(*(kinds_of_layers(other) for other in like))


@pytest.fixture(scope="module", params=list(NETWORKS))
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    yield Network(request.param)
    keras.backend.clear_session()


def test_int8_answers_as_the_network_does(network: Network, tmp_path: Path) -> None:
    """A correlation of 0.98 and more was measured; shuffled or constant scores have none."""
    found = network.exported("model_int8.tflite", tmp_path)
    assert network.scores.std() > 0.005, "scores that are all alike would prove nothing"
    assert np.corrcoef(found.ravel(), network.scores.ravel())[0, 1] > 0.95
    assert np.abs(found - network.scores).mean() < 0.03


@pytest.mark.parametrize("file", ["model.onnx", "openvino"])
def test_float32_answers_as_the_network_does(network: Network, tmp_path: Path, file: str) -> None:
    np.testing.assert_allclose(network.exported(file, tmp_path), network.scores, atol=1e-5)


@pytest.mark.parametrize("network", QUANTIZED, indirect=True)
@pytest.mark.parametrize("file", ["model_int8.onnx", "openvino_int8"])
def test_int8_of_other_formats_answers_as_the_network_does(
    network: Network, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A correlation of 0.91 and more was measured, and of 0.98 and more without attention."""
    # Biases that are corrected layer after layer take four times as long, and are not what differs by network.
    quantize, model_types = load_nncf().quantize, []

    def quantize_fast(*args: Any, **options: Any) -> Any:
        model_types.append(options["model_type"])
        return quantize(*args, **{**options, "fast_bias_correction": True})

    monkeypatch.setattr(load_nncf(), "quantize", quantize_fast)
    actual = network.exported(file, tmp_path, calibration=2)
    assert np.corrcoef(actual.ravel(), network.scores.ravel())[0, 1] > (0.9 if network.name == "mit_b0" else 0.95)
    assert np.abs(actual - network.scores).mean() < 0.04
    if file == "openvino_int8":
        assert [kind is not None for kind in model_types] == [network.name == "mit_b0"], "attention is a transformer's"
