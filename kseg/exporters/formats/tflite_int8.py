"""TFLite with int8 weights and activations, calibrated on training images: for plain CPUs and phones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kseg.card import write_card
from kseg.errors import ArtifactError
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.tflite import convert
from kseg.tensorflow_runtime import quiet_stderr

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["calibration_inputs", "write_tflite_int8"]


def write_tflite_int8(conversion: Conversion, path: Path) -> None:
    """Write a fully quantised ``.tflite``: uint8 ``[1, h, w, 3]`` → uint8 ``[1, h, w, C]``, with the card appended.

    The quantisation of the input is scale 1, zero point 0, so that the raw bytes of a picture are the input. That of
    the output is stored in the file (scale 1/256, zero point 0 after a sigmoid or softmax).

    Raises:
        ArtifactError: The converter refuses the network, or the file is not fully quantised.
    """
    import tensorflow as tf

    # The graph has a float32 input, which the converter quantises to uint8; a uint8 input would not be quantised.
    path.write_bytes(convert(conversion.model, tf.float32, _quantise(conversion.calibration)))
    _check(path)
    write_card(path, conversion.card)


def _quantise(images: Sequence[npt.NDArray[np.uint8]]) -> Callable[[tf.lite.TFLiteConverter], None]:
    import tensorflow as tf

    def configure(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: calibration_inputs(images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8

    return configure


def calibration_inputs(images: Sequence[npt.NDArray[np.uint8]]) -> Iterator[list[npt.NDArray[np.float32]]]:
    """The inputs of the calibrator: a list with one float32 ``[1, h, w, 3]`` in 0..255 for each image.

    Two values of the first image are set to 0 and to 255. Otherwise images without pure black and white would give the
    input a scale below 1, and the file would not take raw bytes.
    """
    for number, image in enumerate(images):
        batch = image[None].astype(np.float32)
        if number == 0:
            batch.flat[0] = 0.0
            batch.flat[-1] = 255.0
        yield [batch]


def _check(path: Path) -> None:
    """Check that input and output are uint8, the input with scale 1 and zero point 0. Raises ArtifactError."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet_stderr():
        interpreter = Interpreter(model_path=str(path))
    input, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    if input["dtype"] != np.uint8 or tuple(input["quantization"]) != (1.0, 0) or output["dtype"] != np.uint8:
        raise ArtifactError(
            "the quantised file does not take raw pixels", where=path.name,
            expected="uint8 in (scale 1, zero point 0) and uint8 out",
            found=f"{_describe(input)} → {_describe(output)}",
        )  # fmt: skip


def _describe(details: dict[str, Any]) -> str:
    scale, zero = details["quantization"]
    return f"{np.dtype(details['dtype']).name} (scale {scale:g}, zero point {zero})"
