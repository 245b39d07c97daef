"""``kseg evaluate``: the scores of a model on true masks, each with its averaging."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.options import runtime_options, threshold_option

if TYPE_CHECKING:
    from kseg.evaluation import Scores

__all__ = ["command"]


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
@runtime_options
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Also write the scores, with a row an image, here."
)
def command(
    model: Path,
    data: Path | None,
    split: Any,
    threshold: float | None,
    device: Any,
    threads: int | None,
    json_file: Path | None,
) -> None:
    """Score a model against true masks, at the images' original size.

    RUN_OR_MODEL is a run folder, a .keras file, a SavedModel folder or a .tflite file. A model inside a run is
    scored on the run's own test images; any other needs --data.

    \b
      kseg evaluate runs/fit/NAME
      kseg evaluate runs/fit/NAME --split val --threshold 0.4
      kseg evaluate saved_models/NAME/model_int8.tflite --data runs/fit/NAME --json scores.json
    """
    import logging

    from kseg.card import read_card
    from kseg.cli.counting import counting
    from kseg.evaluation import check_labels, evaluate, load_data
    from kseg.inference import check_threshold, load_predictor, resolve_model

    # What can be wrong with the command is told before a runtime loads for seconds.
    path = resolve_model(model)
    card = read_card(path)
    check_threshold(card, threshold)
    dataset = load_data(data, path)
    check_labels(dataset.labels, card.labels)
    samples = dataset.samples(split)
    predictor = load_predictor(path, device=device, threads=threads)
    with counting("evaluating") as tell:
        scores = evaluate(predictor, samples, dataset.labels, threshold=threshold, on_progress=tell)
    _show(scores, f"{path} on {dataset.root}, split {split}")
    for warning in scores.warnings:
        logging.getLogger("kseg").warning("%s", warning)
    if json_file:
        _write(json_file, scores, model=str(path), data=str(dataset.root), split=split)
        click.echo(f"scores written to {json_file}")


def _show(scores: Scores, title: str) -> None:
    from rich.console import Console

    console = Console() if Console().is_terminal else Console(width=120)
    decided = "best class wins" if scores.threshold is None else f"threshold {scores.threshold:g}"
    console.print(
        f"{title}: {scores.images} images at their original size, {decided}", markup=False, highlight=False,
        soft_wrap=True,
    )  # fmt: skip
    console.print("\n[bold]Each class, over the dataset (pixels of all images summed)")
    console.print(_class_table(scores))
    console.print(_summary(scores))


def _class_table(scores: Scores) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("class")
    for heading in ("IoU", "Dice", "precision", "recall"):
        table.add_column(heading, justify="right", no_wrap=True)
    columns = (scores.class_iou, scores.class_dice, scores.class_precision, scores.class_recall)
    for k, name in enumerate(scores.labels.names):
        table.add_row(Text(name), *(_number(column[k]) for column in columns))
    return table


def _summary(scores: Scores) -> Any:
    from rich.table import Table
    from rich.text import Text

    several = len(scores.labels.foreground) > 1
    over = "over the dataset" + (f", mean of the {len(scores.labels.foreground)} foreground classes" if several else "")
    each = (
        f"per image{' (mean of its foreground classes)' if several else ''}, mean over the {scores.foreground_images} "
        f"of {scores.images} images with foreground in truth or prediction"
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value, averaging in (
        ("foreground IoU", scores.iou, over),
        ("foreground Dice", scores.dice, over),
        ("foreground IoU", scores.image_iou, each),
        ("foreground Dice", scores.image_dice, each),
        ("mean IoU", scores.mean_iou, f"over the dataset, mean of all {scores.labels.num_classes} classes"),
        ("pixel accuracy", scores.pixel_accuracy, "over the dataset"),
    ):
        table.add_row(name, _number(value), Text(averaging))
    return table


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _write(path: Path, scores: Scores, **facts: str) -> None:
    from kseg.files import make_folder, write_json

    make_folder(path.absolute().parent)
    write_json(path, {"schema": 1, **facts, **scores.to_json()})
