"""TFLite files of every quantisation: what they take, return and hold, and that they are still the network."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert.interpreter import Interpreter

from kseg.card import ModelCard, read_card, write_card
from kseg.errors import ArtifactError
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats import tflite_quantized
from kseg.exporters.formats.tflite import write_tflite
from kseg.exporters.formats.tflite_flatbuffer import keep_float, unpack
from kseg.exporters.formats.tflite_quantized import (
    calibration_inputs,
    write_tflite_dynamic,
    write_tflite_fp16,
    write_tflite_int8,
    write_tflite_int16x8,
)
from kseg.inference import load_predictor
from kseg.labels import LabelMap
from kseg.models import NetworkSpec, build_model
from tests.tiny_run import SIZE, draw_discs

WRITE = {
    "model_float32.tflite": write_tflite,
    "model_fp16.tflite": write_tflite_fp16,
    "model_dynamic.tflite": write_tflite_dynamic,
    "model_int8.tflite": write_tflite_int8,
    "model_int16x8.tflite": write_tflite_int16x8,
}
LABELS = LabelMap(("background", "x"))

Images = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def folder(conversion: Conversion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tflite")
    for file, write in WRITE.items():
        write(conversion, folder / file)
    return folder


def ends(path: Path) -> tuple[Any, Any]:
    """The input and the output, as LiteRT describes them."""
    interpreter = Interpreter(model_path=str(path))
    return interpreter.get_input_details()[0], interpreter.get_output_details()[0]


def types(path: Path) -> set[str]:
    """The types of all tensors of the network."""
    interpreter = Interpreter(model_path=str(path))
    return {np.dtype(tensor["dtype"]).name for tensor in interpreter.get_tensor_details()}


@pytest.mark.parametrize("file", WRITE)
def test_raw_bytes_of_one_picture_go_in(folder: Path, file: str) -> None:
    image, _ = ends(folder / file)
    assert (image["dtype"], image["shape"].tolist()) == (np.uint8, [1, *SIZE, 3])
    assert tuple(image["quantization"]) == ((1.0, 0) if file == "model_int8.tflite" else (0.0, 0))


@pytest.mark.parametrize("file", WRITE)
def test_floats_come_out_but_of_int8(folder: Path, file: str) -> None:
    _, scores = ends(folder / file)
    type, scale = (np.uint8, 1 / 256) if file == "model_int8.tflite" else (np.float32, 0.0)
    assert (scores["dtype"], tuple(scores["quantization"])) == (type, (scale, 0))
    assert scores["shape"].tolist() == [1, *SIZE, 1]


@pytest.mark.parametrize(
    ("file", "present", "absent"),
    [
        ("model_float32.tflite", {"float32"}, {"float16", "int8", "int16"}),
        ("model_fp16.tflite", {"float16"}, {"int8", "int16"}),
        ("model_dynamic.tflite", {"float32", "int8"}, {"float16", "int16"}),
        ("model_int8.tflite", {"int8"}, {"float32", "float16", "int16"}),
        ("model_int16x8.tflite", {"int16", "int8"}, {"float16"}),
    ],
)
def test_tensors_have_the_types_of_the_quantisation(
    folder: Path, file: str, present: set[str], absent: set[str]
) -> None:
    assert present <= types(folder / file)
    assert not absent & types(folder / file)


@pytest.mark.parametrize(
    ("file", "tolerance", "changed"),
    [
        ("model_float32.tflite", 1e-5, 0.0),
        ("model_fp16.tflite", 0.01, 0.001),
        ("model_dynamic.tflite", 0.1, 0.005),
        ("model_int8.tflite", 0.2, 0.005),
        ("model_int16x8.tflite", 0.1, 0.005),
    ],
)
def test_scores_are_those_of_keras(
    folder: Path, images: Images, scores: Scores, file: str, tolerance: float, changed: float
) -> None:
    actual = load_predictor(folder / file).run(images)
    assert actual.dtype == np.float32
    assert scores.max() > 0.9
    assert scores.min() < 0.1
    np.testing.assert_allclose(actual, scores, atol=tolerance)
    assert ((actual > 0.5) != (scores > 0.5)).mean() <= changed


def test_weights_take_half_or_a_quarter_of_the_bytes(tmp_path: Path) -> None:
    model = build_model(NetworkSpec(size=(32, 32), channels=1, widths=(32, 64)))
    conversion = Conversion(model, ModelCard("x", "unet", 32, 32, LABELS), [i for i, _ in draw_discs(2, 1, (32, 32))])
    for file, write in WRITE.items():
        write(conversion, tmp_path / file)
    size = {file: (tmp_path / file).stat().st_size for file in WRITE}
    assert size["model_fp16.tflite"] < 0.6 * size["model_float32.tflite"]
    for file in ("model_dynamic.tflite", "model_int8.tflite", "model_int16x8.tflite"):
        assert size[file] < 0.4 * size["model_float32.tflite"], file


@pytest.mark.parametrize("file", WRITE)
def test_card_and_labels_are_the_associated_files(folder: Path, conversion: Conversion, file: str) -> None:
    assert read_card(folder / file) == conversion.card
    with zipfile.ZipFile(folder / file) as archive:
        assert archive.namelist() == ["labels.txt", "kseg_card.json"]
        assert archive.read("labels.txt") == b"disc\n"
        # MediaPipe maps them into memory.
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}


def test_labels_stay_when_the_card_is_replaced(conversion: Conversion, tmp_path: Path) -> None:
    write_tflite(conversion, tmp_path / "x.tflite")
    write_card(tmp_path / "x.tflite", conversion.card.with_provenance(note="another"))
    with zipfile.ZipFile(tmp_path / "x.tflite") as archive:
        assert sorted(archive.namelist()) == ["kseg_card.json", "labels.txt"]


@pytest.mark.parametrize("file", WRITE)
def test_weights_are_aligned_as_the_schema_demands(folder: Path, file: str) -> None:
    data = (folder / file).read_bytes()
    large = [buffer.data for buffer in unpack(data).buffers if buffer.data is not None and len(buffer.data) >= 64]
    places = [data.index(buffer.tobytes()) for buffer in large]
    assert len(places) > 3
    assert all(place % 16 == 0 for place in places)


def test_openvino_reads_the_float_file(folder: Path, images: Images, scores: Scores) -> None:
    pytest.importorskip("openvino")
    actual = load_predictor(folder / "model_float32.tflite", runtime="openvino").run(images)
    np.testing.assert_allclose(actual, scores, atol=1e-4)


NETWORKS: dict[str, dict[str, Any]] = {
    "group norm": {"norm": "group"},
    "layer norm": {"norm": "layer"},
    "attention": {"bottleneck": "attention", "attention_heads": 2},
    "bilinear": {"upsampling": "bilinear"},
    "three classes": {"channels": 3},
}


def untrained(name: str) -> tuple[Conversion, Images]:
    keras.utils.set_random_seed(1)
    model = build_model(NetworkSpec(**{"size": (32, 64), "channels": 1, "widths": (4, 8), **NETWORKS[name]}))
    labels = LABELS if model.output_shape[-1] == 1 else LabelMap(("a", "b", "c"))
    pictures = [image for image, _ in draw_discs(4, 3, (32, 64))]
    return Conversion(model, ModelCard(name, "unet", 32, 64, labels), pictures), np.stack(pictures)


@pytest.mark.parametrize("name", NETWORKS)
def test_int16x8_answers_as_the_network_does(name: str, tmp_path: Path) -> None:
    """Of the converter's operations on 16 bits, LiteRT runs some not at all: these are kept in float32."""
    conversion, images = untrained(name)
    expected = np.asarray(conversion.model(images.astype(np.float32), training=False))
    write_tflite_int16x8(conversion, tmp_path / "x.tflite")
    actual = load_predictor(tmp_path / "x.tflite").run(images)
    assert np.corrcoef(actual.ravel(), expected.ravel())[0, 1] > 0.99
    assert np.abs(actual - expected).mean() < 0.01


