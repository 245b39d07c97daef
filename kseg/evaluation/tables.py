"""The tables of an evaluation, for the terminal and notebooks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table
from rich.text import Text

from kseg.evaluation.counts import Score

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kseg.evaluation.scores import Scores

__all__ = ["HEADINGS", "class_table", "scores_tables"]

HEADINGS: Final[Mapping[Score, str]] = {
    "iou": "IoU",
    "dice": "Dice",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "boundary_iou": "boundary IoU",
    "boundary_f1": "boundary F1",
}


def scores_tables(scores: Scores) -> list[RenderableType]:
    """A line about model, data and options, then the tables: scores of each class, their means, pixel accuracy."""
    return [
        Text(_title(scores)),
        Text("\nEach class, over the dataset (pixels of all images summed)", style="bold"),
        class_table(scores.per_class),
        Text("Means, over the dataset (pixels summed first) and per image (mean of the images' scores)", style="bold"),
        _mean_table(scores),
        _summary(scores),
    ]  # fmt: skip


def _title(scores: Scores) -> str:
    facts = scores.facts
    parts = [f"{facts['model']} on {facts['data']}, split {facts['split']}: " if facts else ""]
    parts.append(f"{scores.images} images at their original size")
    if facts.get("flip"):
        parts.append(", with their mirror images")
    if facts.get("zoom", 1) > 1:
        parts.append(f", also enlarged {facts['zoom']:g} times")
    if facts.get("min_area"):
        areas = ", ".join(f"{pixels} pixels ({name})" for name, pixels in facts["min_area"].items())
        parts.append(f", without regions under {areas}")
    parts.append(", highest score wins" if scores.threshold is None else f", threshold {scores.threshold:g}")
    return "".join(parts)


def class_table(per_class: Mapping[str, Mapping[str, float]]) -> Table:
    """A table with a row for each class and a column for each score; boundary scores only if one is defined."""
    headings = {
        name: heading
        for name, heading in HEADINGS.items()
        if not (name.startswith("boundary") and all(math.isnan(row[name]) for row in per_class.values()))
    }
    table = _table("class", [heading.replace(" ", "\n") for heading in headings.values()])
    for label, row in per_class.items():
        table.add_row(Text(label), *(_number(row[name]) for name in headings))
    return table


def _mean_table(scores: Scores) -> Table:
    foreground, total = (_classes(n) for n in (len(scores.labels.foreground), scores.labels.num_classes))
    table = _table(
        "",
        [f"over dataset,\nforeground,\n{foreground}", f"over dataset,\nall,\n{total}",
         f"per image,\nforeground,\n{foreground}", "images\nwith it"],
    )  # fmt: skip
    for name, heading in HEADINGS.items():
        per_image, images = scores.image_mean(name)
        values = (scores.mean(name), scores.mean(name, "all"), per_image)
        if not (name.startswith("boundary") and all(map(math.isnan, values))):
            table.add_row(heading, *map(_number, values), str(images))
    return table


def _classes(number: int) -> str:
    return "1 class" if number == 1 else f"{number} classes"


def _summary(scores: Scores) -> Table:
    accuracy, images = scores.image_pixel_accuracy
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value, averaging in (
        ("pixel accuracy", scores.pixel_accuracy, "over the dataset"),
        ("pixel accuracy", accuracy, f"per image, mean over {images} images"),
        ("calibration error (ECE)", scores.calibration_error, "over the dataset"),
    ):
        table.add_row(name, _number(value), Text(averaging))
    return table


def _table(first: str, headings: list[str]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False
    )  # so that seven columns fit into 80 characters
    table.add_column(first, vertical="bottom", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
    return table


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"
