"""The tables of an export, for the terminal, for notebooks and as Markdown: a row for each artifact and runtime."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kseg.evaluation.bootstrap import Interval
from kseg.exporters.parity.row import ParityRow

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["parity_markdown", "parity_table"]

_LEGEND = (
    "drop: foreground IoU below the reference's, with its 95 % interval (paired bootstrap over the images); changed: "
    "pixels whose class differs from the model's, and max diff: the largest difference of a score, at the network's "
    "size; ECE: expected calibration error."
)


def parity_table(rows: Sequence[ParityRow], split: str) -> Table:
    """The rows as a table that fits 100 columns, the model's first."""
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, padding=0, show_edge=False, caption_justify="left",
        caption=f"Foreground IoU over the {split} split at original size. {_LEGEND}",
    )  # fmt: skip
    table.add_column("artifact", no_wrap=True)
    table.add_column("runtime", no_wrap=True)
    for heading in ("MB", "fg IoU", "drop", "95 % interval", "changed", "max diff", "ECE"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("gate", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row), style=None if row.passed else "bold red")
    return table


def parity_markdown(rows: Sequence[ParityRow], *, images: int, split: str, notes: Sequence[str] = ()) -> str:
    """The rows as a Markdown table, the model's first; then the drop of each class, and what failed.

    Args:
        rows: The rows of the report.
        images: The number of images.
        split: Their split.
        notes: Lines about artifacts that were not written, or were kept although they fail.
    """
    headings = (
        "artifact", "runtime", "size (MB)", "foreground IoU", "drop", "95 % interval", "changed", "max diff", "ECE",
        "gate", "mean IoU", "pixel accuracy",
    )  # fmt: skip
    compared = min(row.compared_images for row in rows)
    lines = [f"Foreground IoU over the {images} images of the {split} split, at their original size, pixels summed."]
    lines += [_LEGEND, *([] if compared == images else [f"Scores were compared on {compared} evenly spread images."])]
    lines += [
        "",
        *_markdown(headings, [(*_cells(row), f"{row.mean_iou:.4f}", f"{row.pixel_accuracy:.4f}") for row in rows]),
    ]
    lines += ["", "Drop of each class, with its 95 % interval:", "", *_class_lines(rows)]
    lines += ["", *(f"- {note}" for note in notes)] if notes else []
    return "\n".join(lines) + "\n"


def _class_lines(rows: Sequence[ParityRow]) -> list[str]:
    names = [drop.name.replace("|", "\\|") for drop in rows[0].classes]
    table = [
        (row.file, row.runtime, *(f"{_signed(each.drop)} [{_interval(each.interval)}]" for each in row.classes))
        for row in rows[1:]
    ]
    return _markdown(("artifact", "runtime", *names), table)


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (headings, ["---"] * len(headings), *rows)]


def _cells(row: ParityRow) -> tuple[str, ...]:
    return (
        row.file, row.runtime, _megabytes(row.bytes), f"{row.iou:.4f}", _signed(row.iou_drop),
        _interval(row.iou_drop_interval), f"{100 * row.changed:.3f} %", f"{row.max_score_difference:.1e}",
        f"{row.calibration_error:.3f}", "ok" if row.passed else "FAIL",
    )  # fmt: skip


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f}" if size < 1e8 else f"{size / 1e6:.0f}"


def _signed(drop: float) -> str:
    """Without the sign of a zero that is only rounded."""
    return "nan" if math.isnan(drop) else f"{drop:+.4f}" if round(drop, 4) else "0.0000"


def _interval(interval: Interval) -> str:
    return "–" if math.isnan(interval.low) else f"{_signed(interval.low)}…{_signed(interval.high)}"
