"""What is no model, or a damaged, contradictory or hostile one, is one line; a model without a card runs on request.

The line and the exit code are those of ``kseg predict``. `test_load.py` has the right models.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import zipfile

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

import kseg
from kseg.card import CARD_NAME, write_card
from kseg.cli.main import run as command
from kseg.errors import ArtifactError
from kseg.inference import load_predictor
from tests.inference.artifacts import COLORS, RED, SIZE, network, picture, write_saved_model

FILES = ("red.keras", "red.tflite", "red.onnx")
FORMATS = (*FILES, "saved_model", "openvino")
RUNTIMES = {"red.onnx": ("onnxruntime", "openvino"), "red.tflite": ("litert", "openvino")}
PHOTO, _ = picture()


@pytest.fixture(scope="session")
def good(models, tmp_path_factory):
    """A model of every format, OpenVINO included."""
    openvino = pytest.importorskip("openvino")
    folder = tmp_path_factory.mktemp("good")
    for name in FILES:
        shutil.copy(models / name, folder / name)
    shutil.copytree(models / "saved_model", folder / "saved_model")
    (folder / "openvino").mkdir()
    converted = openvino.Core().read_model(models / "red.onnx")
    openvino.save_model(converted, folder / "openvino" / "model.xml", compress_to_fp16=False)
    write_card(folder / "openvino", RED)
    return folder


@pytest.fixture
def predict(tmp_path, capsys):
    """``kseg predict MODEL PHOTO OPTIONS`` → exit code and stderr."""
    cv2.imwrite(str(tmp_path / "photo.png"), PHOTO[..., ::-1])

    def call(model, *options):
        with pytest.raises(SystemExit) as stop:
            command(["predict", str(model), str(tmp_path / "photo.png"), "--out", str(tmp_path / "out"), *options])
        return stop.value.code, capsys.readouterr().err

    return call


def copy_of(source, folder):
    (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / source.name)
    return folder / source.name


def without_card(path):
    """Take the card out of a model of `good`."""
    if path.is_dir():
        shutil.rmtree(path / "assets.extra", ignore_errors=True)
        if (path / "model.xml").exists():
            head, _, tail = (path / "model.xml").read_text().partition("\t\t<kseg_card ")
            (path / "model.xml").write_text(head + "\t</rt_info>" + tail.partition("\t</rt_info>")[2])
    elif path.suffix == ".onnx":
        import onnx

        network = onnx.load(path)
        del network.metadata_props[:]
        onnx.save(network, path)
    elif path.suffix == ".tflite":
        data = path.read_bytes()
        path.write_bytes(data[: data.index(b"PK\x03\x04")])
    else:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist() if name != CARD_NAME}
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    return path


CONTENTS = {
    "a PNG image": cv2.imencode(".png", PHOTO)[1].tobytes(),
    "a JPEG image": cv2.imencode(".jpg", PHOTO)[1].tobytes(),
    "text": "no model, ünïcode ".encode() * 40,
    "a web page, such as a download page": b"\n<!DOCTYPE html><html>not found</html>",
    "a pointer of Git LFS (git lfs pull fetches the file itself)": b"version https://git-lfs.github.com/spec/v1\noid x",
    "zeros": bytes(1000),
}


@pytest.mark.parametrize("name", ["m.keras", "m.tflite", "m.onnx", "m.xml"])
@pytest.mark.parametrize("content", CONTENTS)
def test_a_file_that_is_something_else_says_what_it_is(tmp_path, predict, name, content):
    (tmp_path / name).write_bytes(CONTENTS[content])
    code, line = predict(tmp_path / name)
    assert code == 1
    assert f"{name}: the file is not what its name says; expected a" in line
    assert line.endswith(f"; found {content}\n")


@pytest.mark.parametrize(
    ("source", "name", "content"),
    [
        ("red.onnx", "m.tflite", "an ONNX model"),
        ("red.onnx", "m.keras", "an ONNX model"),
        ("red.tflite", "m.onnx", "a TFLite model"),
        ("red.keras", "m.tflite", "a zip archive, as Keras files are"),
        ("red.keras", "m.onnx", "a zip archive, as Keras files are"),
        ("openvino/model.xml", "m.onnx", "XML, as OpenVINO networks are"),
    ],
)
def test_a_model_of_another_format_says_which(good, tmp_path, predict, source, name, content):
    shutil.copy(good / source, tmp_path / name)
    code, line = predict(tmp_path / name)
    assert (code, line.count("\n")) == (1, 1)
    assert f"{name}: the file is not what its name says" in line
    assert f"found {content}" in line


def test_an_archive_of_something_else_lists_what_is_in_it(tmp_path, predict):
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02")
    code, line = predict(tmp_path / "m.keras")
    assert code == 1
    assert (
        "expected a .keras file that is whole; found a zip archive without config.json, with archive/data.pkl" in line
    )


@pytest.mark.parametrize("name", ["m.keras", "m.tflite", "m.onnx", "m.xml"])
def test_an_empty_file_and_a_pipe_are_told(tmp_path, predict, name):
    (tmp_path / name).touch()
    assert f"{name}: the file is empty; copy or export it again" in predict(tmp_path / name)[1]
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    code, line = predict(tmp_path / name)
    assert code == 1
    assert f"{name}: not a file; expected a .keras file, a SavedModel folder, a .tflite file" in line


def test_links_that_lead_nowhere_are_no_models(tmp_path, predict):
    (tmp_path / "a.keras").symlink_to("b.keras")
    (tmp_path / "b.keras").symlink_to("a.keras")
    code, line = predict(tmp_path / "a.keras")
    assert code == 1
    assert "a.keras: no such model" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_may_not_be_read_is_one_line(good, tmp_path, predict, name):
    copy_of(good / name, tmp_path).chmod(0)
    code, line = predict(tmp_path / name)
    assert code == 1
    assert line.endswith(f"{name}: the model cannot be read; found Permission denied; correct its permissions\n")


def test_a_name_that_no_file_system_takes_is_one_line(predict):
    code, line = predict("x" * 5000 + ".keras")
    assert (code, line.count("\n")) == (1, 1)
    assert line.startswith("error: ")


def test_a_tflite_file_whose_card_is_cut_off_is_told(good, tmp_path, predict):
    (tmp_path / "m.tflite").write_bytes((good / "red.tflite").read_bytes()[:-30])
    code, line = predict(tmp_path / "m.tflite")
    assert code == 1
    assert "m.tflite: the model is corrupt; expected a .tflite file that is whole; found the archive behind" in line


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_off_is_one_line(good, tmp_path, name, share):
    data = (good / name).read_bytes()
    (tmp_path / name).write_bytes(data[: min(int(len(data) * share), len(data) - 1)])
    with pytest.raises(
        ArtifactError, match=r"is corrupt; expected an? \.\w+ file that is whole|has no kseg card; .*copy"
    ):
        load_predictor(tmp_path / name)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 1])
@pytest.mark.parametrize(
    "file",
    [
        "saved_model/saved_model.pb", "saved_model/variables/variables.index",
        "saved_model/variables/variables.data-00000-of-00001", "saved_model/assets.extra/kseg_card.json",
        "openvino/model.xml", "openvino/model.bin",
    ],
)  # fmt: skip
def test_a_file_of_a_folder_that_is_cut_off_is_one_line(good, tmp_path, file, share, capfd):
    folder = copy_of(good / file.partition("/")[0], tmp_path)
    path = tmp_path / file
    data = path.read_bytes().rstrip()
    path.write_bytes(data[: max(0, min(int(len(data) * share), len(data) - 1))])
    with pytest.raises(ArtifactError, match=r"the model is corrupt|the model card cannot be read") as caught:
        load_predictor(folder)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("openvino/model.bin", "no model.bin with the weights beside it"),
        ("openvino/model.xml", "the folder is no model"),
        ("saved_model/variables", "the model is corrupt; expected a network that TensorFlow loads"),
        ("saved_model/saved_model.pb", "the folder is no model"),
    ],
)
def test_a_folder_that_lacks_a_part_is_one_line(good, tmp_path, predict, file, message):
    folder = copy_of(good / file.partition("/")[0], tmp_path)
    if (tmp_path / file).is_dir():
        shutil.rmtree(tmp_path / file)
    else:
        (tmp_path / file).unlink()
    code, line = predict(folder)
    assert (code, line.count("\n")) == (1, 1)
    assert message in line


def test_the_weights_of_another_openvino_network_are_told(good, tmp_path, predict):
    folder = copy_of(good / "openvino", tmp_path)
    data = bytearray((folder / "model.bin").read_bytes())
    data[0] ^= 1
    (folder / "model.bin").write_bytes(data)
    assert "model.bin beside it is cut off, or holds the weights of another network" in predict(folder)[1]


LARGER = type(RED)("red", "none", SIZE[0] * 2, SIZE[1], RED.labels)


@pytest.mark.parametrize("card", [LARGER, COLORS], ids=["size", "classes"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_card_that_contradicts_its_network_is_one_line(good, tmp_path, name, card):
    path = copy_of(good / name, tmp_path)
    write_card(path, card)
    for runtime in RUNTIMES.get(name, (None,)):
        with pytest.raises(ArtifactError, match=rf"{name}: the network contradicts its card; expected .* → .*; found "):
            load_predictor(path, runtime=runtime)


def test_scores_of_another_type_contradict_the_card(good, tmp_path):
    onnx = pytest.importorskip("onnx")
    doubled = onnx.load(good / "red.onnx")
    doubled.graph.node.append(onnx.helper.make_node("Cast", ["scores"], ["double"], to=onnx.TensorProto.DOUBLE))
    doubled.graph.output[0].name = "double"
    doubled.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    onnx.save(doubled, tmp_path / "m.onnx")
    for runtime, found in {"onnxruntime": "tensor.double.", "openvino": "f64"}.items():
        with pytest.raises(ArtifactError, match=f"contradicts its card; .*{found}"):
            load_predictor(tmp_path / "m.onnx", runtime=runtime)
    save_function(tmp_path / "saved", lambda images: tf.cast(images, tf.float64)[..., :1] / 255)
    with pytest.raises(ArtifactError, match=r"contradicts its card; .* found images uint8 .* scores float64"):
        load_predictor(tmp_path / "saved")


def save_function(folder, function):
    """A SavedModel of a function of uint8 images, with the card of `RED`."""
    module = tf.Module()
    module.serve = tf.function(
        lambda images: {"scores": function(images)},
        input_signature=[tf.TensorSpec([None, *SIZE, 3], tf.uint8, name="images")],
    )
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    write_card(folder, RED)
    return folder


def test_a_network_that_loads_and_does_not_run_is_one_line(tmp_path, predict):
    def fail(images):
        scores = tf.cast(images, tf.float32)[..., :1]
        # A shape that depends on values: nobody can know before the network runs that it does not fit.
        channels = tf.where(tf.reduce_sum(scores) >= 0, 7, 1)
        return tf.reshape(scores, tf.stack([-1, *SIZE, channels]))[..., :1]

    code, line = predict(save_function(tmp_path / "saved", fail))
    assert code == 1
    assert "saved: the network fails when it runs; found" in line


# Nothing in an artifact executes.


def test_a_keras_file_with_python_code_is_refused(tmp_path, predict):
    images = keras.Input((*SIZE, 3))
    model = keras.Model(images, keras.layers.Lambda(lambda x: x[..., :1] / 255)(images))
    model.save(tmp_path / "m.keras")
    write_card(tmp_path / "m.keras", RED)
    code, line = predict(tmp_path / "m.keras")
    assert code == 1
    assert (
        "m.keras: the model holds Python code, which kseg does not run; found Requested the deserialization of" in line
    )
    assert "`Lambda` layer" in line


@pytest.mark.parametrize("entry", [("os", "system"), ("subprocess", "Popen"), ("builtins", "eval")])
def test_a_keras_file_that_names_a_function_of_python_is_refused(good, tmp_path, entry):
    path, target = tmp_path / "m.keras", tmp_path / "executed"
    config = {"module": entry[0], "class_name": entry[1], "registered_name": entry[1], "config": [f"touch {target}"]}
    with zipfile.ZipFile(good / "red.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(ArtifactError, match=r"m\.keras: the model cannot be loaded"):
        load_predictor(path)
    assert not target.exists()


def test_operations_that_reach_beyond_a_saved_model_are_refused(tmp_path, predict):
    target = tmp_path / "written"

    def write(images):
        with tf.control_dependencies([tf.io.write_file(str(target), "x")]):
            return tf.cast(images, tf.float32)[..., :1] / 255

    def python(images):
        scores = tf.py_function(lambda x: target.touch() or x, [tf.cast(images, tf.float32)], tf.float32)
        return tf.ensure_shape(scores, [None, *SIZE, 3])[..., :1]

    def save(images):
        with tf.control_dependencies([tf.raw_ops.SaveV2(
            prefix=str(target), tensor_names=["x"], shape_and_slices=[""], tensors=[tf.constant(1.0)]
        )]):  # fmt: skip
            return tf.cast(images, tf.float32)[..., :1] / 255

    for name, function in {"WriteFile": write, "EagerPyFunc": python, "SaveV2": save}.items():
        code, line = predict(save_function(tmp_path / name, function))
        assert code == 1
        assert "the SavedModel holds operations that reach beyond the network, which kseg does not run" in line
        assert f"found {name}; export it without them" in line
    assert not list(tmp_path.glob("written*"))


def test_variables_of_a_saved_model_are_not_taken_for_such_operations(tmp_path):
    write_saved_model(network(RED), tmp_path / "saved", RED, "uint8")
    assert load_predictor(tmp_path / "saved").predict(PHOTO).any()


@pytest.mark.parametrize("location", ["../../../../../../etc/passwd", "/etc/passwd", "link.bin"])
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_weights_outside_the_folder_of_an_onnx_file_are_refused(good, tmp_path, location, runtime):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(good / "red.onnx")
    weights = model.graph.initializer[0]
    weights.ClearField("float_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "12"}.items():
        weights.external_data.add(key=key, value=value)
    (tmp_path / "link.bin").symlink_to("/etc/passwd")
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(
        ArtifactError, match=r"m\.onnx: the model is corrupt; .*(outside|escapes|Absolute path not allowed)"
    ):
        load_predictor(tmp_path / "m.onnx", runtime=runtime)


def with_strings(images):
    return tf.strings.to_number(tf.strings.as_string(tf.cast(images, tf.float32)[..., :1] / 255))


@pytest.mark.parametrize(
    ("flex", "runtime", "operation"),
    [
        (True, "litert", "AsString (TensorFlow's), StringToNumber (TensorFlow's)"),
        (True, "openvino", "FlexAsString"),
        (False, "litert", "AsString"),
        (False, "openvino", "AsString"),
    ],
)
def test_an_operation_that_a_tflite_runtime_lacks_is_named(tmp_path, flex, runtime, operation):
    save_function(tmp_path / "saved", with_strings)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    converter.allow_custom_ops = not flex
    if flex:
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    (tmp_path / "m.tflite").write_bytes(converter.convert())
    write_card(tmp_path / "m.tflite", RED)
    name = {"litert": "LiteRT", "openvino": "OpenVINO"}[runtime]
    with pytest.raises(ArtifactError) as caught:
        load_predictor(tmp_path / "m.tflite", runtime=runtime)
    assert f"m.tflite: {name} lacks an operation of the network; found {operation}; use another" in str(caught.value)


@pytest.mark.parametrize(
    ("runtime", "operation"),
    [("onnxruntime", "ONNX Runtime lacks an operation of the network; found my.ops:Evil"),
     ("openvino", "OpenVINO lacks an operation of the network; found my.ops.Evil")],
)  # fmt: skip
def test_an_operation_that_an_onnx_runtime_lacks_is_named(good, tmp_path, runtime, operation):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(good / "red.onnx")
    model.graph.node[-1].op_type, model.graph.node[-1].domain = "Evil", "my.ops"
    model.opset_import.append(onnx.helper.make_opsetid("my.ops", 1))
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(ArtifactError, match=operation):
        load_predictor(tmp_path / "m.onnx", runtime=runtime)


def test_an_operation_that_openvino_lacks_is_named_and_no_extension_is_loaded(good, tmp_path):
    folder = copy_of(good / "openvino", tmp_path)
    text = (folder / "model.xml").read_text()
    (folder / "model.xml").write_text(
        text.replace('type="Sigmoid" version="opset1"', 'type="Evil" version="extension"')
    )
    with pytest.raises(ArtifactError, match="OpenVINO lacks an operation of the network; found Evil"):
        load_predictor(folder)


# Models without a card.


@pytest.mark.parametrize("name", FORMATS)
def test_a_model_without_a_card_runs_with_its_size_and_classes(good, tmp_path, predict, name):
    path = without_card(copy_of(good / name, tmp_path))
    code, line = predict(path)
    assert (code, line.count("\n")) == (1, 1)
    assert f"{name}: the model has no kseg card; expected a model that `kseg fit` or `kseg export` wrote" in line
    assert f"kseg predict {path} PHOTOS --out MASKS --size HEIGHT WIDTH --classes background,NAME" in line

    code, line = predict(path, "--size", *map(str, SIZE), "--classes", "background,red")
    assert code == 0
    assert line.splitlines()[0] == (
        f"warning: {path} has no kseg card: assumed that it takes RGB images of 16×24 with values 0..255 and returns "
        "scores in 0..1 of red, in one channel (threshold 0.5 where --threshold says no other); masks hold 0 "
        "(background), 1 (red)"
    )
    expected = load_predictor(good / name).predict(PHOTO)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "out" / "photo.png"), cv2.IMREAD_UNCHANGED), expected)
    loaded = kseg.load(path, size=SIZE, classes=["background", "red"], threshold=1.0)
    assert not loaded(PHOTO).mask.any()


def test_several_classes_without_a_card_are_those_of_the_scores(models, tmp_path, caplog):
    path = without_card(copy_of(models / "colors.keras", tmp_path))
    with caplog.at_level(logging.WARNING, "kseg"):
        model = kseg.load(path, size=SIZE, classes=["background", "red", "blue"])
    assert "scores in 0..1 of background, red, blue, in this order" in caplog.text
    image, ids = picture(SIZE, red=np.s_[2:8, 2:10], blue=np.s_[9:15, 12:20])
    np.testing.assert_array_equal(model(image).mask, ids)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "the model has no kseg card"),
        (("--size", "16", "24"), "the classes are missing; add --classes background,NAME"),
        (("--classes", "background,red"), "the size is missing; add --size HEIGHT WIDTH"),
        (("--size", "16", "99999", "--classes", "a,b"), "--size: not a size; expected height and width in 1..16384"),
        (("--size", "16", "24", "--classes", "red"), "--classes: a segmentation needs at least two classes"),
        (("--size", "16", "24", "--classes", "red,red"), "--classes: a class name occurs twice"),
        (("--size", "16", "24", "--classes", "red,bg"), "--classes: the background is not the first class"),
        (
            ("--size", "24", "16", "--classes", "background,red"),
            "m.tflite: the model does not fit --size and --classes; expected [1, 24, 16, 3] → [1, 24, 16, 1]; found "
            "[1, 16, 24, 3] → [1, 16, 24, 1]; take the size and the number of classes of the network",
        ),
        (("--size", "16", "24", "--classes", "a,b,c"), "the model does not fit --size and --classes"),
    ],
)
def test_what_is_said_of_a_model_without_a_card_is_checked(good, tmp_path, predict, options, message):
    path = without_card(shutil.copy(good / "red.tflite", tmp_path / "m.tflite") and tmp_path / "m.tflite")
    code, line = predict(path, *options)
    assert code == (2 if options else 1)
    assert message in line
    assert not (tmp_path / "out" / "photo.png").exists()


def test_logits_are_no_scores(tmp_path, predict):
    images = keras.Input((*SIZE, 3))
    keras.Model(images, keras.layers.Conv2D(1, 1, kernel_initializer="ones")(images)).save(tmp_path / "m.keras")
    code, line = predict(tmp_path / "m.keras", "--size", "16", "24", "--classes", "background,red")
    assert code == 1
    assert "m.keras: the model returns no scores; expected values in 0..1; found values in" in line
    assert "export it with a sigmoid or softmax at its end" in line


def test_two_scores_of_background_and_a_class_are_run_as_the_remedy_says(tmp_path, predict):
    images = keras.Input((*SIZE, 3))
    model = keras.Model(images, keras.layers.Conv2D(2, 1, activation="softmax")(images))
    model.save(tmp_path / "m.keras")
    _, line = predict(tmp_path / "m.keras", "--size", "16", "24", "--classes", "background,red")
    assert line.endswith("two scores a pixel, of which the higher wins, are --classes other,red\n")
    assert predict(tmp_path / "m.keras", "--size", "16", "24", "--classes", "other,red")[0] == 0


@pytest.mark.parametrize(
    "options", [("--size", "16", "24"), ("--classes", "a,b"), ("--size", "8", "8", "--classes", "a,b")]
)
def test_a_model_with_a_card_takes_neither(good, predict, options):
    code, line = predict(good / "red.tflite", *options)
    assert code == 2
    assert "the model has a card, which says what it takes and returns; found 16×24 and background, red in" in line
    assert line.endswith("leave --size and --classes out\n")
