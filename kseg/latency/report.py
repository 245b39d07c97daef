"""Benchmark results as tables for people, of one machine or of two beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from kseg.environment import describe_environment
from kseg.errors import UsageError
from kseg.latency.results import Results, Row

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["check_comparable", "comparison_table", "results_table", "yardstick"]

COLUMNS = ("threads", "p50 ms", "p90 ms", "p99 ms", "images/s", "load s", "peak MB", "file MB")


def results_table(results: Results) -> Table:
    """One machine: a line a row, with its median as a multiple of the first measured row's."""
    folder = _folder(results.rows)
    table = _new_table(f"{describe_environment(results.environment)}\n{folder}", _caption(results))
    table.add_column("× first", justify="right", no_wrap=True)
    first = next((row.p50 for row in results.rows if row.latency_ms), math.nan)
    for row in results.rows:
        table.add_row(*_cells(row, folder, (_times(row.p50, first),)))
    return table


def check_comparable(here_batch: int, there: Results, name: str) -> None:
    """Latencies of different batches say nothing beside each other. Raises UsageError."""
    if there.settings["batch"] != here_batch:
        raise UsageError(
            "the results were measured with another batch", where=name, expected=f"batch {here_batch}",
            found=f"batch {there.settings['batch']}", remedy=f"add --batch {there.settings['batch']}",
        )  # fmt: skip
    if not any(row.latency_ms for row in there.rows):
        raise UsageError("the results hold no measurement", where=name, remedy="measure again on that machine")


def yardstick(there: Results) -> Row:
    """The row of the other machine to compare with: its fastest on a GPU, or its fastest where it has none."""
    measured = [row for row in there.rows if row.latency_ms]
    return min(measured, key=lambda row: (row.device != "gpu", row.p50))


def comparison_table(here: Results, there: Results) -> Table:
    """Two machines in one table: A is this one, B the other, and each median as a multiple of B's `yardstick`."""
    best = yardstick(there)
    folders = {"A": _folder(here.rows), "B": _folder(there.rows)}
    title = "\n".join(
        f"{name}: {describe_environment(results.environment)}\n   {folders[name]}"
        for name, results in (("A", here), ("B", there))
    )
    caption = f"× B: p50 as a multiple of {best.model} on B's {best.device} ({best.p50:.2f} ms). {_caption(here)}"
    if any(row.input and best.input and row.input != best.input for row in here.rows):
        caption += " Beware: not all the images have the same size."
    table = _new_table(title, caption, machine=True)
    for heading in ("× first", "× B"):
        table.add_column(heading, justify="right", no_wrap=True)
    first = next((row.p50 for row in here.rows if row.latency_ms), math.nan)
    for machine, rows in (("A", here.rows), ("B", there.rows)):
        for row in rows:
            table.add_row(machine, *_cells(row, folders[machine], (_times(row.p50, first), _times(row.p50, best.p50))))
        table.add_section()
    return table


def _new_table(title: str, caption: str, *, machine: bool = False) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", title_style="", caption=caption, caption_justify="left", box=box.SIMPLE_HEAD
    )
    if machine:
        table.add_column("on")
    table.add_column("model", overflow="fold")
    table.add_column("device", no_wrap=True)
    for heading in COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _caption(results: Results) -> str:
    s = results.settings
    return (
        f"Inference only (no decoding, no resizing), batch {s['batch']}, on fixed random uint8 pixels; "
        f"{s['runs']} runs after {s['warmup']} warm-up runs, each row in a fresh process, "
        "whose peak memory these are; load: from starting the process until the model is ready."
    )


def _folder(rows: Sequence[Row]) -> str:
    """The folder in which all the models lie, which need not stand in every line of the table."""
    parents = [(PurePath(row.model).parent, *PurePath(row.model).parent.parents) for row in rows]
    return str(next((folder for folder in parents[0] if all(folder in others for others in parents)), ""))


def _cells(row: Row, folder: str, ratios: Sequence[str]) -> list[str]:
    head = [
        row.model.removeprefix(f"{folder}/") if folder else row.model,
        row.device,
        "" if row.threads is None else str(row.threads),
    ]
    size = f"{row.bytes / 1e6:.2f}"
    if row.latency_ms is None:
        return [*head, "failed" if row.failed else "skipped", "", "", "", "", "", size, *("" for _ in ratios)]
    t = row.latency_ms
    numbers = [f"{t.p50:.2f}", f"{t.p90:.2f}", f"{t.p99:.2f}", f"{row.images_per_s:.1f}"]
    return [*head, *numbers, f"{row.load_s:.2f}", f"{row.peak_rss_mb:.0f}", size, *ratios]


def _times(value: float, base: float) -> str:
    ratio = value / base
    return "" if math.isnan(ratio) else f"{ratio:.2f}"
