"""``kseg predict``: write masks for pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.options import PATH, flip_option, min_area_option, runtime_options, threshold_option, zoom_option
from kseg.errors import PartialFailure

if TYPE_CHECKING:
    from kseg.inference import PredictReport

__all__ = ["command"]


@click.command("predict")
@click.argument("model", metavar="MODEL", type=PATH)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, help="Folder for the masks.")
@click.option("--overlay", is_flag=True, help="Also write the pictures with the masks over them.")
@click.option("--save-prob", is_flag=True, help="Also write the scores: PNG (0..255), or NPZ for several classes.")
@click.option(
    "--size", nargs=2, type=click.IntRange(min=1), metavar="H W", help="Input size of a model without a card."
)
@click.option("--classes", metavar="NAME,NAME…", help="Classes of a model without a card, the background first.")
@threshold_option
@min_area_option
@flip_option
@zoom_option
@runtime_options
def command(
    model: Path,
    sources: tuple[str, ...],
    out: Path,
    overlay: bool,
    save_prob: bool,
    size: tuple[int, int] | None,
    classes: str | None,
    threshold: float | None,
    min_area: tuple[str, ...],
    flip: bool,
    zoom: float,
    runtime: str,
    device: Any,
    threads: int | None,
) -> None:
    """Write a mask for every picture; no ground truth is needed.

    MODEL is a run folder, a SavedModel or OpenVINO folder, or a .keras, .tflite or .onnx file. SOURCE is a picture, a
    folder (searched at any depth) or a quoted pattern. Masks are PNG files of the picture's own size that hold the
    data's own mask values (0 and 255, say).

    \b
      kseg predict runs/fit/NAME photos/ --out masks/
      kseg predict runs/fit/NAME a.jpg 'more/*.png' --out masks/ --overlay
      kseg predict saved_models/NAME/model_int8.tflite photos/ --out masks/ --save-prob
      kseg predict runs/fit/NAME photos/ --out masks/ --min-area 50 --min-area car=200
      kseg predict runs/fit/NAME photos/ --out masks/ --zoom 2
      kseg predict of_another_tool.tflite photos/ --out masks/ --size 256 256 --classes background,person
    """
    from kseg.api.progress import progress_bar
    from kseg.inference import FilesPlan, PredictionPlan, predict_files

    plan = PredictionPlan.make(
        model,
        runtime=runtime,
        device=device,
        threads=threads,
        threshold=threshold,
        flip=flip,
        zoom=zoom,
        min_area=min_area,
        size=size,
        classes=None if classes is None else classes.split(","),
    )
    files = FilesPlan.make(plan.card, sources, out, overlay=overlay, save_prob=save_prob)
    with progress_bar("predicting") as progress:
        predictor = plan.load(pictures=len(files.targets))
        report = predict_files(predictor, files, threads=plan.threads, on_progress=progress)
    _show(report, overlay=overlay, prob=(".png" if plan.card.channels == 1 else ".npz") if save_prob else None)


def _show(report: PredictReport, *, overlay: bool, prob: str | None) -> None:
    """Print the outcome. Raises PartialFailure if a picture failed."""
    import logging

    from kseg.images import printable

    log = logging.getLogger("kseg")
    for entry in report.renamed:
        log.warning(
            "the mask of %s is %s, since another picture has the same name",
            printable(entry.image),
            printable(entry.mask),
        )
    if report.written and report.background_only == len(report.written):
        log.warning("the model predicts background only on all %d images", len(report.written))
    total = len(report.written) + len(report.failed)
    if report.written:
        click.echo(f"masks: {printable(report.out / '<name>.png')}")
        if overlay:
            click.echo(f"overlays: {printable(report.out / '<name>_overlay.jpg')}")
        if prob:
            click.echo(f"scores: {printable(report.out / f'<name>_prob{prob}')}")
    click.echo(f"{len(report.written)} of {total} images predicted; {report.background_only} hold background only")
    for reason in report.failed.values():
        click.echo(f"failed: {reason}", err=True)
    if report.failed:
        raise PartialFailure(f"{len(report.failed)} of {total} images failed")