def test_what_litert_cannot_run_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tflite_quantized, "keep_float", lambda flatbuffer, _: flatbuffer)
    with pytest.raises(ArtifactError) as failure:
        write_tflite_int16x8(untrained("layer norm")[0], tmp_path / "x.tflite")
    assert str(failure.value) == (
        "x.tflite: LiteRT cannot run the operation SQUARED_DIFFERENCE of the converted network; "
        "use another --quantize, or use --format saved_model, which takes every operation"
    )


def test_keep_float_leaves_other_models_as_they_are(folder: Path) -> None:
    flatbuffer = (folder / "model_float32.tflite").read_bytes()
    assert keep_float(flatbuffer, {"CONV_2D"}) is flatbuffer


@pytest.mark.parametrize("write", WRITE.values())
def test_operations_that_tflite_lacks_are_named(write: Any, tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Lambda(lambda x: keras.ops.erf(x[..., :1]))(image))
    conversion = Conversion(model, ModelCard("x", "none", 8, 8, LABELS), [np.zeros((8, 8, 3), np.uint8)])
    with pytest.raises(ArtifactError) as failure:
        write(conversion, tmp_path / "x.tflite")
    assert str(failure.value) == (
        "TFLite lacks operations of this network: Erf; train with another encoder, norm, bottleneck or upsampling, "
        "or use --format saved_model, which takes every operation"
    )
    assert not (tmp_path / "x.tflite").exists()


def test_images_without_black_and_white_calibrate_the_whole_range() -> None:
    grey = [np.full((2, 2, 3), 100, np.uint8)] * 2
    for dtype in (np.float32, np.uint8):
        (first,), (second,) = calibration_inputs(grey, dtype)
        assert first.dtype == second.dtype == dtype
        assert first.shape == (1, 2, 2, 3)
        assert (first.min(), first.max()) == (0, 255)
        assert (second == 100).all()
