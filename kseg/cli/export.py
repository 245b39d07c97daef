"""``kseg export``: write a trained model in other formats, and keep what is still that model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.options import PATH

if TYPE_CHECKING:
    from kseg.exporters import ExportReport

__all__ = ["command", "show_report"]

_WIDTH = 100


@click.command("export")
@click.argument("model", metavar="RUN_OR_MODEL", type=PATH)
@click.option(
    "--format", "formats", metavar="LIST",
    help="keras, saved_model, tflite, onnx, openvino, or all.  [default: all whose extra of kseg is installed]",
)  # fmt: skip
@click.option(
    "--quantize", default="none,int8", show_default=True, metavar="LIST",
    help="none (float32), fp16, dynamic, int8, int16x8, qat; auto: the smallest and the fastest that pass. A format "
    "that lacks one is left out.",
)  # fmt: skip
@click.option(
    "--max-iou-drop", type=click.FloatRange(0, 1), default=0.01, show_default=True, metavar="DROP",
    help="Do not write an artifact whose foreground IoU is further below the model's.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Write it nevertheless, marked as failed in its card; the exit code is 3.")
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
@click.option(
    "--reference", type=PATH, metavar="RUN_OR_MODEL",
    help="The model whose IoU counts: for a pruned or quantisation-aware model the one it was fine-tuned from.  "
    "[default: RUN_OR_MODEL]",
)  # fmt: skip
@click.option(
    "--threads", type=click.IntRange(min=1), help="Number of CPU threads that score.  [default: the runtime's]"
)
def command(model: Path, formats: str | None, quantize: str, **options: Any) -> None:
    """Export a trained model, and measure each artifact beside it, on its test images.

    RUN_OR_MODEL is a run folder (runs/fit/NAME) or a .keras file. Every artifact takes raw uint8 RGB [B, h, w, 3]
    (TFLite: B = 1) and returns scores; int8 is calibrated on the run's own training images. An artifact is written only
    if it is still the model: float32 scores agree to 1e-4, and the IoU drops by at most --max-iou-drop. Otherwise the
    exit code is 3.

    \b
      kseg export runs/fit/NAME
      kseg export runs/fit/NAME --format tflite --quantize auto
      kseg export runs/fit/NAME --format onnx --quantize none,int8 --calibration-images 300
      kseg export best.keras --data data.yaml --out saved_models/mine
    """
    import kseg
    from kseg.exporters.table import uninstalled

    named = None if formats is None or _names(formats) == ["all"] else _names(formats)
    report = kseg.export(model, formats=named, quantize=_names(quantize), **options)
    show_report(report)
    for exporter in uninstalled(_names(quantize)) if named is None else ():
        click.echo(f"Not exported: {exporter.file}, which needs pip install 'kseg[{exporter.extra}]'")
    if error := report.error():
        raise error


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def show_report(report: ExportReport) -> None:
    from rich.console import Console

    from kseg.exporters.parity.tables import parity_table

    console = Console() if Console().is_terminal else Console(width=_WIDTH)
    console.print(parity_table(report.rows, report.split), soft_wrap=False)
    if report.ladder is not None:
        console.print(report.ladder.table(), soft_wrap=False)
        console.print("\n".join(report.ladder.notes), soft_wrap=True, highlight=False, markup=False)
    files = "parity.md, parity.json, card.json" + (", the worst images in parity/" if report.pictures else "")
    console.print(f"Written to {report.out}/ ({files})", soft_wrap=True, highlight=False)
