"""The standard metadata of a TFLite model, which MediaPipe's ImageSegmenter and other runtimes read.

::

    TFLITE_METADATA        a buffer of the model:
        input              an RGB image with values 0..255, which needs no normalisation
        output             the masks of the classes; labels.txt names its channels
        SEGMENTER_METADATA the activation that MediaPipe applies to the output: none
    labels.txt             in the zip archive behind the flatbuffer: a line a channel

No activation, since kseg's networks return probabilities. A model of background and one class has one channel, that of
the class.

The numbers are those of fields and values in two schemas that Google publishes under the Apache License 2.0:
metadata_schema.fbs (version 1.5.0) and image_segmenter_metadata_schema.fbs (1.0.0), in the repository google/mediapipe.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kseg.card import ModelCard
from kseg.exporters.formats.flatbuffer_tables import Byte, Floats, Int, Table, Value, encode
from kseg.exporters.formats.tflite_flatbuffer import pack, unpack

__all__ = ["LABELS_FILE", "METADATA_NAME", "add_metadata", "labels_text"]

LABELS_FILE: Final = "labels.txt"
METADATA_NAME: Final = "TFLITE_METADATA"

_RGB: Final = Byte(1)
_GREY: Final = Byte(2)
_IMAGE_PROPERTIES: Final = Byte(2)
_NORMALIZATION_OPTIONS: Final = Byte(1)
_TENSOR_AXIS_LABELS: Final = Byte(2)
_NO_ACTIVATION: Final = Byte(0)


def labels_text(card: ModelCard) -> str:
    """The content of labels.txt: the class of each channel of the scores, a line each."""
    names = card.labels.names
    return "\n".join(names[1:] if card.channels == 1 else names) + "\n"


def add_metadata(flatbuffer: bytes, card: ModelCard) -> bytes:
    """Add the metadata to a TFLite model with one input and one output.

    Args:
        flatbuffer: The model, without metadata.
        card: Its card.

    Returns:
        The model; the file must also get `labels_text` as its associated file `LABELS_FILE`.
    """
    model = unpack(flatbuffer)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(_model_metadata(card), np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or ()), entry]
    return pack(model)


def _model_metadata(card: ModelCard) -> bytes:
    classes = ", ".join(card.labels.names)
    fields: dict[int, Value] = {
        0: card.name,
        1: f"Segmentation into {classes}. Made by kseg, whose model card is the associated file kseg_card.json.",
        3: [_graph(card)],
        7: "1.5.0",  # the version of the schema that has custom metadata
    }
    return encode(Table(fields), b"M001")


def _graph(card: ModelCard) -> Table:
    segmenter = encode(Table({0: _NO_ACTIVATION, 1: "1.0.0"}), b"V001")
    custom = Table({0: "SEGMENTER_METADATA", 1: segmenter})
    return Table({2: [_image(card)], 3: [_masks()], 9: [custom]})


def _image(card: ModelCard) -> Table:
    size = Table({0: Int(card.width), 1: Int(card.height)})
    content = Table({0: _IMAGE_PROPERTIES, 1: Table({0: _RGB, 1: size})})
    identity = Table({0: Floats((0.0,)), 1: Floats((1.0,))})  # (value - 0) / 1
    return Table(
        {
            0: "image",
            1: "The picture, resized to the network's input: red, green and blue in 0..255.",
            3: content,
            4: [Table({0: _NORMALIZATION_OPTIONS, 1: identity})],
            5: Table({0: Floats((255.0,)), 1: Floats((0.0,))}),  # maximum, minimum
        }
    )


def _masks() -> Table:
    labels = Table({0: LABELS_FILE, 1: "The classes of the channels.", 2: _TENSOR_AXIS_LABELS})
    return Table(
        {
            0: "segmentation_masks",
            1: "The probability of each class at each pixel.",
            3: Table({0: _IMAGE_PROPERTIES, 1: Table({0: _GREY})}),
            5: Table({0: Floats((1.0,)), 1: Floats((0.0,))}),
            6: [labels],
        }
    )
