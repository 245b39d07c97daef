"""``kseg evaluate``: score a model against ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.options import PATH, flip_option, min_area_option, runtime_options, threshold_option, zoom_option

if TYPE_CHECKING:
    from kseg.evaluation import Scores
    from kseg.provenance import Origin

__all__ = ["command"]


@click.command("evaluate")
@click.argument("model", metavar="RUN_OR_MODEL", type=PATH)
@click.option(
    "--data",
    type=PATH,
    help="Other data: a config, a run, a data.json, or a folder.  [default: the run's]",
)
@click.option(
    "--split", type=click.Choice(["train", "val", "test", "all"]),
    help="The images to score.  [default: test; val if there are no test images]",
)  # fmt: skip
@threshold_option
@min_area_option
@flip_option
@zoom_option
@runtime_options
@click.option(
    "--boundary/--no-boundary", default=True, show_default=True,
    help="Also compute boundary scores, which are slow on large images.",
)  # fmt: skip
@click.option(
    "--json",
    "json_file",
    type=PATH,
    help="Also write the scores, those of each image included, to this file.",
)
def command(
    model: Path,
    data: Path | None,
    split: Any,
    threshold: float | None,
    min_area: tuple[str, ...],
    flip: bool,
    zoom: float,
    runtime: Any,
    device: Any,
    threads: int | None,
    boundary: bool,
    json_file: Path | None,
) -> None:
    """Score a model against ground truth, at the images' original size.

    RUN_OR_MODEL is a run folder, a SavedModel or OpenVINO folder, or a .keras, .tflite or .onnx file. A model in a run
    folder is scored on the run's own test images; any other needs --data.

    \b
      kseg evaluate runs/fit/NAME
      kseg evaluate runs/fit/NAME --split val --threshold 0.4
      kseg evaluate saved_models/NAME/model_int8.tflite --data runs/fit/NAME --json scores.json
    """
    import logging

    import kseg
    from kseg.files import make_folder, write_json
    from kseg.provenance import mark_file, require_replaceable

    if json_file:
        origin = _origin(model, data, split)
        require_replaceable(json_file, origin, option="--json")
    scores = kseg.evaluate(
        model, data, split=split, runtime=runtime, device=device, threads=threads, threshold=threshold, flip=flip,
        zoom=zoom, min_area=min_area, boundary=boundary,
    )  # fmt: skip
    _show(scores)
    for warning in scores.warnings:
        logging.getLogger("kseg").warning("%s", warning)
    if json_file:
        make_folder(json_file.absolute().parent)
        write_json(json_file, {"schema": 1, **scores.to_json()})
        mark_file(json_file, origin)
        click.echo(f"scores written to {json_file}")


def _origin(model: Path, data: Path | None, split: str | None) -> Origin:
    """The mark of the scores of a model on a split of data, by default those of its run."""
    from kseg.inference import resolve_model
    from kseg.provenance import Origin
    from kseg.run_folder import RunFolder

    path = resolve_model(model)
    run = RunFolder.containing(path)
    source = data or (run.path if run else None)
    return Origin.of(
        f"kseg evaluate --split {split}" if split else "kseg evaluate", path, *([source] if source else [])
    )


def _show(scores: Scores) -> None:
    from rich.console import Console
    from rich.text import Text

    from kseg.evaluation.tables import scores_tables

    console = Console() if Console().is_terminal else Console(width=120)
    for part in scores_tables(scores):
        console.print(part, soft_wrap=isinstance(part, Text))
