"""The artifacts that kseg can write, in one table, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kseg.errors import UsageError
from kseg.export.conversion import Conversion
from kseg.export.saved_model import write_saved_model
from kseg.export.tflite import write_tflite
from kseg.export.tflite_int8 import write_tflite_int8
from kseg.registry import lookup

__all__ = ["EXPORTERS", "Exporter", "choose"]


@dataclass(frozen=True)
class Exporter:
    """One kind of artifact.

    Args:
        format: The name on the command line.
        quantization: ``none`` (float32) or ``int8``.
        file: The artifact's name in the output folder.
        write: Writes the artifact, card included, at a path that does not exist.
    """

    format: str
    quantization: str
    file: str
    write: Callable[[Conversion, Path], None]

    @property
    def calibrated(self) -> bool:
        """Whether it needs training images."""
        return self.quantization != "none"


EXPORTERS: tuple[Exporter, ...] = (
    Exporter("saved_model", "none", "saved_model", write_saved_model),
    Exporter("tflite", "none", "model_float32.tflite", write_tflite),
    Exporter("tflite", "int8", "model_int8.tflite", write_tflite_int8),
)


def choose(formats: Sequence[str], quantizations: Sequence[str]) -> tuple[Exporter, ...]:
    """The rows of `EXPORTERS` that are asked for, in the table's order.

    Raises:
        UnknownNameError: No such format or quantisation.
        UsageError: Nothing is asked for, or a quantisation that none of the formats has.
    """
    by_format = {row.format: row for row in EXPORTERS}
    by_quantization = {row.quantization: row for row in EXPORTERS}
    for name in formats:
        lookup(by_format, name, kind="export format", where="--format")
    for name in quantizations:
        lookup(by_quantization, name, kind="quantisation", where="--quantize")
    rows = tuple(row for row in EXPORTERS if row.format in formats and row.quantization in quantizations)
    if not rows:
        _refuse(formats, quantizations)
    return rows


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
