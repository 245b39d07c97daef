"""ONNX files: what they take and return, in float32, with float16 weights, and quantised."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from kseg import __version__
from kseg.card import ModelCard, read_card
from kseg.errors import ArtifactError, UsageError
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats import onnx_int8
from kseg.exporters.formats.onnx import write_onnx, write_onnx_fp16
from kseg.exporters.formats.onnx_int8 import write_onnx_int8
from kseg.inference import load_predictor
from kseg.labels import LabelMap
from kseg.onnx_runtime import load_onnxruntime
from tests.tiny_run import SIZE

WRITE = {"model.onnx": write_onnx, "model_fp16.onnx": write_onnx_fp16, "model_int8.onnx": write_onnx_int8}

Images = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def folder(conversion: Conversion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    for file, write in WRITE.items():
        write(conversion, folder / file)
    return folder


def tensors(network: Any) -> dict[str, Any]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in network.graph.initializer}


def test_nothing_else_is_written(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(WRITE)


@pytest.mark.parametrize("file", WRITE)
def test_a_batch_of_raw_bytes_goes_in_and_floats_come_out(folder: Path, file: str) -> None:
    network = onnx.load(folder / file)
    height, width = SIZE
    described = [onnx.helper.printable_value_info(value) for value in (*network.graph.input, *network.graph.output)]
    assert described == [f"%images[UINT8, batchx{height}x{width}x3]", f"%scores[FLOAT, batchx{height}x{width}x1]"]
    assert {entry.domain: entry.version for entry in network.opset_import}[""] == 17
    onnx.checker.check_model(network, full_check=True)


@pytest.mark.parametrize("file", WRITE)
def test_metadata_say_what_the_file_is(folder: Path, conversion: Conversion, file: str) -> None:
    network = onnx.load(folder / file)
    assert (network.producer_name, network.producer_version) == ("kseg", __version__)
    assert network.doc_string == "discs: semantic segmentation (unet), classes background, disc"
    assert network.graph.input[0].doc_string == "RGB images, raw values 0..255, [batch, height, width, channel]"
    assert network.graph.output[0].doc_string.endswith(": disc where the only channel is at least 0.5")
    assert [entry.key for entry in network.metadata_props] == ["kseg_card.json"]
    assert read_card(folder / file) == conversion.card


def test_float32_returns_the_scores_of_keras(folder: Path, images: Images, scores: Scores) -> None:
    actual = load_predictor(folder / "model.onnx").run(images)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, scores, atol=1e-5)


def test_float16_weights_take_half_the_bytes(folder: Path, images: Images, scores: Scores) -> None:
    actual = load_predictor(folder / "model_fp16.onnx").run(images)
    np.testing.assert_allclose(actual, scores, atol=0.01)
    assert np.abs(actual - scores).max() > 0, "the weights are those of float32"
    weights = tensors(onnx.load(folder / "model_fp16.onnx"))
    assert all(array.dtype != np.float32 for array in weights.values() if array.size >= 1024)
    assert any(array.dtype == np.float16 for array in weights.values())


def test_int8_decides_as_keras_does(folder: Path, images: Images, scores: Scores) -> None:
    actual = load_predictor(folder / "model_int8.onnx").run(images)
    assert (scores.min(), scores.max()) == (pytest.approx(0, abs=0.1), pytest.approx(1, abs=0.1))
    assert ((actual > 0.5) != (scores > 0.5)).mean() < 0.01


def test_int8_weights_cannot_saturate_16_bit_sums(folder: Path) -> None:
    """2 × 255 × 64 fits into 16 bits, which is what CPUs without VNNI add in."""
    weights = [array for array in tensors(onnx.load(folder / "model_int8.onnx")).values() if array.dtype == np.int8]
    kernels = [array for array in weights if array.ndim == 4]
    assert len(kernels) >= 8
    assert max(np.abs(kernel.astype(int)).max() for kernel in kernels) == 64


def test_int8_is_quantised_per_channel(folder: Path) -> None:
    network = onnx.load(folder / "model_int8.onnx")
    arrays = tensors(network)
    scales = [arrays[node.input[1]] for node in network.graph.node if node.op_type == "DequantizeLinear"]
    assert any(scale.size > 1 for scale in scales)
    assert {node.op_type for node in network.graph.node} >= {"QuantizeLinear", "Conv"}


LAYERS = {
    "convolution": lambda layers: layers.Conv2D(4, 3),
    "depthwise": lambda layers: layers.DepthwiseConv2D(3),
    "transposed": lambda layers: layers.Conv2DTranspose(4, 2, strides=2),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_biases_make_up_for_rounded_weights(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean of each channel is what it was, to a tenth of what rounding takes from it."""
    import keras

    keras.utils.set_random_seed(2)
    image = keras.Input((*SIZE, 3))
    layer = LAYERS[kind](keras.layers)
    model = keras.Model(image, layer(keras.layers.Rescaling(1 / 255)(image)))
    layer.bias.assign(np.linspace(-1, 1, layer.bias.shape[0]))
    labels = LabelMap(tuple("abcdef"[: model.output_shape[-1]]))
    images = np.random.default_rng(3).integers(0, 256, (4, *SIZE, 3), np.uint8)
    conversion = Conversion(model, ModelCard(kind, "layer", *SIZE, labels), images)
    expected = np.asarray(model(images.astype(np.float32))).mean(axis=(0, 1, 2))

    def error(file: str) -> float:
        write_onnx_int8(conversion, tmp_path / file)
        session = load_onnxruntime().InferenceSession(str(tmp_path / file))
        return float(np.abs(session.run(None, {"images": images})[0].mean(axis=(0, 1, 2)) - expected).max())

    corrected = error("corrected.onnx")
    monkeypatch.setattr(onnx_int8, "correct_biases", lambda *_: None)
    assert corrected < error("rounded.onnx") / 10


@pytest.mark.parametrize(
    ("module", "write", "message"),
    [
        ("tf2onnx", write_onnx, "tf2onnx, which writes ONNX, is not installed"),
        ("onnxruntime", write_onnx_int8, "ONNX Runtime is not installed"),
    ],
)
def test_without_the_extra_the_remedy_is_told(
    conversion: Conversion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, write: Any, message: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError) as caught:
        write(conversion, tmp_path / "m.onnx")
    assert str(caught.value) == f"{message}; pip install 'kseg[onnx]'"


@pytest.mark.parametrize("write", WRITE.values())
def test_an_operation_that_onnx_lacks_is_named(odd: Conversion, tmp_path: Path, write: Any) -> None:
    with pytest.raises(ArtifactError) as caught:
        write(odd, tmp_path / "m.onnx")
    assert str(caught.value) == (
        "ONNX has no operation Erfinv; replace the layer that uses it, or export another format"
    )
    assert not list(tmp_path.iterdir())


def test_a_failing_quantiser_is_one_line(
    conversion: Conversion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime.quantization

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no ranges\nand a trace")

    monkeypatch.setattr(onnxruntime.quantization, "quantize_static", fail)
    with pytest.raises(ArtifactError, match=r"^ONNX Runtime's quantisation failed; found no ranges$"):
        write_onnx_int8(conversion, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
