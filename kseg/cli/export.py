"""``kseg export``: a trained model as SavedModel, TFLite, int8 TFLite and ONNX, each scored beside the original."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.errors import ArtifactError, PartialFailure, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kseg.export import ExportReport
    from kseg.export.parity import ParityRow

__all__ = ["command"]


@click.command("export")
@click.argument("model", metavar="RUN_OR_MODEL", type=click.Path(path_type=Path))
@click.option(
    "--format", "formats", metavar="LIST",
    help="What to write: saved_model, tflite, onnx.  [default: all; onnx where kseg[onnx] is installed]",
)  # fmt: skip
@click.option(
    "--quantize", default="none,int8", show_default=True, metavar="LIST",
    help="none is float32; int8 quantises weights and activations (tflite only).",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="The folder.  [default: saved_models/NAME]")
@click.option(
    "--data", type=click.Path(path_type=Path),
    help="The model's own data, where it does not lie in a run: a config, run, data.json or folder.",
)  # fmt: skip
@click.option(
    "--calibration-images", type=click.IntRange(min=1), default=100, show_default=True,
    help="Training images that the quantiser sees.",
)  # fmt: skip
@click.option(
    "--split", type=click.Choice(["test", "val", "train", "all"]), default="test", show_default=True,
    help="The images that score the artifacts.",
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
    """Export a trained model, and measure on its own test images what the export cost.

    RUN_OR_MODEL is a run folder (runs/fit/NAME) or a .keras file. Every artifact takes raw uint8 RGB [B, h, w, 3]
    (TFLite: B = 1) and returns scores; int8 is calibrated on the run's own training images.

    \b
      kseg export runs/fit/NAME
      kseg export runs/fit/NAME --format tflite --quantize int8 --calibration-images 300
      kseg export runs/fit/NAME --format onnx
      kseg export best.keras --data data.yaml --out saved_models/mine
    """
    from kseg.export.table import choose, left_out

    exporters = choose(None if formats is None else _names(formats), _names(quantize))
    source, name = _source(model, data)
    from kseg.evaluation import load_data
    from kseg.tensorflow_runtime import load_tensorflow

    dataset = load_data(data, source)
    load_tensorflow()
    from kseg.export import export_model

    folder = out or Path("saved_models") / name
    with _progress() as tell:
        report = export_model(
            source, dataset, folder, exporters, calibration=calibration_images, split=split, on_progress=tell
        )
    _show(report, split)
    for exporter in left_out(_names(quantize)) if formats is None else ():
        click.echo(f"Left out: {exporter.file}, which needs pip install 'kseg[{exporter.extra}]'")
    if report.failures:
        what = "; ".join(f"{file}: {reason}" for file, reason in report.failures.items())
        raise PartialFailure(f"{len(report.failures)} of {len(exporters)} artifacts failed", found=what)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _source(model: Path, data: Path | None) -> tuple[Path, str]:
    """The ``.keras`` file, and the name that the export gets. Raises UsageError or ArtifactError."""
    from kseg.inference import resolve_model
    from kseg.run_folder import RunFolder

    path = resolve_model(model)
    if path.suffix != ".keras":
        raise ArtifactError(
            "only a Keras model can be exported", where=str(path), expected="a run folder or a .keras file",
            remedy="export the run that it came from",
        )  # fmt: skip
    run = RunFolder.containing(path)
    if run is None and data is None:
        raise UsageError(
            "the model lies in no run, so its images are not known", where=str(model),
            remedy="add --data with the data that it was trained on, to calibrate and to score",
        )  # fmt: skip
    return path, run.path.resolve().name if run else path.stem


def _progress() -> AbstractContextManager[Callable[[str, int, int], None]]:
    from contextlib import contextmanager

    from rich.console import Console

    @contextmanager
    def shown() -> Any:
        with Console(stderr=True).status("loading the model") as status:
            yield lambda step, done, total: status.update(f"{step} {done}/{total}" if total > 1 else step)

    return shown()


def _show(report: ExportReport, split: str) -> None:
    from rich.console import Console

    console = Console() if Console().is_terminal else Console(width=120)
    console.print(_table(report.rows, split), soft_wrap=False)
    console.print(f"Written to {report.out}/ (parity.md, parity.json, card.json)", soft_wrap=True, highlight=False)


def _table(rows: Sequence[ParityRow], split: str) -> Any:
    from rich import box
    from rich.table import Table

    caption = (
        f"Dataset-wide scores on the {split} split at original size; pixels changed: other class than Keras gives."
    )
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left")
    table.add_column("artifact", no_wrap=True)
    for heading in ("MB", "fg IoU", "change", "mean IoU", "pixel acc.", "pixels changed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.file, f"{row.bytes / 1e6:.2f}", f"{row.iou:.4f}", f"{row.iou - rows[0].iou:+.4f}",
            f"{row.mean_iou:.4f}", f"{row.pixel_accuracy:.4f}", f"{100 * row.changed:.3f} %",
        )  # fmt: skip
    return table
