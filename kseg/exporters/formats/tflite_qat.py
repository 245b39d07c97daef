"""int8 TFLite of a network that was trained with int8's rounding: `kseg fit --qat`.

The file is written and calibrated as any int8 file is. The ranges of the training, kept instead, were measured to be no
better (docs/export.md).
"""

from __future__ import annotations

from pathlib import Path

from kseg.card import ModelCard
from kseg.errors import UsageError, shell_command
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.tflite_quantized import write_tflite_int8
from kseg.run_folder import RunFolder

__all__ = ["require_qat", "write_tflite_qat"]


def write_tflite_qat(conversion: Conversion, path: Path) -> None:
    """As `write_tflite_int8`.

    Raises:
        UsageError: The network is not of `kseg fit --qat`.
        ArtifactError: As `write_tflite_int8`.
    """
    require_qat(conversion.card, None)
    write_tflite_int8(conversion, path)


def require_qat(card: ModelCard, model: Path | None) -> None:
    """Check that a network is of `kseg fit --qat`; raises UsageError.

    Args:
        card: Its card.
        model: Its file, for the message.
    """
    compression = card.provenance.get("compression")
    if isinstance(compression, dict) and compression.get("method") == "qat":
        return
    run = RunFolder.containing(model) if model is not None else None
    raise UsageError(
        "the network was not trained for int8", where="--quantize qat", expected="a run of kseg fit --qat",
        found=card.name, remedy=f"first {shell_command('kseg', 'fit', '--qat', '--from', run.path if run else 'RUN')}",
    )  # fmt: skip
