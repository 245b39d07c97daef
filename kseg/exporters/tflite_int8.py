"""TFLite in int8, weights and activations, calibrated on training images: the file for a plain CPU or a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kseg.card import append_card
from kseg.errors import ArtifactError
from kseg.exporters.conversion import Conversion
from kseg.exporters.tflite import convert
from kseg.tensorflow_runtime import quiet_stderr

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["calibration_inputs", "write_tflite_int8"]


def write_tflite_int8(conversion: Conversion, path: Path) -> None:
    """Write a fully quantised ``.tflite``: uint8 ``[1, h, w, 3]`` → uint8 scores, with the card behind it.

    The input's quantisation is scale 1, zero point 0, so that the raw bytes of a picture are the input; the output's
    is in the file (1/256 and 0 behind a sigmoid or softmax).

    Raises:
        ArtifactError: The converter refuses the network, or the file is not fully quantised.
    """
    import tensorflow as tf

    # float32 here: only a float input gets a quantisation of its own, which then makes it uint8.
    path.write_bytes(convert(conversion.model, tf.float32, _quantise(conversion.calibration)))
    _check(path)
    append_card(path, conversion.card)


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
    """The images as the calibrator takes them: one list a call, float32 ``[1, h, w, 3]`` in 0..255.

    Two values of the first image are set to 0 and to 255: pictures without pure black and white would give the input
    a scale below 1, and the file would no longer take raw bytes.
    """
    for number, image in enumerate(images):
        batch = image[None].astype(np.float32)
        if number == 0:
            batch.flat[0] = 0.0
            batch.flat[-1] = 255.0
        yield [batch]


def _check(path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    with quiet_stderr():
        interpreter = Interpreter(model_path=str(path))
    takes, gives = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = [_describe(takes), _describe(gives)]
    if takes["dtype"] != np.uint8 or tuple(takes["quantization"]) != (1.0, 0) or gives["dtype"] != np.uint8:
        raise ArtifactError(
            "the quantised file does not take raw pixels", where=path.name,
            expected="uint8 in (scale 1, zero point 0) and uint8 out", found=" → ".join(found),
        )  # fmt: skip


def _describe(details: dict[str, Any]) -> str:
    scale, zero = details["quantization"]
    return f"{np.dtype(details['dtype']).name} (scale {scale:g}, zero point {zero})"
