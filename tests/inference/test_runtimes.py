"""Every runtime gives the scores of a file's own one; what it cannot run is one line with a remedy."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from kseg.errors import ArtifactError, UnknownNameError, UsageError
from kseg.inference import (
    RUNTIMES,
    PredictionPlan,
    installed_runtimes,
    load_predictor,
    own_runtime,
    resolve_model,
    suitable_runtimes,
)
from kseg.inference.runtimes import openvino
from kseg.inference.saturation import is_affected
from kseg.openvino_runtime import load_openvino
from kseg.processor import cpu_flags
from tests.inference.artifacts import COLORS, FORMS, RED, SIZE, write_openvino

OWN = {
    "red.keras": "keras", "saved_model": "saved_model", "red.tflite": "litert", "red_int8.tflite": "litert",
    "red.onnx": "onnxruntime", "red_openvino": "openvino",
}  # fmt: skip
OTHERS = [("red.tflite", "openvino"), ("red_int8.tflite", "openvino"), ("red.onnx", "openvino")]
IMAGES = np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3), np.uint8)


@pytest.mark.parametrize("form", FORMS)
def test_a_kind_of_file_has_its_own_runtime_and_perhaps_others(models, form):
    assert own_runtime(models / form) == OWN[form]
    others = tuple(runtime for other, runtime in OTHERS if other == form)
    assert suitable_runtimes(models / form) == installed_runtimes(models / form) == (OWN[form], *others)
    assert PredictionPlan.make(models / form).runtime == OWN[form]


@pytest.mark.parametrize(("form", "runtime"), OTHERS)
def test_another_runtime_gives_the_scores_of_the_files_own(models, form, runtime):
    expected = load_predictor(models / form).run(IMAGES)
    scores = load_predictor(models / form, runtime=runtime).run(IMAGES)
    assert (scores.shape, scores.dtype) == ((3, *SIZE, 1), np.float32)
    # The scores of the quantised file are multiples of 1/256, and a sum may be rounded to its neighbour.
    np.testing.assert_allclose(scores, expected, atol=1 / 256 + 1e-6 if "int8" in form else 1e-5)
    assert scores.std() > 0.2, "the images tell right from wrong scores"


@pytest.mark.parametrize(("form", "runtime"), [*OWN.items(), *OTHERS])
def test_a_batch_of_any_size_gives_the_scores_of_its_images(models, form, runtime):
    run = load_predictor(models / form, runtime=runtime).run
    alone = np.concatenate([run(image[None]) for image in IMAGES])
    np.testing.assert_allclose(run(IMAGES), alone, atol=1e-6)
    np.testing.assert_allclose(run(IMAGES[:2]), alone[:2], atol=1e-6)


def test_openvino_computes_in_float32(models):
    """Its default is bfloat16 on CPUs that have it, whose scores are others: there this fails without the setting."""
    expected = load_predictor(models / "red.onnx").run(IMAGES)
    for form in ("red.onnx", "red_openvino", "red.tflite"):
        np.testing.assert_allclose(load_predictor(models / form, runtime="openvino").run(IMAGES), expected, atol=1e-5)
    if cpu_flags() & {"avx512_bf16", "amx_bf16"}:
        bfloat16 = openvino.load(models / "red.onnx", RED, device="cpu", threads=1, precision="bf16")(IMAGES)
        assert np.abs(bfloat16 - expected).max() > 1e-3


def test_the_network_of_an_openvino_folder_stands_for_it(models):
    assert resolve_model(models / "red_openvino" / "model.xml") == models / "red_openvino"
    with pytest.raises(ArtifactError, match=r"the folder is no model.*red_openvino"):
        resolve_model(models)


def test_numbers_of_threads_reach_the_runtimes(models, monkeypatch):
    import ai_edge_litert.interpreter
    import onnxruntime

    seen = {}
    core, session, interpreter = (
        load_openvino().Core,
        onnxruntime.InferenceSession,
        ai_edge_litert.interpreter.Interpreter,
    )

    class Core(core):
        def compile_model(self, network, device, settings):
            seen["openvino"] = settings
            return super().compile_model(network, device, settings)

    monkeypatch.setattr(load_openvino(), "Core", Core)
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda path, options, **more: seen.update(ort=options) or session(path, options, **more),
    )
    monkeypatch.setattr(
        ai_edge_litert.interpreter,
        "Interpreter",
        lambda **options: seen.update(litert=options) or interpreter(**options),
    )
    for form, runtime in (("red.onnx", "onnxruntime"), ("red.onnx", "openvino"), ("red.tflite", "litert")):
        load_predictor(models / form, runtime=runtime, threads=3)
    assert seen["ort"].intra_op_num_threads == 3
    assert seen["ort"].get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert seen["openvino"]["INFERENCE_NUM_THREADS"] == 3
    assert seen["openvino"]["ENABLE_CPU_PINNING"] is False
    assert seen["litert"]["num_threads"] == 3


@pytest.mark.parametrize(
    ("form", "runtime", "error", "message"),
    [
        (
            "red.tflite", "openvin", UnknownNameError,
            "--runtime: unknown runtime 'openvin'; expected one of auto, keras, litert, onnxruntime, openvino, "
            "saved_model; did you mean 'openvino'",
        ),
        (
            "red.tflite", "onnxruntime", UsageError,
            "--runtime: this runtime does not run this kind of file; expected litert or openvino; found onnxruntime "
            r"for .*red\.tflite; use --runtime litert, or leave --runtime out",
        ),
        ("red.keras", "openvino", UsageError, "expected keras; found openvino"),
        ("red_openvino", "litert", UsageError, "expected openvino; found litert"),
    ],
)  # fmt: skip
def test_a_runtime_that_cannot_run_the_file_is_a_usage_error(models, form, runtime, error, message):
    with pytest.raises(error, match=message) as caught:
        PredictionPlan.make(models / form, runtime=runtime)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("form", "runtime", "message"),
    [
        ("red.onnx", "onnxruntime", r"red\.onnx: ONNX Runtime is not installed; pip install 'kseg\[onnx\]'"),
        ("red.onnx", "openvino", r"red\.onnx: OpenVINO is not installed; pip install 'kseg\[openvino\]'"),
        ("red_openvino", None, r"red_openvino: OpenVINO is not installed; pip install 'kseg\[openvino\]'"),
    ],
)
def test_a_runtime_that_is_not_installed_says_how_to_install_it(models, monkeypatch, form, runtime, message):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UsageError, match=message) as caught:
        PredictionPlan.make(models / form, runtime=runtime)
    assert caught.value.exit_code == 2
    assert installed_runtimes(models / "red.tflite") == ("litert",)


@pytest.mark.parametrize("form", ["red.tflite", "red.onnx", "red_openvino"])
def test_openvino_runs_on_the_cpu_only(models, form):
    with pytest.raises(UsageError, match=r"--device: kseg runs OpenVINO on the CPU only; found gpu; use --device cpu"):
        load_predictor(models / form, runtime="openvino", device="gpu")


def half_network(folder, models):
    shutil.copytree(models / "red_openvino", folder / "half")
    text = (folder / "half" / "model.xml").read_text()
    (folder / "half" / "model.xml").write_text(text.replace("<edges>", "<edges", 1))
    return folder / "half"


def no_weights(folder, models):
    shutil.copytree(models / "red_openvino", folder / "weightless", ignore=shutil.ignore_patterns("*.bin"))
    return folder / "weightless"


def other_classes(folder, models):
    write_openvino(models / "red.onnx", folder / "other", COLORS)
    return folder / "other"


def torn_tflite(folder, models):
    content = bytearray((models / "red.tflite").read_bytes())
    content[100:300] = bytes(200)
    (folder / "torn.tflite").write_bytes(content)
    return folder / "torn.tflite"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            no_weights,
            "weightless: the model is corrupt; expected an OpenVINO network (.xml) that is whole; found no model.bin",
        ),
        (half_network, "half: the model is corrupt"),
        (
            other_classes,
            "other: the network contradicts its card; expected u8 [16, 24, 3] → f32 [16, 24, 3]; "
            "found u8 [16, 24, 3] → f32 [16, 24, 1]",
        ),
        (torn_tflite, "torn.tflite: the model is corrupt; expected a network that OpenVINO loads"),
    ],
)
def test_a_bad_file_for_openvino_is_one_clear_line(tmp_path, models, make, message, capfd):
    path = make(tmp_path, models)
    with pytest.raises(ArtifactError) as caught:
        load_predictor(path, runtime="openvino")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1
    assert capfd.readouterr().err == ""


def test_integer_scores_without_their_meaning_are_refused(tmp_path, models):
    ov = load_openvino()
    network = ov.Core().read_model(str(models / "red.onnx"))
    steps = ov.preprocess.PrePostProcessor(network)
    steps.output().postprocess().convert_element_type(ov.Type.u8)
    ov.save_model(steps.build(), str(tmp_path / "model.xml"), compress_to_fp16=False)
    with pytest.raises(ArtifactError, match=r"OpenVINO does not say which scores the integers .*use --runtime litert"):
        openvino.load(tmp_path, RED, device="cpu", threads=1)


@pytest.mark.parametrize(
    ("flags", "runtime", "quantization", "affected"),
    [
        ({"avx2"}, "onnxruntime", "int8", "ONNX Runtime"),
        ({"avx2", "avx512f", "avx512bw"}, "openvino", "int8", "OpenVINO"),
        ({"avx2", "avx_vnni"}, "onnxruntime", "int8", None),
        ({"avx2", "avx512bw", "avx512_vnni"}, "openvino", "int8", None),
        ({"avx2"}, "onnxruntime", "none", None),
        ({"neon"}, "onnxruntime", "int8", None),
    ],
)
def test_int8_on_a_cpu_that_saturates_is_one_warning(
    models, tmp_path, monkeypatch, caplog, flags, runtime, quantization, affected
):
    from kseg.card import write_card

    path = shutil.copy(models / "red.onnx", tmp_path / "red.onnx")
    write_card(tmp_path / "red.onnx", RED.with_provenance(export={"quantization": quantization}))
    monkeypatch.setattr("kseg.processor.cpu_flags", lambda: frozenset(flags))
    monkeypatch.setattr("kseg.processor.is_x86", lambda: "neon" not in flags)
    with caplog.at_level(logging.WARNING, "kseg"):
        load_predictor(path, runtime=runtime)
    expected = f"{path}: {affected} may saturate int8 sums on this CPU, which has no VNNI instructions"
    assert [text[: len(expected)] for text in caplog.messages] == ([expected] if affected else [])


@pytest.mark.parametrize(("format", "affected"), [("onnx", False), ("openvino", False), ("tflite", True)])
def test_weights_of_7_bits_cannot_saturate(monkeypatch, format, affected):
    monkeypatch.setattr("kseg.processor.cpu_flags", lambda: frozenset({"avx2"}))
    monkeypatch.setattr("kseg.processor.is_x86", lambda: True)
    card = RED.with_provenance(export={"format": format, "quantization": "int8"})
    assert is_affected("openvino", card) is affected


PROGRAM = """
import sys
from kseg.inference import load_predictor
import numpy as np
predictor = load_predictor(sys.argv[1], runtime=sys.argv[2], threads=1)
assert predictor.predict(np.zeros((5, 5, 3), np.uint8)).shape == (5, 5)
heavy = {"tensorflow", "keras", "openvino", "openvino_telemetry", "onnxruntime", "ai_edge_litert", "onnx"}
print(*sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("form", "runtime", "imported"),
    [
        ("red_int8.tflite", "litert", "ai_edge_litert"),
        ("red.onnx", "onnxruntime", "onnxruntime"),
        ("red_openvino", "openvino", "openvino"),
    ],
)
def test_a_runtime_imports_no_other_and_no_telemetry(models, form, runtime, imported):
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(models / form), runtime], capture_output=True, text=True, env=os.environ
    )
    assert (process.stdout.strip(), process.stderr) == (imported, "")


def test_every_runtime_has_a_module():
    assert all(RUNTIMES[name].endswith(f".{name}") for name in RUNTIMES)
