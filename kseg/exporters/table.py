"""The artifacts that kseg can write, in one table, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from kseg.errors import UsageError, missing_extra
from kseg.exporters.conversion import Conversion
from kseg.exporters.onnx import write_onnx
from kseg.exporters.saved_model import write_saved_model
from kseg.exporters.tflite import write_tflite
from kseg.exporters.tflite_int8 import write_tflite_int8
from kseg.registry import lookup

__all__ = ["EXPORTERS", "Exporter", "choose", "left_out"]

_MODULES: Final = {"onnx": ("tf2onnx", "onnx", "onnxruntime")}
"""Extra of kseg → the modules that it brings."""


@dataclass(frozen=True)
class Exporter:
    """One kind of artifact.

    Args:
        format: The name on the command line.
        quantization: ``none`` (float32) or ``int8``.
        file: The artifact's name in the output folder.
        write: Writes the artifact, card included, at a path that does not exist.
        extra: The extra of kseg that writes and runs it.
    """

    format: str
    quantization: str
    file: str
    write: Callable[[Conversion, Path], None]
    extra: str | None = None

    @property
    def calibrated(self) -> bool:
        """Whether it needs training images."""
        return self.quantization != "none"

    @property
    def installed(self) -> bool:
        """Whether its extra is there; nothing is imported for the answer."""
        return all(find_spec(module) is not None for module in _MODULES.get(self.extra or "", ()))


EXPORTERS: tuple[Exporter, ...] = (
    Exporter("saved_model", "none", "saved_model", write_saved_model),
    Exporter("tflite", "none", "model_float32.tflite", write_tflite),
    Exporter("tflite", "int8", "model_int8.tflite", write_tflite_int8),
    Exporter("onnx", "none", "model.onnx", write_onnx, extra="onnx"),
)


def choose(formats: Sequence[str] | None, quantizations: Sequence[str]) -> tuple[Exporter, ...]:
    """The rows of `EXPORTERS` that are asked for, in the table's order.

    Args:
        formats: Their names; None for every one whose extra is installed.
        quantizations: Their names.

    Raises:
        UnknownNameError: No such format or quantisation.
        UsageError: Nothing is asked for, a quantisation that none of the formats has, or a format whose extra is not
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
            raise missing_extra(row.extra, f"what writes and runs {row.format} is not installed", where="--format")
    return rows


def left_out(quantizations: Sequence[str]) -> tuple[Exporter, ...]:
    """The rows that `choose` leaves out where no format is named, since their extras are not installed."""
    return tuple(row for row in EXPORTERS if row.quantization in quantizations and not row.installed)


def _refuse(formats: Sequence[str], quantizations: Sequence[str]) -> None:
    if not formats or not quantizations:
        raise UsageError(
            "nothing to export", where="--quantize" if formats else "--format", found="an empty list",
            remedy="leave the flag out to get every one",
        )  # fmt: skip
    able = sorted({row.format for row in EXPORTERS if row.quantization in quantizations})
    raise UsageError(
        f"{', '.join(formats)} has no quantisation {', '.join(quantizations)}", where="--quantize",
        remedy=f"add --format {able[0]}",
    )  # fmt: skip
