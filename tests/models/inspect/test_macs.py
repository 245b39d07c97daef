"""Multiply-accumulates beside published numbers, TensorFlow's own profiler, and counts by hand."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf

from kseg.errors import ArtifactError
from kseg.models import NetworkSpec, build_model
from kseg.models.inspect.macs import total_macs
from kseg.models.inspect.parts import summarize

# At 224 × 224: the number and the classifier's share of it, which a U-Net's encoder does without.
PUBLISHED = {
    # "300M multiply-adds", https://arxiv.org/abs/1801.04381, table 4; torchvision 0.301 G
    "mobilenetv2": (300.8e6, 1280 * 1000),
    # torchvision.models: "GFLOPS" 1.81, 4.09, 15.47, 7.61, 0.39, which are multiply-accumulates
    "resnet18": (1.814e9, 512 * 1000),
    "resnet50": (4.089e9, 2048 * 1000),
    "vgg16": (15.470e9, 4096 * (25088 + 4096 + 1000)),
    "vgg11": (7.609e9, 4096 * (25088 + 4096 + 1000)),
    "efficientnet_b0": (0.386e9, 1280 * 1000),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_encoders_take_what_is_published(name: str) -> None:
    total, classifier = PUBLISHED[name]
    parts = summarize(NetworkSpec(size=(224, 224), channels=1, encoder=name)).parts
    actual = sum(part.macs for part in parts if part.kind == "encoder")
    assert actual == pytest.approx(total - classifier, rel=2e-3)


def profiled(model: keras.Model) -> float:
    """Half of TensorFlow's floating-point operations of convolutions and matrix products, for one image."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    graph = convert_variables_to_constants_v2(tf.function(model).get_concrete_function(signature)).graph
    counted = {"Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MatMul"}
    return sum(
        tf.compat.v1.profiler.profile(
            graph, cmd="op", options={**PROFILE, "account_type_regexes": [f"^{kind}$"]}
        ).total_float_ops
        for kind in counted
    ) / 2  # fmt: skip


PROFILE = {
    **tf.compat.v1.profiler.ProfileOptionBuilder.float_operation(), "output": "none", "show_name_regexes": [".*"],
}  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        {"widths": (4, 8)},
        {"widths": (4, 8), "block": "separable", "upsampling": "bilinear"},
        {"widths": (4, 8), "attention_gates": True, "arch": "unetplusplus"},
        {"encoder": "mobilenetv3_small", "decoder_widths": (8, 8, 4, 4, 4)},
    ],
)
def test_tensorflows_profiler_counts_the_same(settings: dict[str, object]) -> None:
    model = build_model(NetworkSpec(**{"size": (32, 64), "channels": 2, **settings}))
    assert total_macs(model) == profiled(model)


def counted(layer: keras.Layer, shape: tuple[int, ...] = (8, 6, 3)) -> int:
    x = keras.Input(shape)
    return total_macs(keras.Model(x, layer(x)))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (keras.layers.Conv2D(5, 3), 6 * 4 * 3 * 3 * 3 * 5),
        (keras.layers.Conv2D(6, 3, strides=2, padding="same", groups=3), 4 * 3 * 3 * 3 * 1 * 6),
        (keras.layers.Conv2D(5, 3, padding="same", dilation_rate=3), 8 * 6 * 3 * 3 * 3 * 5),
        (keras.layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2), 8 * 6 * 3 * 3 * 3 * 2),
        (keras.layers.SeparableConv2D(5, 3, padding="same"), 8 * 6 * (3 * 3 * 3 + 3 * 5)),
        (keras.layers.Conv2DTranspose(5, 2, strides=2), 16 * 12 * 3 * 5),
        (keras.layers.Dense(7), 8 * 6 * 3 * 7),
        (keras.layers.BatchNormalization(), 0),
        (keras.layers.UpSampling2D(2), 0),
    ],
)
def test_layers_by_hand(layer: keras.Layer, expected: int) -> None:
    assert counted(layer) == expected


def test_attention_by_hand() -> None:
    """10 queries of 6 channels over 4 keys of 8: projections to 2 heads of 3, two products, and the way back."""
    query, value = keras.Input((10, 6)), keras.Input((4, 8))
    scores = keras.layers.MultiHeadAttention(2, 3, flash_attention=False)(query, value)
    projections = 10 * 6 * 6 + 2 * (4 * 8 * 6) + 10 * 6 * 6
    assert total_macs(keras.Model([query, value], scores)) == projections + 2 * (2 * 10 * 4 * 3)


def test_a_layer_used_twice_works_twice() -> None:
    image, shared = keras.Input((4, 4, 3)), keras.layers.Conv2D(3, 1)
    assert total_macs(keras.Model(image, shared(shared(image)))) == 2 * 4 * 4 * 3 * 3


@pytest.mark.parametrize(
    "layer", [keras.layers.Conv1D(4, 1), keras.layers.LSTM(4), keras.layers.EinsumDense("abc,cd->abd", (None, 4))]
)
def test_unknown_layers_are_not_taken_for_free(layer: keras.Layer) -> None:
    with pytest.raises(
        ArtifactError, match=f"{layer.name}: the work of this layer cannot be counted.*{type(layer).__name__}"
    ):
        counted(layer, shape=(4, 4))


def test_neither_are_products_without_weights() -> None:
    x = keras.Input((4, 4))
    with pytest.raises(ArtifactError, match="cannot be counted; found Matmul"):
        total_macs(keras.Model(x, keras.ops.matmul(x, x)))
