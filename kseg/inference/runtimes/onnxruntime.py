"""``.onnx`` files, run by ONNX Runtime; TensorFlow is not imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kseg.card import CardContradiction, ModelCard
from kseg.inference.runtimes.devices import refuse_gpu, single
from kseg.inference.runtimes.failures import load_failure
from kseg.onnx_runtime import load_onnxruntime
from kseg.processor import usable_cores
from kseg.tensorflow_runtime import DeviceName

if TYPE_CHECKING:
    from kseg.inference.predictor import Run

__all__ = ["load"]

_SILENT = 4
"""ONNX Runtime's log level FATAL: it logs an error beside the exception that it raises for it."""


def load(path: Path, card: ModelCard, *, device: DeviceName, threads: int | None) -> Run:
    """Open an ``.onnx`` file.

    Args:
        path: The file.
        card: Its card.
        device: ``auto`` or ``cpu``.
        threads: The number of CPU threads; None takes all cores that the process may use.

    Raises:
        UsageError: A GPU is asked for, or kseg's extra ``onnx`` is not installed.
        ArtifactError: The file is corrupt, or contradicts its card.
    """
    refuse_gpu(device, "kseg runs .onnx files on the CPU only")
    session = _session(path, threads or usable_cores())
    input, output = single(session.get_inputs(), path), single(session.get_outputs(), path)
    _check_fit(input, output, card, path)
    name, dtype = input.name, np.uint8 if "uint8" in input.type else np.float32

    def run(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        scores: npt.NDArray[np.float32] = session.run(None, {name: images.astype(dtype, copy=False)})[0]
        return scores

    return run


def _session(path: Path, threads: int) -> Any:
    onnxruntime = load_onnxruntime(where=str(path))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _SILENT
    # Threads that wait actively take the cores from whatever runs next, for double the CPU time (10 ms became 20 to 23
    # on the MobileNetV2 U-Net, 128 × 128), and win nothing here: 10.0 ms without, 10.5 with, on an idle machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the exceptions of ONNX Runtime have no other base class in common
        raise load_failure(path, str(error), runtime="ONNX Runtime") from error


def _check_fit(input: Any, output: Any, card: ModelCard, path: Path) -> None:
    size = [card.height, card.width]
    # The first dimension is the batch; it may have any name.
    signature = tuple(f"{value.type} {value.shape[1:]}" for value in (input, output))
    expected = (f"tensor(uint8) {[*size, 3]}", f"tensor(float) {[*size, card.channels]}")
    # Networks of other origin may take the same values 0..255 as floats.
    if signature not in (expected, (expected[0].replace("uint8", "float"), expected[1])):
        raise CardContradiction(path, expected=" → ".join(expected), found=" → ".join(signature))
