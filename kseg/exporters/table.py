"""The table of the artifacts that kseg can write, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from kseg.errors import UsageError, missing_extra
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.onnx import write_onnx
from kseg.exporters.formats.saved_model import write_saved_model
from kseg.exporters.formats.tflite import write_tflite
from kseg.exporters.formats.tflite_int8 import write_tflite_int8
from kseg.registry import lookup

__all__ = ["EXPORTERS", "Exporter", "choose", "uninstalled"]

_MODULES: Final = {"onnx": ("tf2onnx", "onnx", "onnxruntime")}
"""Extra of kseg → the modules that it installs."""


@dataclass(frozen=True)
class Exporter:
    """A kind of artifact.

    Args:
        format: The name on the command line.
        quantization: ``none`` (float32) or ``int8``.
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
        return self.quantization != "none"

    @property
    def installed(self) -> bool:
        """Whether the packages of its extra are installed; none of them is imported."""
        return all(find_spec(module) is not None for module in _MODULES.get(self.extra or "", ()))


EXPORTERS: tuple[Exporter, ...] = (
    Exporter("saved_model", "none", "saved_model", write_saved_model),
    Exporter("tflite", "none", "model_float32.tflite", write_tflite),
    Exporter("tflite", "int8", "model_int8.tflite", write_tflite_int8),
    Exporter("onnx", "none", "model.onnx", write_onnx, extra="onnx"),
)


def choose(formats: Sequence[str] | None, quantizations: Sequence[str]) -> tuple[Exporter, ...]:
    """The rows of `EXPORTERS` with these formats and quantisations, in the table's order.

    Args:
        formats: Names of formats; None for every format whose extra is installed.
        quantizations: Names of quantisations.

    Raises:
        UnknownNameError: There is no such format or quantisation.
        UsageError: A list is empty, none of the formats has any of the quantisations, or the extra of a format is not
            installed.
    """
    if formats is None:
        formats = [row.format for row in EXPORTERS if row.installed]
    by_format = {row.format: row for row in EXPORTERS}
    by_quantization = {row.quantization: row for row in EXPORTERS}
    for name in formats:
        lookup(by_format, name, kind="export format", where="--format")
    for name in quantizations:
        lookup(by_quantization, name, kind="quantisation", where="--quantize")
    rows = tuple(row for row in EXPORTERS if row.format in formats and row.quantization in quantizations)
    if not rows:
        _refuse(formats, quantizations)
    for row in rows:
        if row.extra and not row.installed:
            raise missing_extra(row.extra, f"the packages for {row.format} are not installed", where="--format")
    return rows


def uninstalled(quantizations: Sequence[str]) -> tuple[Exporter, ...]:
    """The rows whose extras are not installed, which `choose` omits if no formats are named."""
    return tuple(row for row in EXPORTERS if row.quantization in quantizations and not row.installed)


def _refuse(formats: Sequence[str], quantizations: Sequence[str]) -> None:
    if not formats or not quantizations:
        raise UsageError(
            "nothing to export", where="--quantize" if formats else "--format", found="an empty list",
            remedy="leave the flag out to export everything",
        )  # fmt: skip
    quantizable = sorted({row.format for row in EXPORTERS if row.quantization in quantizations})
    raise UsageError(
        f"{', '.join(formats)} has no quantisation {', '.join(quantizations)}", where="--quantize",
        remedy=f"use --format {quantizable[0]}",
    )  # fmt: skip
