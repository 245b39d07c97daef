"""``.tflite`` files, run by LiteRT; TensorFlow is not imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.errors import ArtifactError
from kseg.inference.runtimes.devices import refuse_gpu, single
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
        threads: How many CPU threads; None takes all cores that the process may use.

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
            failure = error  # raised outside, since `quiet_stderr` tells LiteRT's own lines where its block fails
    if failure:
        raise _corrupt(path, str(failure).strip()) from failure
    source, target = single(inputs, path), single(outputs, path)
    _check_fit(source, target, card, path)
    return LiteRT(interpreter, source, target)


@dataclass(frozen=True)
class LiteRT:
    """The interpreter as a function, image by image: kseg's files take one at a time. Not for several threads."""

    interpreter: Any
    source: Details
    target: Details

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.concatenate([self._one(image[None]) for image in images])

    def _one(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self.interpreter.set_tensor(self.source["index"], _quantize(image, self.source))
        self.interpreter.invoke()
        return _dequantize(self.interpreter.get_tensor(self.target["index"]), self.target)


def _quantize(image: npt.NDArray[np.uint8], details: Details) -> npt.NDArray[Any]:
    """Raw 0..255 as the tensor stores it."""
    scale, zero = details["quantization"]
    if not scale:
        return image.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    steps: npt.NDArray[np.float32] = np.rint(image / np.float32(scale)) + np.float32(zero)
    return steps.clip(limits.min, limits.max).astype(details["dtype"])


def _dequantize(values: npt.NDArray[Any], details: Details) -> npt.NDArray[np.float32]:
    scale, zero = details["quantization"]
    scores: npt.NDArray[np.float32] = values.astype(np.float32)
    return (scores - np.float32(zero)) * np.float32(scale) if scale else scores


def _check_flatbuffer(path: Path) -> None:
    """The identifier, which LiteRT's own message on failure does not mention."""
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:8] != b"TFL3":
        raise _corrupt(path, "no TFLite identifier at its start")


def _corrupt(path: Path, reason: str) -> ArtifactError:
    return ArtifactError(
        "the model is corrupt", where=str(path), expected="a TFLite flatbuffer",
        found=(reason.splitlines() or ["nothing"])[0][:200], remedy="export it again",
    )  # fmt: skip


def _check_fit(source: Details, target: Details, card: ModelCard, path: Path) -> None:
    takes, gives = source["shape"].tolist(), target["shape"].tolist()
    size = [1, card.height, card.width]
    if takes != [*size, 3] or gives != [*size, card.channels]:
        raise ArtifactError(
            "the network contradicts its card", where=str(path), expected=f"{[*size, 3]} → {[*size, card.channels]}",
            found=f"{takes} → {gives}",
        )  # fmt: skip
