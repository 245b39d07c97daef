"""OpenVINO folders: what they take and return, in float32, with float16 weights, and quantised."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from kseg.card import read_card
from kseg.errors import ArtifactError, UsageError
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.openvino import write_openvino, write_openvino_fp16
from kseg.exporters.formats.openvino_int8 import write_openvino_int8
from kseg.inference import load_predictor
from kseg.labels import LabelMap
from kseg.openvino_runtime import load_nncf, load_openvino
from tests.tiny_run import SIZE

WRITE = {"openvino": write_openvino, "openvino_fp16": write_openvino_fp16, "openvino_int8": write_openvino_int8}

Images = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def folder(conversion: Conversion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openvino")
    for name, write in WRITE.items():
        write(conversion, folder / name)
    return folder


def read(path: Path) -> Any:
    return load_openvino().Core().read_model(path / "model.xml")


def constants(network: Any) -> list[npt.NDArray[Any]]:
    return [node.get_data() for node in network.get_ops() if node.get_type_name() == "Constant"]


def value_of(network: Any, *path: str) -> str:
    return str(network.get_rt_info(list(path)).astype(str))


@pytest.mark.parametrize("name", WRITE)
def test_a_folder_holds_the_network_and_its_weights(folder: Path, name: str) -> None:
    assert sorted(path.name for path in (folder / name).iterdir()) == ["model.bin", "model.xml"]


@pytest.mark.parametrize("name", WRITE)
def test_a_batch_of_raw_bytes_goes_in_and_floats_come_out(folder: Path, name: str) -> None:
    network = read(folder / name)
    (images,), (scores,) = network.inputs, network.outputs
    height, width = SIZE
    assert (images.names, images.element_type.to_string()) == ({"images"}, "u8")
    assert str(images.partial_shape) == f"[?,{height},{width},3]"
    assert (scores.names, scores.element_type.to_string()) == ({"scores"}, "f32")
    assert str(scores.partial_shape) == f"[?,{height},{width},1]"
    assert [str(value.get_node().get_layout()) for value in (images, scores)] == ["[N,H,W,C]"] * 2


@pytest.mark.parametrize("name", WRITE)
def test_metadata_have_the_names_of_openvinos_model_api(folder: Path, conversion: Conversion, name: str) -> None:
    network = read(folder / name)
    assert value_of(network, "model_info", "labels") == "background disc"
    assert value_of(network, "model_info", "resize_type") == "standard"
    assert value_of(network, "model_info", "reverse_input_channels") == "False"
    # Its Segmentation expects channels first, and would be wrong silently.
    assert not network.has_rt_info(["model_info", "model_type"])
    assert read_card(folder / name) == conversion.card


def test_blanks_in_class_names_do_not_part_them(conversion: Conversion, tmp_path: Path) -> None:
    card = replace(conversion.card, labels=LabelMap(("background", "polar bear")))
    write_openvino(replace(conversion, card=card), tmp_path / "openvino")
    assert value_of(read(tmp_path / "openvino"), "model_info", "labels") == "background polar_bear"
    assert read_card(tmp_path / "openvino") == card


@pytest.mark.parametrize("name", WRITE)
def test_no_path_of_this_machine_is_in_the_files(folder: Path, name: str) -> None:
    text = (folder / name / "model.xml").read_text()
    for path in (str(folder), str(Path.home()), str(Path.cwd()), sys.prefix, "/tmp"):
        assert path not in text


def test_float32_returns_the_scores_of_keras(folder: Path, images: Images, scores: Scores) -> None:
    actual = load_predictor(folder / "openvino").run(images)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, scores, atol=1e-5)


def test_float16_weights_take_half_the_bytes(folder: Path, images: Images, scores: Scores) -> None:
    actual = load_predictor(folder / "openvino_fp16").run(images)
    np.testing.assert_allclose(actual, scores, atol=0.01)
    assert np.abs(actual - scores).max() > 0, "the weights are those of float32"
    half, full = ((folder / name / "model.bin").stat().st_size for name in ("openvino_fp16", "openvino"))
    assert half == pytest.approx(full / 2, rel=0.05)


def test_int8_decides_as_keras_does(folder: Path, images: Images, scores: Scores) -> None:
    actual = load_predictor(folder / "openvino_int8").run(images)
    assert (scores.min(), scores.max()) == (pytest.approx(0, abs=0.1), pytest.approx(1, abs=0.1))
    assert ((actual > 0.5) != (scores > 0.5)).mean() < 0.01


def test_int8_weights_cannot_saturate_16_bit_sums(folder: Path) -> None:
    """2 × 255 × 64 fits into 16 bits, which is what CPUs without VNNI add in."""
    kernels = [
        array for array in constants(read(folder / "openvino_int8")) if array.dtype == np.int8 and array.ndim == 4
    ]
    assert len(kernels) >= 8
    assert max(np.abs(kernel.astype(int)).max() for kernel in kernels) <= 64


def test_every_calibration_image_is_used(folder: Path, conversion: Conversion) -> None:
    network = read(folder / "openvino_int8")
    assert value_of(network, "nncf", "quantization", "subset_size") == str(len(conversion.calibration))


@pytest.mark.parametrize(
    ("module", "write", "message"),
    [
        ("openvino", write_openvino, "OpenVINO is not installed"),
        ("openvino", write_openvino_fp16, "OpenVINO is not installed"),
        ("nncf", write_openvino_int8, "NNCF, which quantises for OpenVINO, is not installed"),
    ],
)
def test_without_the_extra_the_remedy_is_told(
    conversion: Conversion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, write: Any, message: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError) as caught:
        write(conversion, tmp_path / "openvino")
    assert str(caught.value) == f"{message}; pip install 'kseg[openvino]'"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("write", WRITE.values())
def test_an_operation_that_openvino_lacks_is_named(odd: Conversion, tmp_path: Path, write: Any) -> None:
    with pytest.raises(ArtifactError) as caught:
        write(odd, tmp_path / "openvino")
    assert str(caught.value) == (
        "OpenVINO has no operation Erfinv; replace the layer that uses it, or export another format"
    )
    assert not list(tmp_path.iterdir())


def test_a_failing_quantiser_is_one_line(
    conversion: Conversion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("somewhere in the code\nno ranges")

    monkeypatch.setattr(load_nncf(), "quantize", fail)
    with pytest.raises(ArtifactError, match=r"^NNCF's quantisation failed; found no ranges$"):
        write_openvino_int8(conversion, tmp_path / "openvino")
    assert not list(tmp_path.iterdir())
