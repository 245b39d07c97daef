"""ModelCard: what a model file expects, what it returns and where it came from.

Every artifact carries its card, so that the file alone is enough to predict. A module a format says where::

    best.keras      keras.py        a member `kseg_card.json` of the zip archive
    saved_model/    saved_model.py  `assets.extra/kseg_card.json`
    model.tflite    tflite.py       a member of the zip archive behind the flatbuffer, where TFLite has associated files
    model.onnx      onnx.py         the entry `kseg_card.json` of metadata_props
    openvino/       openvino.py     `kseg_card` in the rt_info of model.xml

All are read and written without the library that runs the file. A card is at most 4 MB, and nothing of it is executed.
"""

from kseg.card.contradiction import CardContradiction
from kseg.card.model_card import CARD_NAME, ModelCard
from kseg.card.storage import ArtifactFormat, artifact_format, find_card, read_card, write_card

__all__ = [
    "CARD_NAME",
    "ArtifactFormat",
    "CardContradiction",
    "ModelCard",
    "artifact_format",
    "find_card",
    "read_card",
    "write_card",
]
