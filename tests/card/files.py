"""The smallest files of every format that a card can be written into: right in their framing, without a network."""

from __future__ import annotations

import zipfile
from pathlib import Path

from kseg.card import ModelCard
from kseg.labels import LabelMap

CARD = ModelCard(
    "pets", "unet", 96, 128, LabelMap(("background", "pet"), {2: "background", 1: "pet"}), threshold=0.4,
    provenance={"note": "a <b> & \"c\" 'd' > e\n\tÄ 图", "numbers": [1, 2.5, None]},
)  # fmt: skip
NAMES = ("m.keras", "saved_model", "m.tflite", "m.onnx", "openvino", "openvino/model.xml")
FLATBUFFER = b"\x1c\x00\x00\x00TFL3" + bytes(range(256)) * 4
NETWORK = b"\x08\x08" + b"\x12\x07tf2onnx" + b"\x3a\x05graph" + b"\x72\x08\x0a\x02ab\x12\x02cd" + b"\x42\x02\x10\x11"
"""Fields of a ModelProto: version, producer, graph, an entry of the metadata (ab: cd), operator sets."""
XML = """<?xml version="1.0"?>
<net name="m" version="11">
\t<layers>
\t\t<layer id="0" name="x" type="Parameter" version="opset1">
\t\t\t<rt_info>
\t\t\t\t<attribute name="fused_names" version="0" value="x" />
\t\t\t</rt_info>
\t\t</layer>
\t</layers>
\t<rt_info>
\t\t<Runtime_version value="2026" />
\t\t<conversion><layout value="NHWC" /><kseg_card value="not the network's own" /></conversion>
\t</rt_info>
</net>
"""


def make(folder: Path, name: str) -> Path:
    """Write the file or folder of `NAMES`, without a card."""
    path = folder / name
    if path.suffix == ".keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
            archive.writestr("model.weights.h5", bytes(range(256)) * 20)
    elif path.suffix == ".tflite":
        path.write_bytes(FLATBUFFER)
    elif path.suffix == ".onnx":
        path.write_bytes(NETWORK)
    elif name == "saved_model":
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"graph")
    else:
        (folder / "openvino").mkdir()
        (folder / "openvino" / "model.xml").write_text(XML)
        (folder / "openvino" / "model.bin").write_bytes(b"weights")
    return path


def main_file(path: Path) -> Path:
    """The file of an artifact that holds its card."""
    if not path.is_dir():
        return path
    return path / ("model.xml" if path.name == "openvino" else "assets.extra/kseg_card.json")
