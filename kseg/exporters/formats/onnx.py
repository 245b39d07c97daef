"""ONNX in float32: a single file for ONNX Runtime and other libraries that read the format."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kseg.card import write_card
from kseg.errors import ArtifactError, missing_extra
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.graph import serving_module
from kseg.tensorflow_runtime import quiet_stderr

if TYPE_CHECKING:
    import keras

__all__ = ["write_onnx"]

OPSET: Final = 17
"""The ONNX operator set, of 2022; ONNX Runtime supports it since version 1.12."""
_BATCH: Final = "batch"


def write_onnx(conversion: Conversion, path: Path) -> None:
    """Write an ``.onnx`` file: uint8 ``images [batch, h, w, 3]`` → float32 ``scores``, with the card in its metadata.

    Raises:
        UsageError: kseg's extra ``onnx`` is not installed, or Keras' backend is not TensorFlow.
        ArtifactError: tf2onnx fails.
    """
    path.write_bytes(_convert(conversion.model))
    write_card(path, conversion.card)


def _convert(model: keras.Model) -> bytes:
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise missing_extra("onnx", "tf2onnx, which writes ONNX, is not installed") from error
    import tensorflow as tf

    module = serving_module(model, batch=None, dtype=tf.uint8)
    with _silence():
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
        lines = str(failure).strip().splitlines() or [type(failure).__name__]
        raise ArtifactError("the conversion to ONNX failed", found=lines[0][:300]) from failure
    for value in (*network.graph.input, *network.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = _BATCH
    return bytes(network.SerializeToString())


def _erfc(graph: Any, node: Any, name: str, _: object) -> None:
    """Convert TensorFlow's Erfc, of which Keras' exact GELU consists and which ONNX lacks: erfc(x) = 1 - erf(x)."""
    erf = graph.make_node("Erf", [node.input[0]])
    unity = graph.make_const(f"{name}_one", np.ones((), np.float32))
    shapes, dtypes = node.output_shapes, node.output_dtypes
    graph.remove_node(name)
    graph.make_node(
        "Sub", [unity.output[0], erf.output[0]], outputs=node.output, shapes=shapes, dtypes=dtypes, name=name
    )


@contextmanager
def _silence() -> Iterator[None]:
    """Suppress tf2onnx's log, which has a traceback for each optional optimisation of the graph that fails."""
    log = logging.getLogger("tf2onnx")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with quiet_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
