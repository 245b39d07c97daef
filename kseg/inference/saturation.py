"""Quantised files on CPUs whose int8 sums saturate: which runtimes are affected, and a warning.

CPUs with AVX2 or AVX-512 but without VNNI multiply and add int8 pairs into 16 bits that saturate. ONNX Runtime and
OpenVINO use that instruction; LiteRT's XNNPACK widens to 16 bits first, and is exact. The weights of kseg's own int8
ONNX and OpenVINO networks have 7 bits, whose sums fit; those of ``.tflite`` files, which OpenVINO runs, too, have 8.
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
_7_BITS: Final = frozenset({"onnx", "openvino"})
"""Formats that kseg writes with weights of 7 bits."""
_AFFECTED: Final = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


def quantization_of(card: ModelCard) -> str:
    """The quantisation that the file was exported with; ``none`` where the card does not say."""
    return str(_export_facts(card).get("quantization", "none"))


def _export_facts(card: ModelCard) -> Mapping[str, object]:
    export = card.provenance.get("export")
    return export if isinstance(export, Mapping) else {}


def is_affected(runtime: str, card: ModelCard) -> bool:
    """Whether this CPU may saturate the sums of this file in this runtime."""
    can_saturate = quantization_of(card) in _INT8 and _export_facts(card).get("format") not in _7_BITS
    return runtime in _AFFECTED and can_saturate and saturates_int8()


def warn_of_saturation(model: Path, runtime: str, card: ModelCard) -> None:
    """Log a warning where this CPU may saturate the sums of this file in this runtime."""
    if is_affected(runtime, card):
        _log.warning(
            "%s: %s may saturate int8 sums on this CPU, which has no VNNI instructions, so that scores differ from "
            "those of the export; kseg evaluate --runtime %s shows the effect, and LiteRT (.tflite) is exact",
            model, _AFFECTED[runtime], runtime,
        )  # fmt: skip
