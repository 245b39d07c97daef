"""The table of artifacts, and the choice among them."""

from __future__ import annotations

import pytest

from kseg.errors import UnknownNameError, UsageError
from kseg.exporters import EXPORTERS, choose, table, uninstalled


def files(formats: list[str] | None, quantizations: list[str]) -> list[str]:
    return [row.file for row in choose(formats, quantizations)]


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    monkeypatch.setattr(table, "find_spec", lambda name: None if name in modules else object())


def test_files_have_names_of_their_own() -> None:
    assert len({row.file for row in EXPORTERS}) == len(EXPORTERS)
    assert len({(row.format, row.quantization) for row in EXPORTERS}) == len(EXPORTERS)


def test_only_integer_activations_are_calibrated() -> None:
    assert {row.quantization for row in EXPORTERS if row.calibrated} == {"int8", "int16x8", "qat"}


def test_choose_takes_the_rows_that_are_asked_for() -> None:
    assert files(["tflite"], ["none", "int8"]) == ["model_float32.tflite", "model_int8.tflite"]
    assert files(["openvino"], ["int8", "fp16", "none"]) == ["openvino", "openvino_fp16", "openvino_int8"]
    assert files(["onnx", "saved_model"], ["none"]) == ["saved_model", "model.onnx"]


def test_a_format_that_lacks_some_quantisations_is_exported_with_the_others() -> None:
    assert files(["saved_model", "onnx"], ["none", "int16x8", "int8"]) == [
        "saved_model", "model.onnx", "model_int8.onnx",
    ]  # fmt: skip


def test_all_is_every_installed_format(monkeypatch: pytest.MonkeyPatch) -> None:
    every = [row.file for row in EXPORTERS if row.quantization in ("none", "int8")]
    assert files(None, ["none", "int8"]) == files(["all"], ["none", "int8"]) == every
    without(monkeypatch, "nncf")
    expected = [row.file for row in EXPORTERS if row.quantization == "none" and row.format != "openvino"]
    assert files(None, ["none"]) == files(["all"], ["none"]) == files(["onnx", "all"], ["none"]) == expected
    assert [row.file for row in uninstalled(["none", "int8"])] == ["openvino", "openvino_int8"]


def test_keras_is_a_format_without_a_row() -> None:
    assert files(["keras"], ["none"]) == []
    assert files(["keras", "tflite"], ["int8"]) == ["model_int8.tflite"]


@pytest.mark.parametrize(
    ("module", "format"), [("onnxruntime", "onnx"), ("tf2onnx", "onnx"), ("openvino", "openvino"), ("nncf", "openvino")]
)
def test_a_format_by_name_needs_its_extra(monkeypatch: pytest.MonkeyPatch, module: str, format: str) -> None:
    without(monkeypatch, module)
    with pytest.raises(UsageError) as caught:
        choose([format, "tflite"], ["none"])
    assert str(caught.value) == (f"--format: the packages for {format} are not installed; pip install 'kseg[{format}]'")


def test_nothing_that_is_installed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "nncf")
    monkeypatch.setattr(table, "EXPORTERS", tuple(row for row in EXPORTERS if row.format == "openvino"))
    with pytest.raises(UsageError, match=r"pip install 'kseg\[openvino\]'"):
        choose(None, ["int8"])


def test_choose_suggests_the_near_name() -> None:
    with pytest.raises(UnknownNameError, match=r"--format: unknown export format 'tflight'.*did you mean 'tflite'"):
        choose(["tflight"], ["none"])
    with pytest.raises(UnknownNameError, match=r"--quantize: unknown quantisation 'int'.*did you mean 'int8'"):
        choose(["tflite"], ["int"])


@pytest.mark.parametrize("formats", [["saved_model"], ["tflite", "saved_model"]])
def test_a_format_by_name_needs_one_of_the_quantisations(formats: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        choose(formats, ["int8", "fp16"])
    assert str(caught.value) == (
        "--quantize: saved_model has no quantisation int8 or fp16; use --quantize none, or leave saved_model out of "
        "--format"
    )
    assert caught.value.exit_code == 2


def test_the_quantisations_of_the_remedy_work() -> None:
    with pytest.raises(UsageError, match=r"onnx has no quantisation dynamic; use --quantize none,fp16,int8, or leave"):
        choose(["onnx"], ["dynamic"])
    assert files(["onnx"], ["none", "fp16", "int8"]) == ["model.onnx", "model_fp16.onnx", "model_int8.onnx"]


@pytest.mark.parametrize(("formats", "quantizations", "flag"), [([], ["none"], "--format"), (None, [], "--quantize")])
def test_an_empty_list_is_an_error(formats: list[str] | None, quantizations: list[str], flag: str) -> None:
    with pytest.raises(UsageError, match=f"^{flag}: nothing to export; found an empty list; leave {flag} out"):
        choose(formats, quantizations)
