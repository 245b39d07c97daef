"""ONNX with int8 weights and uint8 activations, by ONNX Runtime's static quantisation."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.errors import ArtifactError
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.graph import INPUT
from kseg.exporters.formats.onnx import convert, save
from kseg.exporters.formats.onnx_bias import correct_biases
from kseg.exporters.formats.silence import silence
from kseg.onnx_runtime import load_onnxruntime

__all__ = ["write_onnx_int8"]


def write_onnx_int8(conversion: Conversion, path: Path) -> None:
    """Write a quantised ``.onnx``: uint8 ``images [batch, h, w, 3]`` → float32 ``scores``, with the card inside.

    Raises:
        UsageError: kseg's extra ``onnx`` is not installed, or Keras' backend is not TensorFlow.
        ArtifactError: The conversion or the quantisation fails.
    """
    load_onnxruntime()
    network = convert(conversion.model)
    with silence():
        try:
            network = _quantise(network, conversion.calibration)
            failure: Exception | None = None
        except Exception as error:  # ONNX Runtime raises almost anything
            failure = error
    if failure:
        lines = str(failure).strip().splitlines() or [type(failure).__name__]
        raise ArtifactError("ONNX Runtime's quantisation failed", found=lines[0][:300]) from failure
    save(network, path, conversion.card)


class _Images:
    """The calibrator's input: one image after the other, then None."""

    def __init__(self, images: Sequence[npt.NDArray[np.uint8]]) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, npt.NDArray[np.uint8]] | None:
        image = next(self._images, None)
        return None if image is None else {INPUT: image[None]}


def _quantise(network: Any, images: Sequence[npt.NDArray[np.uint8]]) -> Any:
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="kseg-") as folder:
        converted, optimized, quantized = (f"{folder}/{step}.onnx" for step in ("converted", "optimized", "quantized"))
        onnx.save(network, converted)
        # Folds batch normalisation into convolutions. Only the batch is open, so that no symbolic shapes are needed,
        # for which it would want another package.
        quant_pre_process(converted, optimized, skip_symbolic_shape=True)
        quantize_static(
            optimized,
            quantized,
            _Images(images),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            # Weights of 7 bits. CPUs without VNNI add two products of a uint8 and an int8 in 16 bits, where full
            # weights saturate. Where the file will run is unknown, and the scores must be the same everywhere.
            reduce_range=True,
        )
        result = onnx.load(quantized)
        correct_biases(result, onnx.load(optimized), ({INPUT: image[None]} for image in images))
        return result
