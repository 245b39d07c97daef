"""``.tflite`` files, run by LiteRT; TensorFlow is not imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.card import CardContradiction, ModelCard
from kseg.inference.runtimes.devices import refuse_gpu, single
from kseg.inference.runtimes.failures import load_failure
from kseg.processor import usable_cores
from kseg.tensorflow_runtime import DeviceName, quiet_stderr

__all__ = ["load"]

Details = Mapping[str, Any]


def load(path: Path, card: ModelCard, *, device: DeviceName, threads: int | None) -> LiteRT:
    """Open a ``.tflite`` file.

    Args:
        path: The file.
        card: Its card.
        device: ``auto`` or ``cpu``.
        threads: The number of CPU threads; None takes all cores that the process may use.

    Raises:
        UsageError: A GPU is asked for.
        ArtifactError: The file is corrupt, or contradicts its card.
    """
    refuse_gpu(device, "LiteRT runs .tflite files on the CPU only")
    from ai_edge_litert.interpreter import Interpreter

    _check_flatbuffer(path)
    with quiet_stderr():
        try:
            interpreter = Interpreter(model_path=str(path), num_threads=threads or usable_cores())
            interpreter.allocate_tensors()
            inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
            failure = None
        except (ValueError, RuntimeError, TypeError) as error:
            failure = error  # raised outside the block, where `quiet_stderr` does not print LiteRT's own lines
    if failure:
        raise load_failure(path, str(failure), runtime="LiteRT") from failure
    input, output = single(inputs, path), single(outputs, path)
    _check_fit(input, output, card, path)
    return LiteRT(interpreter, input, output)


@dataclass(frozen=True)
class LiteRT:
    """The interpreter as a function: uint8 ``[B, h, w, 3]`` → float32 ``[B, h, w, C]``. Not thread-safe.

    It runs the images one by one, since kseg's ``.tflite`` files have the batch size 1.
    """

    interpreter: Any
    input: Details
    output: Details

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.concatenate([self._run_single(image[None]) for image in images])

    def _run_single(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self.interpreter.set_tensor(self.input["index"], _quantize(batch, self.input))
        self.interpreter.invoke()
        return _dequantize(self.interpreter.get_tensor(self.output["index"]), self.output)


def _quantize(image: npt.NDArray[np.uint8], details: Details) -> npt.NDArray[Any]:
    """Pixels in 0..255 as the input tensor stores them: ``value / scale + zero_point``, rounded."""
    scale, zero = details["quantization"]
    if not scale:
        return image.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    steps: npt.NDArray[np.float32] = np.rint(image / np.float32(scale)) + np.float32(zero)
    return steps.clip(limits.min, limits.max).astype(details["dtype"])


def _dequantize(values: npt.NDArray[Any], details: Details) -> npt.NDArray[np.float32]:
    """The scores that the output tensor stores: ``(value - zero_point) * scale``."""
    scale, zero = details["quantization"]
    scores: npt.NDArray[np.float32] = values.astype(np.float32)
    return (scores - np.float32(zero)) * np.float32(scale) if scale else scores


def _check_flatbuffer(path: Path) -> None:
    """Check the TFLite identifier, which LiteRT's own error does not mention. Raises ArtifactError."""
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:8] != b"TFL3":
        raise load_failure(path, "no TFLite identifier at its start", runtime="LiteRT")


def _check_fit(input: Details, output: Details, card: ModelCard, path: Path) -> None:
    input_shape, output_shape = input["shape"].tolist(), output["shape"].tolist()
    size = [1, card.height, card.width]
    if input_shape != [*size, 3] or output_shape != [*size, card.channels]:
        raise CardContradiction(
            path, expected=f"{[*size, 3]} → {[*size, card.channels]}", found=f"{input_shape} → {output_shape}"
        )
