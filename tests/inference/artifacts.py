"""Small real artifacts for the tests: networks whose answers are known, in every form that kseg reads.

`RED` says how red a pixel is; `COLORS` tells background, red and blue apart.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from kseg.card import CARD_NAME, ModelCard, write_card
from kseg.labels import LabelMap
from kseg.openvino_runtime import load_openvino

SIZE = (16, 24)
RED = ModelCard("red", "none", *SIZE, LabelMap(("background", "red"), {0: "background", 200: "red"}))
COLORS = ModelCard(
    "colors",
    "none",
    *SIZE,
    LabelMap(("background", "red", "blue"), {7: "background", 1: "red", 2: "blue", 9: "ignore"}),
)
FORMS = ("red.keras", "saved_model", "red.tflite", "red_int8.tflite", "red.onnx", "red_openvino")


def network(card):
    """A Keras network of one layer that answers as the card promises."""
    import keras

    toward = {"red": (20.0, -10.0, -10.0), "blue": (-10.0, -10.0, 20.0), "background": (0.0, 0.0, 0.0)}
    names = ("red",) if card.channels == 1 else card.labels.names
    images = keras.layers.Input((card.height, card.width, 3))
    layer = keras.layers.Conv2D(card.channels, 1, activation=card.activation)
    model = keras.Model(images, layer(keras.layers.Rescaling(1 / 255)(images)))
    bias = [3.0 if name == "background" else (-5.0 if card.channels == 1 else 0.0) for name in names]
    layer.set_weights([np.array([toward[name] for name in names]).T.reshape(1, 1, 3, -1), np.array(bias)])
    return model


def write_all(folder: Path) -> Path:
    """`FORMS`, and ``colors.keras``, in a folder."""
    from kseg.models import save_model

    model = network(RED)
    save_model(model, folder / "red.keras", RED)
    save_model(network(COLORS), folder / "colors.keras", COLORS)
    write_saved_model(model, folder / "saved_model", RED, "uint8")
    write_saved_model(model, folder / "float", RED, "float32")
    write_tflite(folder / "saved_model", folder / "red.tflite", quantize=False)
    write_tflite(folder / "float", folder / "red_int8.tflite", quantize=True)
    write_onnx(RED, folder / "red.onnx")
    write_openvino(folder / "red.onnx", folder / "red_openvino", RED)
    shutil.rmtree(folder / "float")
    return folder


def write_saved_model(model, folder: Path, card: ModelCard, dtype: str) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.held = [variable.value for variable in model.variables]
    module.serve = tf.function(
        lambda images: {"scores": model(tf.cast(images, tf.float32), training=False)},
        input_signature=[tf.TensorSpec([None, *SIZE, 3], dtype, name="images")],
    )
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / CARD_NAME).write_text(card.to_json())


def write_tflite(source: Path, path: Path, *, quantize: bool) -> None:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(source))
    if quantize:
        rng = np.random.default_rng(0)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [rng.integers(0, 256, (1, *SIZE, 3)).astype(np.float32)] for _ in range(8)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    path.write_bytes(converter.convert())
    write_card(path, RED)


def write_onnx(card: ModelCard, path: Path) -> None:
    """The network of `RED`, of ONNX's own operations, written by the package onnx alone."""
    from onnx import TensorProto, checker, helper

    weights = {"weights": np.array([[20], [-10], [-10]], np.float32) / 255, "bias": np.array([-5], np.float32)}
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["images"], ["raw"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["raw", "weights"], ["redness"]),
            helper.make_node("Add", ["redness", "bias"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["scores"]),
        ],
        "red",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", *SIZE, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", *SIZE, 1])],
        [helper.make_tensor(name, TensorProto.FLOAT, w.shape, w.ravel()) for name, w in weights.items()],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(network)
    path.write_bytes(network.SerializeToString())
    write_card(path, card)


def write_openvino(source: Path, folder: Path, card: ModelCard) -> None:
    """The network of an ``.onnx`` file as an OpenVINO folder."""
    openvino = load_openvino()
    folder.mkdir()
    openvino.save_model(openvino.Core().read_model(str(source)), str(folder / "model.xml"), compress_to_fp16=False)
    write_card(folder, card)


def picture(size=(20, 30), red=(slice(2, 12), slice(5, 20)), blue=None):
    """A grey picture with a red rectangle, and its class ids."""
    image, ids = np.full((*size, 3), 120, np.uint8), np.zeros(size, np.uint8)
    for value, color, region in ((1, (250, 20, 20), red), (2, (20, 20, 250), blue)):
        if region is not None:
            image[region], ids[region] = color, value
    return image, ids
