"""``kseg export``: write a trained model as SavedModel, TFLite and ONNX, and score each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.options import PATH
from kseg.errors import PartialFailure

if TYPE_CHECKING:
    from kseg.exporters import ExportReport

__all__ = ["command"]


@click.command("export")
@click.argument("model", metavar="RUN_OR_MODEL", type=PATH)
@click.option(
    "--format", "formats", metavar="LIST",
    help="Formats to write: saved_model, tflite, onnx.  [default: all; onnx if kseg[onnx] is installed]",
)  # fmt: skip
@click.option(
    "--quantize", default="none,int8", show_default=True, metavar="LIST",
    help="none is float32; int8 quantises weights and activations (tflite only).",
)  # fmt: skip
@click.option("--out", type=PATH, help="The folder.  [default: saved_models/NAME]")
@click.option(
    "--data", type=PATH,
    help="The model's own data, if it is not in a run folder: a config, a run, a data.json, or a folder.",
)  # fmt: skip
@click.option(
    "--calibration-images", type=click.IntRange(min=1), default=100, show_default=True,
    help="Number of training images for the quantiser.",
)  # fmt: skip
@click.option(
    "--split", type=click.Choice(["test", "val", "train", "all"]),
    help="The images that score the artifacts.  [default: test; val if there are no test images]",
)  # fmt: skip
def command(
    model: Path,
    formats: str | None,
    quantize: str,
    out: Path | None,
    data: Path | None,
    calibration_images: int,
    split: Any,
) -> None:
    """Export a trained model, and compare the scores of each artifact with the model's, on its test images.

    RUN_OR_MODEL is a run folder (runs/fit/NAME) or a .keras file. Every artifact takes raw uint8 RGB [B, h, w, 3]
    (TFLite: B = 1) and returns scores; int8 is calibrated on the run's own training images.

    \b
      kseg export runs/fit/NAME
      kseg export runs/fit/NAME --format tflite --quantize int8 --calibration-images 300
      kseg export runs/fit/NAME --format onnx
      kseg export best.keras --data data.yaml --out saved_models/mine
    """
    import kseg
    from kseg.exporters.table import uninstalled

    report = kseg.export(
        model, formats=None if formats is None else _names(formats), quantize=_names(quantize), out=out, data=data,
        calibration_images=calibration_images, split=split,
    )  # fmt: skip
    _show(report)
    for exporter in uninstalled(_names(quantize)) if formats is None else ():
        click.echo(f"Not exported: {exporter.file}, which needs pip install 'kseg[{exporter.extra}]'")
    if report.failures:
        total = len(report.failures) + len(report.rows) - 1
        reasons = "; ".join(f"{file}: {reason}" for file, reason in report.failures.items())
        raise PartialFailure(f"{len(report.failures)} of {total} artifacts failed", found=reasons)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _show(report: ExportReport) -> None:
    from rich.console import Console

    from kseg.exporters.parity.measure import parity_table

    console = Console() if Console().is_terminal else Console(width=120)
    console.print(parity_table(report.rows, report.split), soft_wrap=False)
    console.print(f"Written to {report.out}/ (parity.md, parity.json, card.json)", soft_wrap=True, highlight=False)
