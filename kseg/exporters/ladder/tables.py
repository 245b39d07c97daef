"""The rungs as a table for the terminal, notebooks, and parity.md."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from kseg.exporters.ladder.rungs import FASTEST_FILE, FILE, Ladder, Rung

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["ladder_markdown", "ladder_table"]

_HEADINGS: Final = ("rung", "MB", "ms", "fg IoU", "drop", "95 % interval", "passes", "kept as")
_CAPTION: Final = (
    "ms: one image on LiteRT, the files measured in turn; drop: foreground IoU below the model's; "
    "in float: groups of layers that were not quantised"
)
_KEPT: Final = {FILE: "smallest", FASTEST_FILE: "fastest"}


def ladder_table(ladder: Ladder) -> Table:
    """A row for each rung; fits 100 columns."""
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=_CAPTION, caption_justify="left", title="The ladder"
    )
    for heading in _HEADINGS:
        numeric = heading not in ("rung", "passes", "kept as")
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
    for rung in ladder.rungs:
        table.add_row(*_cells(rung, ladder))
    return table


def ladder_markdown(ladder: Ladder) -> str:
    """The rungs as a Markdown table, then the notes as a list."""
    lines = ["## The ladder", "", f"| {' | '.join(_HEADINGS)} |", "|" + "---|" * len(_HEADINGS)]
    lines += [f"| {' | '.join(_cells(rung, ladder))} |" for rung in ladder.rungs]
    return "\n".join([*lines, "", f"{_CAPTION}.", "", *(f"- {note}" for note in ladder.notes)]) + "\n"


def _cells(rung: Rung, ladder: Ladder) -> tuple[str, ...]:
    row = rung.row
    size = f"{rung.bytes / 1e6:.2f}" if rung.bytes else ""
    latency = "" if rung.latency_ms is None else f"{rung.latency_ms:.1f}"
    if row is None:
        return (rung.name, size, latency, "", "", "", "failed" if rung.failure else "not scored", "")
    low, high = row.iou_drop_interval
    return (
        rung.name, size, latency, f"{row.iou:.4f}", _number(row.iou_drop), f"{_number(low)} to {_number(high)}",
        "yes" if row.passed else "no", _kept(rung, ladder),
    )  # fmt: skip


def _kept(rung: Rung, ladder: Ladder) -> str:
    if len(ladder.kept) == 1 and rung is ladder.kept[FILE]:
        return "both"
    return next((_KEPT[file] for file, kept in ladder.kept.items() if kept is rung), "")


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{round(value, 4) + 0.0:+.4f}"  # + 0.0: no minus before zero
