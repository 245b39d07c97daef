"""Every choice of a network's structure is built: by the layers that it has, beside those that it has not."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kseg.models import NetworkSpec, build_model

layers = keras.layers
NORMS = {"batch": layers.BatchNormalization, "group": layers.GroupNormalization, "layer": layers.LayerNormalization}


@pytest.fixture(autouse=True)
def _forget_networks() -> Any:
    yield
    keras.backend.clear_session()


def build(**settings: Any) -> keras.Model:
    return build_model(NetworkSpec(**{"size": (32, 48), "widths": (4, 8), "channels": 1, **settings}))


def of_kind(model: keras.Model, kind: type[keras.Layer], name: str = "") -> list[Any]:
    return [layer for layer in model.layers if type(layer) is kind and layer.name.startswith(name)]


@pytest.mark.parametrize("norm", ["none", *NORMS])
def test_each_convolution_has_its_normalisation_or_a_bias(norm: str) -> None:
    model = build(norm=norm, bottleneck="conv")
    convolutions = [layer for layer in of_kind(model, layers.Conv2D) if layer.name.endswith("_conv")]
    assert len(convolutions) == 2 * (2 + 1 + 2)
    assert {layer.use_bias for layer in convolutions} == {norm == "none"}
    counts = {name: len(of_kind(model, kind)) for name, kind in NORMS.items()}
    assert counts == {name: 10 * (name == norm) for name in NORMS}


@pytest.mark.parametrize(("width", "groups"), [(6, 6), (16, 8), (20, 5)])
def test_groups_divide_the_channels(width: int, groups: int) -> None:
    assert {layer.groups for layer in of_kind(build(norm="group", widths=(width,)), layers.GroupNormalization)} >= {
        groups
    }


@pytest.mark.parametrize("upsampling", ["transpose", "bilinear", "nearest"])
def test_a_step_up_is_a_transposed_convolution_or_an_interpolation(upsampling: str) -> None:
    model = build(upsampling=upsampling)
    scaled = [layer.interpolation for layer in of_kind(model, layers.UpSampling2D)]
    assert scaled == ([] if upsampling == "transpose" else [upsampling] * 2)
    assert len(of_kind(model, layers.Conv2DTranspose)) == (2 if upsampling == "transpose" else 0)


@pytest.mark.parametrize("block", ["standard", "residual", "separable"])
def test_blocks(block: str) -> None:
    model = build(block=block)
    parts = ("encoder", "bottleneck", "decoder")
    depthwise = [len(of_kind(model, layers.DepthwiseConv2D, part)) for part in parts]
    assert depthwise == ([4, 2, 4] if block == "separable" else [0, 0, 0])
    assert [len(of_kind(model, layers.Add, part)) for part in parts] == ([2, 1, 2] if block == "residual" else [0] * 3)


def test_a_residual_block_adds_its_input() -> None:
    """With inner convolutions of nothing, the block is its shortcut."""
    model = build(block="residual")
    for name in ("bottleneck_2_conv", "bottleneck_1_conv"):
        model.get_layer(name).set_weights([np.zeros_like(weight) for weight in model.get_layer(name).get_weights()])
    ends = model.get_layer("bottleneck_shortcut_conv").output, model.get_layer("bottleneck_add").output
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 48, 3)).astype(np.float32)
    shortcut, added = keras.Model(model.input, ends)(images)
    assert np.ptp(shortcut) > 0.01
    np.testing.assert_array_equal(added, shortcut)


def test_attention_has_its_heads() -> None:
    (attention,) = of_kind(build(bottleneck="attention", attention_heads=2), layers.MultiHeadAttention)
    assert (attention.num_heads, attention.key_dim) == (2, 8)
    assert of_kind(build(), layers.MultiHeadAttention) == []


@pytest.mark.parametrize(("size", "rates"), [(320, [6, 12, 18]), (160, [6, 9, 9])])
def test_atrous_convolutions_reach_as_far_as_in_the_paper_or_the_features_do(size: int, rates: list[int]) -> None:
    model = build(bottleneck="aspp", size=(size, size), widths=(4,) * 4)
    assert [model.get_layer(f"aspp_{i}_conv").dilation_rate[0] for i in (1, 2, 3)] == rates
    assert len(of_kind(model, layers.GlobalAveragePooling2D, "aspp")) == 1


def test_gates_weigh_each_skip_connection() -> None:
    model = build(attention_gates=True)
    gated = of_kind(model, layers.Multiply)
    assert [tuple(layer.output.shape[1:]) for layer in gated] == [(16, 24, 8), (32, 48, 4)]
    joined = [layer.input[0].name for layer in of_kind(model, layers.Concatenate)]
    assert joined == [layer.output.name for layer in gated]
    assert of_kind(build(), layers.Multiply) == []


def test_dropout_is_of_whole_channels_at_its_rate() -> None:
    assert [layer.rate for layer in of_kind(build(dropout=0.3), layers.SpatialDropout2D)] == [0.3]
    assert of_kind(build(), layers.SpatialDropout2D) == []
