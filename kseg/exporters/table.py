"""The table of the artifacts that kseg can write, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from kseg.errors import UsageError, missing_extra
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.onnx import write_onnx, write_onnx_fp16
from kseg.exporters.formats.onnx_int8 import write_onnx_int8
from kseg.exporters.formats.openvino import write_openvino, write_openvino_fp16
from kseg.exporters.formats.openvino_int8 import write_openvino_int8
from kseg.exporters.formats.saved_model import write_saved_model
from kseg.exporters.formats.tflite import write_tflite
from kseg.exporters.formats.tflite_qat import write_tflite_qat
from kseg.exporters.formats.tflite_quantized import (
    write_tflite_dynamic,
    write_tflite_fp16,
    write_tflite_int8,
    write_tflite_int16x8,
)
from kseg.registry import lookup

__all__ = ["ALL", "AUTO", "EXPORTERS", "Exporter", "choose", "climbs", "uninstalled"]

ALL: Final = "all"
"""Instead of the name of a format: every format whose extra is installed."""
AUTO: Final = "auto"
"""The quantisation that stands for the ladder, `kseg.exporters.ladder`; of TFLite only."""
KERAS: Final = "keras"
"""The format of the model itself, a copy of which is in every export."""
_MODULES: Final = {"onnx": ("tf2onnx", "onnx", "onnxruntime"), "openvino": ("openvino", "nncf")}
"""Extra of kseg → the modules that it installs."""
_CALIBRATED: Final = frozenset({"int8", "int16x8", "qat"})
"""Quantisations of activations, whose ranges are measured on training images."""


@dataclass(frozen=True)
class Exporter:
    """A kind of artifact.

    Args:
        format: The name on the command line.
        quantization: ``none`` (float32), ``fp16``, ``dynamic``, ``int8``, ``int16x8`` or ``qat``.
        file: The artifact's name in the output folder.
        write: Writes the artifact with its card to a path that does not exist.
        extra: The extra of kseg that installs its converter and runtime; None if no extra is needed.
    """

    format: str
    quantization: str
    file: str
    write: Callable[[Conversion, Path], None]
    extra: str | None = None

    @property
    def calibrated(self) -> bool:
        """Whether its quantisation is calibrated on training images."""
        return self.quantization in _CALIBRATED

    @property
    def installed(self) -> bool:
        """Whether the packages of its extra are installed; none of them is imported."""
        return all(find_spec(module) is not None for module in _MODULES.get(self.extra or "", ()))


EXPORTERS: tuple[Exporter, ...] = (
    Exporter("saved_model", "none", "saved_model", write_saved_model),
    Exporter("tflite", "none", "model_float32.tflite", write_tflite),
    Exporter("tflite", "fp16", "model_fp16.tflite", write_tflite_fp16),
    Exporter("tflite", "dynamic", "model_dynamic.tflite", write_tflite_dynamic),
    Exporter("tflite", "int8", "model_int8.tflite", write_tflite_int8),
    Exporter("tflite", "int16x8", "model_int16x8.tflite", write_tflite_int16x8),
    Exporter("tflite", "qat", "model_qat.tflite", write_tflite_qat),
    Exporter("onnx", "none", "model.onnx", write_onnx, extra="onnx"),
    Exporter("onnx", "fp16", "model_fp16.onnx", write_onnx_fp16, extra="onnx"),
    Exporter("onnx", "int8", "model_int8.onnx", write_onnx_int8, extra="onnx"),
    Exporter("openvino", "none", "openvino", write_openvino, extra="openvino"),
    Exporter("openvino", "fp16", "openvino_fp16", write_openvino_fp16, extra="openvino"),
    Exporter("openvino", "int8", "openvino_int8", write_openvino_int8, extra="openvino"),
)


def choose(formats: Sequence[str] | None, quantizations: Sequence[str]) -> tuple[Exporter, ...]:
    """The rows of `EXPORTERS` with these formats and quantisations, in the table's order.

    A format that has some of the quantisations is exported with these.

    Args:
        formats: Names of formats; None or ``all`` for every format whose extra is installed. ``keras`` has no row: the
            model is copied in any case.
        quantizations: Names of quantisations. ``auto`` has no row, see `climbs`.

    Raises:
        UnknownNameError: There is no such format or quantisation.
        UsageError: A list is empty, a format has none of the quantisations, or the extra of a format is not installed.
    """
    _check_names(formats, quantizations)
    rows = tuple(row for row in EXPORTERS if row.quantization in quantizations)
    if formats is None or ALL in formats:
        chosen = tuple(row for row in rows if row.installed) or rows
    else:
        for name in formats:
            _require_quantization(name, quantizations)
        chosen = tuple(row for row in rows if row.format in formats)
    for row in chosen:
        if row.extra and not row.installed:
            raise missing_extra(row.extra, f"the packages for {row.format} are not installed", where="--format")
    return chosen


def climbs(formats: Sequence[str] | None, quantizations: Sequence[str]) -> bool:
    """Whether these formats and quantisations, which `choose` checks, ask for the ladder of TFLite."""
    return AUTO in quantizations and (formats is None or ALL in formats or "tflite" in formats)


def uninstalled(quantizations: Sequence[str]) -> tuple[Exporter, ...]:
    """The rows whose extras are not installed, which `choose` omits if no formats are named."""
    return tuple(row for row in EXPORTERS if row.quantization in quantizations and not row.installed)


def _check_names(formats: Sequence[str] | None, quantizations: Sequence[str]) -> None:
    for flag, names in (("--format", formats), ("--quantize", quantizations)):
        if names is not None and not names:
            raise UsageError(
                "nothing to export", where=flag, found="an empty list",
                remedy=f"leave {flag} out, which has a default",
            )  # fmt: skip
    by_format = dict.fromkeys((ALL, KERAS, *(row.format for row in EXPORTERS)))
    by_quantization = dict.fromkeys((*(row.quantization for row in EXPORTERS), AUTO))
    for name in formats or ():
        lookup(by_format, name, kind="export format", where="--format")
    for name in quantizations:
        lookup(by_quantization, name, kind="quantisation", where="--quantize")


def _require_quantization(format: str, quantizations: Sequence[str]) -> None:
    """Check that a format of the table has one of the quantisations. Raises UsageError."""
    available = [row.quantization for row in EXPORTERS if row.format == format]
    available += [AUTO] if format == "tflite" else []
    if available and not set(available) & set(quantizations):
        raise UsageError(
            f"{format} has no quantisation {' or '.join(quantizations)}", where="--quantize",
            remedy=f"use --quantize {','.join(available)}, or leave {format} out of --format",
        )  # fmt: skip
