"""OpenVINO folders, and ``.tflite`` and ``.onnx`` files, run by OpenVINO; TensorFlow is not imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from kseg.card import CardContradiction, ModelCard
from kseg.errors import ArtifactError
from kseg.inference.runtime_table import OPENVINO_NETWORK
from kseg.inference.runtimes.devices import refuse_gpu, single
from kseg.inference.runtimes.failures import load_failure
from kseg.openvino_runtime import load_openvino
from kseg.processor import usable_cores
from kseg.tensorflow_runtime import DeviceName, quiet_stderr

if TYPE_CHECKING:
    from kseg.inference.predictor import Run

__all__ = ["load"]

_PASSIVE: Final = frozenset({"Transpose", "Reshape", "Convert", "Squeeze", "Unsqueeze"})
"""Operations after the last quantisation that leave its values as they are."""


class _Quantization(NamedTuple):
    """The scores that integers stand for: ``offset + scale * value``."""

    scale: np.float32
    offset: np.float32


def load(path: Path, card: ModelCard, *, device: DeviceName, threads: int | None, precision: str = "f32") -> Run:
    """Open an OpenVINO folder (or its ``model.xml``), a ``.tflite`` or an ``.onnx`` file.

    Args:
        path: The file or folder.
        card: Its card.
        device: ``auto`` or ``cpu``.
        threads: The number of CPU threads; None takes all cores that the process may use.
        precision: The type that floats are computed in. OpenVINO's own default is bfloat16 on CPUs that have it, whose
            scores differ from the model's by up to 0.1.

    Raises:
        UsageError: A GPU is asked for, or kseg's extra ``openvino`` is not installed.
        ArtifactError: The file is corrupt, or contradicts its card.
    """
    refuse_gpu(device, "kseg runs OpenVINO on the CPU only")
    openvino = load_openvino(where=str(path))
    network = _read(openvino, path)
    input, output = single(network.inputs, path), single(network.outputs, path)
    _check_fit(input, output, card, path)
    quantization = _quantization(output, path)
    request = _compile(openvino, network, threads or usable_cores(), precision, path).create_infer_request()
    single_images = input.partial_shape[0].is_static
    dtype = np.float32 if input.element_type.to_string() == "f32" else np.uint8

    def infer(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        request.infer([np.ascontiguousarray(images, dtype)], share_inputs=True)
        # A copy: the next call overwrites the tensor.
        scores: npt.NDArray[np.float32] = request.get_output_tensor().data.astype(np.float32)
        return scores if quantization is None else quantization.offset + quantization.scale * scores

    def one_by_one(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.concatenate([infer(image[None]) for image in images])

    return one_by_one if single_images else infer


def _read(openvino: Any, path: Path) -> Any:
    with quiet_stderr():
        try:
            return openvino.Core().read_model(str(path / OPENVINO_NETWORK if path.is_dir() else path))
        except (RuntimeError, ValueError) as error:  # ValueError: names that are no UTF-8
            failure = error
    raise load_failure(path, str(failure), runtime="OpenVINO") from failure


def _compile(openvino: Any, network: Any, threads: int, precision: str, path: Path) -> Any:
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        # Pinned threads wait for their core while others are free (26 ms instead of 8 on a busy machine), and copies of
        # a network in one process would share the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    with quiet_stderr():
        try:
            return openvino.Core().compile_model(network, "CPU", settings)
        except (RuntimeError, ValueError) as error:  # ValueError: names that are no UTF-8
            failure = error
    raise load_failure(path, str(failure), runtime="OpenVINO") from failure


def _check_fit(input: Any, output: Any, card: ModelCard, path: Path) -> None:
    size = [card.height, card.width]
    actual = [f"{value.element_type.to_string()} {_shape(value)}" for value in (input, output)]
    expected = [f"u8 {[*size, 3]}", f"f32 {[*size, card.channels]}", f"u8 {[*size, card.channels]}"]
    # Networks of other origin may take the same values 0..255 as floats.
    if actual[0] not in (expected[0], expected[0].replace("u8", "f32")) or actual[1] not in expected[1:]:
        raise CardContradiction(path, expected=f"{expected[0]} → {expected[1]}", found=" → ".join(actual))


def _shape(value: Any) -> list[int]:
    """The shape without the batch; -1 for dimensions that the network leaves open."""
    return [size.get_length() if size.is_static else -1 for size in list(value.partial_shape)[1:]]


def _quantization(output: Any, path: Path) -> _Quantization | None:
    """What the integers of the output mean; None where it holds floats.

    OpenVINO turns the quantisation parameters of a ``.tflite`` into operations: the last FakeQuantize maps the range of
    the scores onto that of the integers.
    """
    if output.element_type.to_string() == "f32":
        return None
    node = output.get_node().input_value(0).get_node()
    while node.get_type_name() in _PASSIVE:
        node = node.input_value(0).get_node()
    limits = [value.get_node() for value in node.input_values()[1:]] if node.get_type_name() == "FakeQuantize" else []
    if not limits or any(limit.get_type_name() != "Constant" or limit.get_data().size != 1 for limit in limits):
        raise ArtifactError(
            "OpenVINO does not say which scores the integers of the output stand for", where=str(path),
            remedy="use --runtime litert",
        )  # fmt: skip
    low, high, first, last = (limit.get_data().item() for limit in limits)
    scale = (high - low) / (last - first) if last != first else 0.0
    return _Quantization(np.float32(scale), np.float32(low - first * scale))
