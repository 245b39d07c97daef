"""ONNX in float32, or with float16 weights: a single file for ONNX Runtime and other libraries that read the format."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kseg import __version__
from kseg.card import ModelCard, write_card
from kseg.errors import ArtifactError, missing_extra
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.graph import serving_module
from kseg.exporters.formats.silence import silence

if TYPE_CHECKING:
    import keras

__all__ = ["convert", "save", "write_onnx", "write_onnx_fp16"]

OPSET: Final = 17
"""The ONNX operator set, of 2022; ONNX Runtime supports it since version 1.12."""
_BATCH: Final = "batch"
_UNKNOWN_OPERATION: Final = re.compile(r"No Op registered for (\w+)")
_SMALLEST_HALVED: Final = 1024
"""Elements of the smallest tensor that is worth an operation that converts it back from float16."""


def write_onnx(conversion: Conversion, path: Path) -> None:
    """Write an ``.onnx`` file: uint8 ``images [batch, h, w, 3]`` → float32 ``scores``, with the card in its metadata.

    Raises:
        UsageError: kseg's extra ``onnx`` is not installed, or Keras' backend is not TensorFlow.
        ArtifactError: ONNX has no operation for one of the network's, or tf2onnx fails.
    """
    save(convert(conversion.model), path, conversion.card)


def write_onnx_fp16(conversion: Conversion, path: Path) -> None:
    """As `write_onnx`, with weights stored in float16, which are computed with in float32."""
    network = convert(conversion.model)
    _halve_weights(network.graph)
    save(network, path, conversion.card)


def convert(model: keras.Model) -> Any:
    """Convert a network to an ``onnx.ModelProto``.

    Raises:
        UsageError, ArtifactError: As `write_onnx`.
    """
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise missing_extra("onnx", "tf2onnx, which writes ONNX, is not installed") from error
    import tensorflow as tf

    module = serving_module(model, batch=None, dtype=tf.uint8)
    # tf2onnx logs a traceback for each optional optimisation of the graph that fails.
    with silence():
        try:
            network, _ = tf2onnx.convert.from_function(
                module.serve, module.serve.input_signature, opset=OPSET, custom_op_handlers={"Erfc": (_erfc, [])}
            )
            # tf2onnx silently leaves operations that it does not know in the graph.
            onnx.checker.check_model(network)
            failure: Exception | None = None
        except Exception as error:  # tf2onnx raises almost anything
            failure = error
    if failure:
        raise _refusal(failure) from failure
    for value in (*network.graph.input, *network.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = _BATCH
    return network


def save(network: Any, path: Path, card: ModelCard) -> None:
    """Write an ``onnx.ModelProto`` with the card and the standard metadata.

    Args:
        network: The network; its metadata are set.
        path: The file.
        card: Its card.
    """
    classes = ", ".join(card.labels.names)
    network.producer_name, network.producer_version = "kseg", __version__
    network.doc_string = f"{card.name}: semantic segmentation ({card.architecture}), classes {classes}"
    (images,), (scores,) = network.graph.input, network.graph.output
    images.doc_string = "RGB images, raw values 0..255, [batch, height, width, channel]"
    scores.doc_string = f"scores in 0..1, [batch, height, width, channel]: {_channels(card)}"
    # Notes of the quantiser for itself.
    del network.metadata_props[:]
    path.write_bytes(network.SerializeToString())
    write_card(path, card)


def _channels(card: ModelCard) -> str:
    if card.channels > 1:
        return f"a channel a class ({', '.join(card.labels.names)}), of which the highest wins"
    return f"{card.labels.names[-1]} where the only channel is at least {card.threshold:g}"


def _halve_weights(graph: Any) -> None:
    """Store the large weights in float16, each with a Cast to float32, which runtimes fold when they load the file."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= _SMALLEST_HALVED:
            name, weights = tensor.name, numpy_helper.to_array(tensor)
            limit = np.finfo(np.float16).max
            half = weights.clip(-limit, limit).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}_fp16"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], name=f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _erfc(graph: Any, node: Any, name: str, _: object) -> None:
    """Convert TensorFlow's Erfc, of which Keras' exact GELU consists and which ONNX lacks: erfc(x) = 1 - erf(x)."""
    erf = graph.make_node("Erf", [node.input[0]])
    unity = graph.make_const(f"{name}_one", np.ones((), np.float32))
    shapes, dtypes = node.output_shapes, node.output_dtypes
    graph.remove_node(name)
    graph.make_node(
        "Sub", [unity.output[0], erf.output[0]], outputs=node.output, shapes=shapes, dtypes=dtypes, name=name
    )


def _refusal(failure: Exception) -> ArtifactError:
    text = str(failure).strip()
    operations = sorted(set(_UNKNOWN_OPERATION.findall(text)))
    if operations:
        return ArtifactError(
            f"ONNX has no operation {', '.join(operations)}",
            remedy="replace the layer that uses it, or export another format",
        )  # fmt: skip
    lines = text.splitlines() or [type(failure).__name__]
    return ArtifactError("the conversion to ONNX failed", found=lines[0][:300])
