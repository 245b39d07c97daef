"""``kseg evaluate``: the scores of a model on true masks, each with its averaging."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from kseg.cli.options import flip_option, min_area_option, runtime_options, threshold_option, zoom_option

if TYPE_CHECKING:
    from kseg.evaluation import Score, Scores

    Headings = dict[Score, str]

__all__ = ["command"]

HEADINGS: Final[Headings] = {
    "iou": "IoU",
    "dice": "Dice",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "boundary_iou": "boundary IoU",
    "boundary_f1": "boundary F1",
}


@click.command("evaluate")
@click.argument("model", metavar="RUN_OR_MODEL", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Other images: a config, a run, a data.json, or a folder.  [default: the run's]",
)
@click.option(
    "--split", type=click.Choice(["train", "val", "test", "all"]), default="test", show_default=True,
    help="Which of the images.",
)  # fmt: skip
@threshold_option
@min_area_option
@flip_option
@zoom_option
@runtime_options
@click.option(
    "--boundary/--no-boundary", default=True, show_default=True,
    help="Score outlines too; it costs most on large images.",
)  # fmt: skip
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Also write the scores, with a row an image, here."
)
def command(
    model: Path,
    data: Path | None,
    split: Any,
    threshold: float | None,
    min_area: tuple[str, ...],
    flip: bool,
    zoom: float,
    device: Any,
    threads: int | None,
    boundary: bool,
    json_file: Path | None,
) -> None:
    """Score a model against true masks, at the images' original size.

    RUN_OR_MODEL is a run folder, a SavedModel folder, or a .keras, .tflite or .onnx file. A model inside a run is
    scored on the run's own test images; any other needs --data.

    \b
      kseg evaluate runs/fit/NAME
      kseg evaluate runs/fit/NAME --split val --threshold 0.4
      kseg evaluate saved_models/NAME/model_int8.tflite --data runs/fit/NAME --json scores.json
    """
    import logging

    from kseg.cli.counting import counting
    from kseg.evaluation import EvaluationPlan
    from kseg.inference import PredictionPlan

    prediction = PredictionPlan.make(
        model, device=device, threads=threads, threshold=threshold, flip=flip, zoom=zoom, min_area=min_area
    )
    plan = EvaluationPlan.make(prediction, data, split)
    with counting("evaluating") as progress:
        scores = plan.run(boundary=boundary, on_progress=progress)
    headings = {name: text for name, text in HEADINGS.items() if boundary or not name.startswith("boundary")}
    title = f"{prediction.model} on {plan.dataset.root}, split {split}"
    _show(scores, headings, title, prediction.describe())
    for warning in scores.warnings:
        logging.getLogger("kseg").warning("%s", warning)
    if json_file:
        areas = {prediction.card.labels.names[k]: pixels for k, pixels in prediction.min_area.items()}
        facts = {"model": str(prediction.model), "data": str(plan.dataset.root), "split": split}
        _write(json_file, scores, **facts, flip=flip, zoom=zoom, min_area=areas)
        click.echo(f"scores written to {json_file}")


def _show(scores: Scores, headings: Headings, title: str, options: str) -> None:
    from rich.console import Console

    console = Console() if Console().is_terminal else Console(width=120)
    decided = "best class wins" if scores.threshold is None else f"threshold {scores.threshold:g}"
    console.print(
        f"{title}: {scores.images} images at their original size{options}, {decided}", markup=False, highlight=False,
        soft_wrap=True,
    )  # fmt: skip
    console.print("\n[bold]Each class, over the dataset (pixels of all images summed)")
    console.print(_class_table(scores, headings))
    console.print(
        "[bold]Means, over the dataset (pixels summed first) and per image (a score an image, then their mean)"
    )
    console.print(_mean_table(scores, headings))
    console.print(_summary(scores))


def _class_table(scores: Scores, headings: Headings) -> Any:
    from rich.text import Text

    table = _table("class", [text.replace(" ", "\n") for text in headings.values()])
    columns = [scores.per_class(name) for name in headings]
    for k, name in enumerate(scores.labels.names):
        table.add_row(Text(name), *(_number(column[k]) for column in columns))
    return table


def _mean_table(scores: Scores, headings: Headings) -> Any:
    foreground, every = (_classes(n) for n in (len(scores.labels.foreground), scores.labels.num_classes))
    table = _table(
        "",
        [f"over dataset,\nforeground,\n{foreground}", f"over dataset,\nall,\n{every}",
         f"per image,\nforeground,\n{foreground}", "images\nwith it"],
    )  # fmt: skip
    for name, heading in headings.items():
        per_image, images = scores.image_mean(name)
        values = (scores.mean(name), scores.mean(name, "all"), per_image)
        table.add_row(heading, *map(_number, values), str(images))
    return table


def _classes(number: int) -> str:
    return "1 class" if number == 1 else f"{number} classes"


def _summary(scores: Scores) -> Any:
    from rich.table import Table
    from rich.text import Text

    accuracy, images = scores.image_pixel_accuracy
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value, averaging in (
        ("pixel accuracy", scores.pixel_accuracy, "over the dataset"),
        ("pixel accuracy", accuracy, f"per image, mean over {images} images"),
        ("calibration error (ECE)", scores.calibration_error, "over the dataset"),
    ):
        table.add_row(name, _number(value), Text(averaging))
    return table


def _table(first: str, headings: list[str]) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)  # seven columns in 80 letters
    table.add_column(first, vertical="bottom", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
    return table


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _write(path: Path, scores: Scores, **facts: Any) -> None:
    from kseg.files import make_folder, write_json

    make_folder(path.absolute().parent)
    write_json(path, {"schema": 1, **facts, **scores.to_json()})
