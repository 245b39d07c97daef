"""ModelCard: what a model file expects, what it returns and where it came from.

Every artifact carries its card, so that the file alone is enough to predict::

    best.keras      a member `kseg_card.json` of the zip archive
    saved_model/    `assets.extra/kseg_card.json`
    model.tflite    a zip archive with `kseg_card.json` appended to the flatbuffer, as TFLite packs associated files
    model.onnx      the entry `kseg_card.json` of the metadata

All are read without TensorFlow; the last by the package onnx.
"""

from kseg.card.model_card import CARD_NAME, ModelCard
from kseg.card.storage import append_card, read_card

__all__ = ["CARD_NAME", "ModelCard", "append_card", "read_card"]
