"""OpenVINO: a folder with the network (``model.xml``) and its weights (``model.bin``), in float32 or float16."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kseg.card import ModelCard, write_card
from kseg.errors import ArtifactError
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.graph import serving_module
from kseg.exporters.formats.silence import silence
from kseg.files import make_folder
from kseg.openvino_runtime import load_openvino

if TYPE_CHECKING:
    import keras

__all__ = ["convert", "save", "write_openvino", "write_openvino_fp16"]

_UNKNOWN_OPERATIONS: Final = re.compile(r"No conversion rule found for operations: (.+)")


def write_openvino(conversion: Conversion, path: Path) -> None:
    """Write an OpenVINO folder: uint8 ``images [?, h, w, 3]`` → float32 ``scores``, with the card in ``model.xml``.

    Raises:
        UsageError: kseg's extra ``openvino`` is not installed, or Keras' backend is not TensorFlow.
        ArtifactError: OpenVINO has no operation for one of the network's, or its converter fails.
    """
    save(convert(conversion.model), path, conversion.card)


def write_openvino_fp16(conversion: Conversion, path: Path) -> None:
    """As `write_openvino`, with weights stored in float16; the CPU computes in float32."""
    save(convert(conversion.model), path, conversion.card, half=True)


def convert(model: keras.Model) -> Any:
    """Convert a network to an ``openvino.Model``, in memory.

    Keras' own ``model.export(format="openvino")`` calls the same converter, but takes float32 images and loses the
    name of the output, and this graph with raw uint8 images is the one of all other formats.

    Raises:
        UsageError, ArtifactError: As `write_openvino`.
    """
    openvino = load_openvino()
    import tensorflow as tf

    module = serving_module(model, batch=None, dtype=tf.uint8)
    with silence():
        try:
            return openvino.convert_model(module.serve.get_concrete_function())
        except Exception as error:  # openvino raises errors of several bases
            failure = error
    raise _refusal(failure) from failure


def save(network: Any, path: Path, card: ModelCard, *, half: bool = False) -> None:
    """Write an ``openvino.Model`` to a folder that does not exist, with the card and the standard metadata.

    Args:
        network: The network; its metadata are set.
        path: The folder.
        card: Its card.
        half: Store float32 weights as float16.
    """
    openvino = load_openvino()
    for value in (*network.inputs, *network.outputs):
        value.get_node().set_layout(openvino.Layout("NHWC"))
    for key, text in _model_info(card).items():
        network.set_rt_info(text, ["model_info", key])
    openvino.save_model(network, str(make_folder(path) / "model.xml"), compress_to_fp16=half)
    write_card(path, card)


def _model_info(card: ModelCard) -> dict[str, str]:
    """The metadata under the names of OpenVINO's Model API.

    Without its ``model_type``: its Segmentation expects scores ``[B, C, h, w]``, and would make wrong masks of these
    ``[B, h, w, C]`` without a word.
    """
    return {
        # Separated by blanks, so that those of a name have to go.
        "labels": " ".join(name.replace(" ", "_") for name in card.labels.names),
        "resize_type": "standard",
        # The images are RGB already.
        "reverse_input_channels": "False",
    }


def _refusal(failure: Exception) -> ArtifactError:
    text = str(failure).strip()
    operations = _UNKNOWN_OPERATIONS.search(text)
    if operations:
        return ArtifactError(
            f"OpenVINO has no operation {operations[1].strip()}",
            remedy="replace the layer that uses it, or export another format",
        )  # fmt: skip
    lines = text.splitlines() or [type(failure).__name__]
    return ArtifactError("the conversion to OpenVINO failed", found=lines[-1][:300])
