"""Quantised files on CPUs whose int8 sums saturate: which runtimes are affected, and a warning.

CPUs with AVX2 or AVX-512 but without VNNI multiply and add int8 pairs into 16 bits that saturate. ONNX Runtime and
OpenVINO use that instruction; LiteRT's XNNPACK widens to 16 bits first, and is exact.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kseg.card import ModelCard
from kseg.processor import saturates_int8

__all__ = ["is_affected", "quantization_of", "warn_of_saturation"]

_log = logging.getLogger("kseg")

_INT8: Final = frozenset({"int8", "qat", "auto"})
"""Quantisations with int8 activations, whose sums are of int8 products."""
_AFFECTED: Final = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


def quantization_of(card: ModelCard) -> str:
    """The quantisation that the file was exported with; ``none`` where the card does not say."""
    export = card.provenance.get("export")
    return str(export.get("quantization", "none")) if isinstance(export, Mapping) else "none"


def is_affected(runtime: str, card: ModelCard) -> bool:
    """Whether this CPU may saturate the sums of this file in this runtime."""
    return runtime in _AFFECTED and quantization_of(card) in _INT8 and saturates_int8()


def warn_of_saturation(model: Path, runtime: str, card: ModelCard) -> None:
    """Log a warning where this CPU may saturate the sums of this file in this runtime."""
    if is_affected(runtime, card):
        _log.warning(
            "%s: %s may saturate int8 sums on this CPU, which has no VNNI instructions, so that scores differ from "
            "those of the export; kseg evaluate --runtime %s shows the effect, and LiteRT (.tflite) is exact",
            model, _AFFECTED[runtime], runtime,
        )  # fmt: skip
