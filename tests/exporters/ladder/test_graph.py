"""The calibrated graph: any group of layers can stay in float, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kseg.card import write_card
from kseg.errors import ArtifactError
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.tflite_quantized import write_tflite_int8
from kseg.exporters.ladder.graph import CalibratedGraph, float_operations
from kseg.inference import load_predictor

GROUPS = ("normalization", "encoder0", "encoder1", "bottleneck", "decoder0", "decoder1", "head")


@pytest.fixture(scope="module")
def graph(conversion: Conversion) -> CalibratedGraph:
    return CalibratedGraph.calibrate(conversion.model, conversion.calibration)


def test_groups_are_in_the_order_of_the_computation(graph: CalibratedGraph) -> None:
    assert graph.groups == GROUPS


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_computes_in_float_and_no_other_but_for_those_that_read_it(graph: CalibratedGraph, group: str) -> None:
    """Of the group, what only moves values may stay quantised where it moves values of the group before."""
    operations = float_operations(graph.quantised([group]))
    layers = {layer for layer, of in graph.layers.items() if of == group}
    own = [op for op in graph.operations if any(f"/{layer}" in op.name.split(";")[0] for layer in layers)]
    computing = [op for op in own if op.kind not in {"MAX_POOL_2D", "LOGISTIC"}]
    assert computing
    for operation in computing:
        assert any(op.kind == operation.kind and op.name.startswith(operation.name) for op in operations), operation
    assert len(operations) < len(graph.operations)
    floating = graph.float_layers(graph.quantised([group]))
    readers = {"encoder0": {"encoder1", "decoder1"}, "encoder1": {"bottleneck", "decoder0"}}
    following = readers.get(group, {GROUPS[min(GROUPS.index(group) + 1, len(GROUPS) - 1)]})
    assert {graph.layers[layer] for layer in floating} <= {group, *following}


def test_all_groups_together_leave_nothing_quantised(graph: CalibratedGraph) -> None:
    assert len(float_operations(graph.quantised(GROUPS))) == len(graph.operations)
    assert float_operations(graph.quantised()) == ()


def test_without_groups_it_is_the_int8_file(graph: CalibratedGraph, conversion: Conversion, tmp_path: Path) -> None:
    write_tflite_int8(conversion, tmp_path / "int8.tflite")
    (tmp_path / "ladder.tflite").write_bytes(graph.quantised())
    write_card(tmp_path / "ladder.tflite", conversion.card)
    images = np.stack(conversion.calibration)
    first, second = (load_predictor(tmp_path / name).run(images) for name in ("int8.tflite", "ladder.tflite"))
    np.testing.assert_array_equal(first, second)


def test_what_the_quantiser_refuses_is_one_line(graph: CalibratedGraph) -> None:
    with pytest.raises(ArtifactError, match="TensorFlow's quantiser failed"):
        CalibratedGraph(b"not a flatbuffer", graph.layers).quantised()
