"""Groups of layers, and the layer that a tensor of a TFLite graph came from."""

from __future__ import annotations

import pytest

from kseg.exporters.ladder.groups import group_layers, layer_of
from kseg.models import NetworkSpec, build_model


@pytest.mark.parametrize(
    ("encoder", "stages"),
    [
        ("plain", [f"encoder{stage}" for stage in range(4)]),
        ("mit_b0", [f"encoder{stage}" for stage in range(4)]),
        ("mobilenetv2", [f"encoder {stride}" for stride in (2, 4, 8, 16, 32)]),
        # Squeeze and excitation belongs to the stage around it.
        ("mobilenetv3_small", [f"encoder {stride}" for stride in (2, 4, 8, 16, 32)]),
    ],
)
def test_layers_are_grouped_by_the_stages_of_the_network(encoder: str, stages: list[str]) -> None:
    groups = group_layers(build_model(NetworkSpec(size=(64, 64), channels=2, encoder=encoder)))
    assert list(dict.fromkeys(group for group in groups.values() if group.startswith("encoder"))) == stages
    assert groups["normalize"] == "normalization"
    assert groups["logits"] == groups["scores"] == "head"
    assert groups["decoder0_up"] == groups["decoder0_1_conv"] == "decoder0"
    assert groups["decoder1_up"] == "decoder1"


def test_a_tensor_is_of_the_first_layer_in_its_name() -> None:
    groups = {"decoder0_1_conv": "decoder0", "decoder0_1_relu": "decoder0", "encoder_block_1_pad": "encoder 2"}
    fused = "unet_1/decoder0_1_relu_1/Relu;unet_1/decoder0_1_conv_1/convolution;unet_1/decoder0_1_norm_1/sub1"
    assert layer_of(fused, groups) == "decoder0_1_relu"
    assert layer_of("unet/encoder_block_1_pad/Pad", groups) == "encoder_block_1_pad"
    assert layer_of("unet/unknown_1/Mul;unet/decoder0_1_conv/convolution", groups) == "decoder0_1_conv"
    assert layer_of("StatefulPartitionedCall:0", groups) is None
