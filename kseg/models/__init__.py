"""Networks: an encoder, a bottleneck and a decoder, joined into one functional ``keras.Model``.

::

    model = kseg.models.Unet("mobilenetv2", input_shape=(256, 256, 3), classes=3, encoder_weights="imagenet")

Rooms::

    tables, specs        what there is to choose from, and a choice, checked without Keras
    build                a choice → the network, of blocks, encoders/, bottlenecks and decoders
    architectures        the same with one function an architecture
    weights/             files of pretrained weights into a network
    supervision, files   deep supervision in training; .keras files
    inspect/             parts, cost, diagram, and the catalogue of all networks

Keras is loaded by what needs it, when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kseg.lazy import lazy

if TYPE_CHECKING:
    from kseg.models.architectures import DeepLabV3Plus, Unet, UnetPlusPlus
    from kseg.models.build import build_model
    from kseg.models.files import load_model, save_model
    from kseg.models.specs import NetworkSpec
    from kseg.models.tables import ENCODERS

__all__ = [
    "ENCODERS", "DeepLabV3Plus", "NetworkSpec", "Unet", "UnetPlusPlus", "build_model", "load_model", "save_model",
]  # fmt: skip

__getattr__, __dir__ = lazy(
    __name__,
    {
        "DeepLabV3Plus": "kseg.models.architectures",
        "ENCODERS": "kseg.models.tables",
        "NetworkSpec": "kseg.models.specs",
        "Unet": "kseg.models.architectures",
        "UnetPlusPlus": "kseg.models.architectures",
        "build_model": "kseg.models.build",
        "load_model": "kseg.models.files",
        "save_model": "kseg.models.files",
    },
)
