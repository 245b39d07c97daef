"""Every kind of artifact answers alike; every kind of bad one is one clear error."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from kseg.card import CARD_NAME, read_card, write_card
from kseg.errors import ArtifactError, UsageError
from kseg.inference import PredictionPlan, load_predictor, resolve_model
from kseg.run_folder import RunFolder
from tests.inference.artifacts import COLORS, FORMS, RED, SIZE, picture, write_onnx


@pytest.mark.parametrize("form", FORMS)
def test_every_form_answers_as_the_network_was_made_to(models, form):
    predictor = load_predictor(models / form, device="cpu")
    image, ids = picture(SIZE)
    np.testing.assert_array_equal(predictor.predict(image), ids)
    assert predictor.card == RED
    scores = predictor.scores(image)
    tolerance = 0.02 if "int8" in form else 1e-5
    expected = 1 / (1 + np.exp(-(np.array([250, 20, 20]) @ [20, -10, -10] / 255 - 5)))
    assert scores[5, 8, 0] == pytest.approx(expected, abs=tolerance)
    assert scores[0, 0, 0] == pytest.approx(1 / (1 + np.exp(5)), abs=tolerance)


def test_the_mirror_image_is_asked_about_on_request(models, monkeypatch):
    def load(_path, card, **_):
        """A network that always sees the left half."""
        is_left = np.arange(card.width) < card.width // 2
        return lambda images: np.broadcast_to(is_left[None, None, :, None], (*images.shape[:3], 1)).astype(np.float32)

    monkeypatch.setattr("kseg.inference.runtimes.keras.load", load)
    image = np.zeros((4, 4, 3), np.uint8)
    assert load_predictor(models / "red.keras").predict(image).tolist() == [[1, 1, 0, 0]] * 4
    scores = load_predictor(models / "red.keras", flip=True).scores(image)
    np.testing.assert_allclose(scores, 0.5, atol=0.01)


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_is_its_images_one_by_one(models, form):
    run = load_predictor(models / form).run
    batch = np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3), np.uint8)
    together = run(batch)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, np.concatenate([run(image[None]) for image in batch]), atol=1e-6)


def test_a_softmax_model_tells_its_classes_apart(models):
    image, ids = picture(SIZE, red=np.s_[2:8, 2:10], blue=np.s_[9:15, 12:20])
    np.testing.assert_array_equal(load_predictor(models / "colors.keras").predict(image), ids)


def test_keras_traces_once_for_all_batch_sizes(models, monkeypatch):
    run = load_predictor(models / "red.keras").run
    run(np.zeros((1, *SIZE, 3), np.uint8))
    monkeypatch.setattr(keras.Model, "__call__", lambda *_a, **_k: pytest.fail("traced again"))
    for size in (1, 2, 5):
        assert run(np.zeros((size, *SIZE, 3), np.uint8)).shape == (size, *SIZE, 1)


def make_run(folder, models):
    (folder / "weights").mkdir(parents=True)
    shutil.copy(models / "red.keras", folder / "weights" / "best.keras")
    (folder / "args.yaml").touch()
    (folder / "data.json").touch()
    return folder


def test_a_run_folder_stands_for_its_best_weights(tmp_path, models, monkeypatch):
    run = make_run(tmp_path / "runs" / "fit" / "one", models)
    assert resolve_model(run) == run / "weights" / "best.keras"
    folder = RunFolder(run)
    assert RunFolder.containing(run) == RunFolder.containing(run / "weights" / "best.keras") == folder
    assert RunFolder.containing(models / "red.keras") is None
    monkeypatch.chdir(run / "weights")
    assert RunFolder.containing("best.keras") == folder


def test_a_run_without_best_weights_names_the_last_ones(tmp_path, models):
    run = make_run(tmp_path / "one", models)
    (run / "weights" / "best.keras").rename(run / "weights" / "last.keras")
    with pytest.raises(ArtifactError, match=r"one: the run has no best weights \(yet\).*take .*last\.keras"):
        resolve_model(run)


def test_a_folder_of_artifacts_names_them(models):
    with pytest.raises(ArtifactError, match=r"the folder is no model.*did you mean .*red\.keras or .*saved_model\?"):
        load_predictor(models)


def missing(folder, _models):
    return folder / "nothing.keras"


def text(folder, _models):
    (folder / "text.keras").write_text("this is no model")
    return folder / "text.keras"


def truncated(folder, models):
    content = (models / "red.keras").read_bytes()
    (folder / "half.keras").write_bytes(content[: len(content) // 2])
    return folder / "half.keras"


def plain_keras(folder, _models):
    images = keras.layers.Input((*SIZE, 3))
    keras.Model(images, keras.layers.Conv2D(1, 1)(images)).save(folder / "plain.keras")
    return folder / "plain.keras"


def damaged_weights(folder, models):
    with zipfile.ZipFile(models / "red.keras") as good, zipfile.ZipFile(folder / "bad.keras", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, b"junk" if name.endswith(".h5") else good.read(name))
    return folder / "bad.keras"


def wrong_card(folder, models):
    with zipfile.ZipFile(models / "red.keras") as good, zipfile.ZipFile(folder / "wrong.keras", "w") as wrong:
        for name in good.namelist():
            wrong.writestr(name, COLORS.to_json() if name == CARD_NAME else good.read(name))
    return folder / "wrong.keras"


def junk_tflite(folder, _models):
    (folder / "junk.tflite").write_bytes(b"junk" * 300)
    write_card(folder / "junk.tflite", RED)
    return folder / "junk.tflite"


def torn_tflite(folder, models):
    content = (models / "red.tflite").read_bytes()
    (folder / "torn.tflite").write_bytes(content[:700] + bytes(400))
    write_card(folder / "torn.tflite", RED)
    return folder / "torn.tflite"


def bare_tflite(folder, models):
    (folder / "bare.tflite").write_bytes((models / "red.tflite").read_bytes()[:700])
    return folder / "bare.tflite"


def tflite_of_other_classes(folder, models):
    shutil.copy(models / "red.tflite", folder / "other.tflite")
    data = (folder / "other.tflite").read_bytes()
    (folder / "other.tflite").write_bytes(data[: data.index(b"PK\x03\x04")])
    write_card(folder / "other.tflite", COLORS)
    return folder / "other.tflite"


def saved_model_without_card(folder, models):
    shutil.copytree(models / "saved_model", folder / "saved", ignore=shutil.ignore_patterns("assets.extra"))
    return folder / "saved"


def saved_model_without_variables(folder, models):
    shutil.copytree(models / "saved_model", folder / "saved", ignore=shutil.ignore_patterns("variables"))
    return folder / "saved"


def junk_saved_model(folder, models):
    shutil.copytree(models / "saved_model", folder / "saved")
    (folder / "saved" / "saved_model.pb").write_bytes(b"junk" * 100)
    return folder / "saved"


def torch_file(folder, _models):
    (folder / "model.pt").touch()
    return folder / "model.pt"


def empty_onnx(folder, _models):
    (folder / "empty.onnx").touch()
    return folder / "empty.onnx"


def text_onnx(folder, _models):
    (folder / "text.onnx").write_text("this is no model")
    return folder / "text.onnx"


def half_onnx(folder, models):
    content = (models / "red.onnx").read_bytes()
    (folder / "half.onnx").write_bytes(content[: len(content) // 2])
    return folder / "half.onnx"


def card_alone_onnx(folder, _models):
    (folder / "hollow.onnx").touch()
    write_card(folder / "hollow.onnx", RED)
    return folder / "hollow.onnx"


def onnx_of_other_classes(folder, _models):
    write_onnx(COLORS, folder / "other.onnx")
    return folder / "other.onnx"


def onnx_that_cannot_run(folder, models):
    content = (models / "red.onnx").read_bytes()
    (folder / "odd.onnx").write_bytes(content.replace(b"Sigmoid", b"Sigmund"))
    return folder / "odd.onnx"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (missing, "nothing.keras: no such model; expected a run folder, a .keras, .tflite or .onnx file, or a Saved"),
        (text, "text.keras: the file is not what its name says; expected a .keras file; found text"),
        (truncated, "half.keras: the model is corrupt; expected a .keras file that is whole"),
        (plain_keras, "plain.keras: the model has no kseg card"),
        (damaged_weights, "bad.keras: the model cannot be loaded"),
        (wrong_card, "wrong.keras: the network contradicts its card"),
        (junk_tflite, "junk.tflite: the file is not what its name says; expected a .tflite file; found text"),
        (torn_tflite, "torn.tflite: the model is corrupt; expected a network that LiteRT loads"),
        (bare_tflite, "bare.tflite: the model has no kseg card"),
        (tflite_of_other_classes, "other.tflite: the network contradicts its card"),
        (saved_model_without_card, "saved: the model has no kseg card"),
        (saved_model_without_variables, "saved: the model is corrupt; expected a network that TensorFlow loads"),
        (junk_saved_model, "saved: the model is corrupt; expected a network that TensorFlow loads"),
        (torch_file, "model.pt: not a kind of model that kseg runs"),
        (empty_onnx, "empty.onnx: the file is empty"),
        (text_onnx, "text.onnx: the file is not what its name says; expected an .onnx file; found text"),
        (half_onnx, "half.onnx: the model is corrupt; expected an .onnx file that is whole"),
        (card_alone_onnx, "hollow.onnx: the model is corrupt; expected a network that ONNX Runtime loads"),
        (onnx_of_other_classes, "other.onnx: the network contradicts its card; expected tensor(uint8) [16, 24, 3] → "),
        (onnx_that_cannot_run, "odd.onnx: ONNX Runtime lacks an operation of the network; found Sigmund"),
    ],
)
def test_a_bad_model_is_one_clear_line(tmp_path, models, make, message, capfd):
    path = make(tmp_path, models)
    with pytest.raises(ArtifactError) as caught:
        load_predictor(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("form", ["red.keras", "saved_model"])
def test_no_gpu_is_a_usage_error(models, form):
    with pytest.raises(UsageError, match="no GPU is visible to TensorFlow"):
        load_predictor(models / form, device="gpu")


def test_what_is_asked_of_a_model_is_checked_before_it_is_loaded(models):
    with pytest.raises(UsageError, match="--threshold: not a threshold"):
        PredictionPlan.make(models / "red.keras", threshold=7)
    with pytest.raises(UsageError, match="--zoom"):
        PredictionPlan.make(models / "red.keras", zoom=0.5)
    with pytest.raises(UsageError, match="--min-area"):
        PredictionPlan.make(models / "red.keras", min_area=["glasses=3"])
    with pytest.raises(ArtifactError, match="no such model"):
        PredictionPlan.make(models / "nothing.keras")


def test_litert_runs_on_the_cpu_only(models):
    with pytest.raises(UsageError, match=r"LiteRT runs \.tflite files on the CPU only"):
        load_predictor(models / "red.tflite", device="gpu")


def test_onnx_runs_on_the_cpu_only(models):
    with pytest.raises(UsageError, match=r"kseg runs \.onnx files on the CPU only"):
        load_predictor(models / "red.onnx", device="gpu")


@pytest.mark.parametrize(
    ("module", "message"),
    [("onnxruntime", "ONNX Runtime is not installed")],
)
def test_without_the_extra_onnx_the_remedy_is_told(models, monkeypatch, module, message):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"red\.onnx: {message}; pip install 'kseg\[onnx\]'"):
        load_predictor(models / "red.onnx")


def test_a_second_card_takes_the_place_of_the_first(models, tmp_path):
    path = shutil.copy(models / "red.onnx", tmp_path / "red.onnx")
    write_card(path, RED.with_provenance(note="new"))
    assert read_card(path).provenance == {"note": "new"}
    assert load_predictor(path).card == read_card(path)


def test_threads_that_come_too_late_are_told(models, caplog):
    load_predictor(models / "red.keras").predict(picture()[0])
    with caplog.at_level(logging.WARNING, "kseg"):
        load_predictor(models / "red.keras", threads=7)
    assert "the number of threads stays as it was, not 7" in caplog.text


PROGRAM = """
import sys
from kseg.inference import load_predictor
import numpy as np
predictor = load_predictor(sys.argv[1], device="cpu", threads=1)
assert predictor.predict(np.zeros((5, 5, 3), np.uint8)).shape == (5, 5)
if "tensorflow" in sys.modules:
    import tensorflow as tf
    print(tf.config.threading.get_intra_op_parallelism_threads(), tf.config.get_visible_devices("GPU"))
else:
    print("no tensorflow")
"""


@pytest.mark.parametrize(
    ("form", "says"),
    [("red.keras", "1 []"), ("red_int8.tflite", "no tensorflow"), ("red.onnx", "no tensorflow")],
)
def test_in_a_fresh_process_threads_are_set_and_exchanged_files_need_no_tensorflow(models, form, says):
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(models / form)], capture_output=True, text=True, check=True, env=os.environ
    )
    assert process.stdout.strip() == says
    assert process.stderr == ""
