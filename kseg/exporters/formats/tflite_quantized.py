"""TFLite with smaller weights, and with integers for the activations: for phones and plain CPUs.

=========  ==========  ==================  ===========  =========================================
name       weights     activations         calibrated   scores
=========  ==========  ==================  ===========  =========================================
fp16       float16     float32             no           float32
dynamic    int8        float32             no           float32
int8       int8        int8                yes          uint8, scale 1/256 after sigmoid, softmax
int16x8    int8        int16               yes          float32
=========  ==========  ==================  ===========  =========================================

All take one raw uint8 image ``[1, h, w, 3]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kseg.errors import ArtifactError
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.tflite import convert, save_file
from kseg.exporters.formats.tflite_flatbuffer import keep_float
from kseg.tensorflow_runtime import quiet_stderr

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = [
    "calibration_inputs", "require_raw_pixels", "write_tflite_dynamic", "write_tflite_fp16", "write_tflite_int8",
    "write_tflite_int16x8",
]  # fmt: skip


def write_tflite_fp16(conversion: Conversion, path: Path) -> None:
    """Write a ``.tflite`` of half the size: float16 weights, float32 computation (float16 on a phone's GPU).

    Raises:
        ArtifactError: The converter refuses the network, or LiteRT does not run the result.
    """
    import tensorflow as tf

    def configure(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    save_file(convert(conversion.model, tf.uint8, configure), conversion.card, path)


def write_tflite_dynamic(conversion: Conversion, path: Path) -> None:
    """Write a ``.tflite`` of a quarter of the size: int8 weights, each layer's input quantised while it runs.

    Raises:
        ArtifactError: As `write_tflite_fp16`.
    """
    import tensorflow as tf

    def configure(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]

    save_file(convert(conversion.model, tf.uint8, configure), conversion.card, path)


def write_tflite_int8(conversion: Conversion, path: Path) -> None:
    """Write a fully quantised ``.tflite``: uint8 ``[1, h, w, 3]`` → uint8 ``[1, h, w, C]``.

    The quantisation of the input is scale 1, zero point 0, so that the raw bytes of a picture are the input. That of
    the output is stored in the file (scale 1/256, zero point 0 after a sigmoid or softmax).

    Raises:
        ArtifactError: As `write_tflite_fp16`, or the file is not fully quantised.
    """
    import tensorflow as tf

    def configure(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: calibration_inputs(conversion.calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8

    # The graph has a float32 input, which the converter quantises to uint8; a uint8 input would not be quantised.
    flatbuffer = convert(conversion.model, tf.float32, configure)
    require_raw_pixels(flatbuffer, path)
    save_file(flatbuffer, conversion.card, path)


def write_tflite_int16x8(conversion: Conversion, path: Path) -> None:
    """Write a ``.tflite`` with int8 weights and int16 activations: close to float32, small, and slow on most CPUs.

    Operations that have no 16-bit form stay float32.

    Raises:
        ArtifactError: As `write_tflite_fp16`.
    """
    import tensorflow as tf

    operations = tf.lite.OpsSet

    def configure(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: calibration_inputs(conversion.calibration, np.uint8)
        converter.target_spec.supported_ops = [
            operations.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
            # For the cast of the uint8 image, and for what has no 16-bit form.
            operations.TFLITE_BUILTINS,
        ]

    # LiteRT does not run the 16-bit form of this operation, which the converter writes for layer and group norms.
    flatbuffer = keep_float(convert(conversion.model, tf.uint8, configure), {"SQUARED_DIFFERENCE"})
    save_file(flatbuffer, conversion.card, path)


def calibration_inputs(
    images: Sequence[npt.NDArray[np.uint8]], dtype: npt.DTypeLike = np.float32
) -> Iterator[list[npt.NDArray[Any]]]:
    """The inputs of the calibrator: a list with one ``[1, h, w, 3]`` in 0..255 for each image.

    Two values of the first image are set to 0 and to 255. Otherwise images without pure black and white would give the
    input a scale below 1, and the file would not take raw bytes.

    Args:
        images: uint8 ``[h, w, 3]`` each.
        dtype: The type of the graph's input.
    """
    for number, image in enumerate(images):
        batch = image[None].astype(dtype)
        if number == 0:
            batch.flat[0] = 0
            batch.flat[-1] = 255
        yield [batch]


def require_raw_pixels(flatbuffer: bytes, path: Path) -> None:
    """Check that input and output are uint8, the input with scale 1 and zero point 0.

    Args:
        flatbuffer: A quantised network.
        path: The file that it will be, for the message.

    Raises:
        ArtifactError: They are not.
    """
    from ai_edge_litert.interpreter import Interpreter

    with quiet_stderr():
        interpreter = Interpreter(model_content=flatbuffer)
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
